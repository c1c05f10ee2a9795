// C errno.h: no error number is read while measuring.
#pragma once
extern int errno;
