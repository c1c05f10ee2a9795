// The part of C stdlib.h that MicroPython headers name.
#pragma once
#include <stddef.h>
