// The program's one errno. MicroPython has the numbers itself (`MICROPY_USE_INTERNAL_ERRNO`).
#pragma once
int *port_errno(void);
#define errno (*port_errno())
#define EINTR 4
