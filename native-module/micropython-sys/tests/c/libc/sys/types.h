// The part of POSIX sys/types.h that MicroPython headers name.
#pragma once
#include <stddef.h>
typedef long ssize_t;
typedef long off_t;
