// The part of C math.h that MicroPython headers name.
#pragma once
double nan(const char *tag);
#define isnan(x) __builtin_isnan(x)
