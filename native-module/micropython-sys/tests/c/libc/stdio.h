// The part of C stdio.h that MicroPython headers name.
#pragma once
#include <stddef.h>
