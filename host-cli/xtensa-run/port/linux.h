// Linux on Xtensa: numbers of system calls (arch/xtensa/kernel/syscalls/syscall.tbl).
#include <stddef.h>
#include <stdint.h>

#define SYS_OPEN 8
#define SYS_CLOSE 9
#define SYS_READ 12
#define SYS_WRITE 13
#define SYS_LSEEK 15
#define SYS_POLL 16
#define SYS_SOCKET 96
#define SYS_SETSOCKOPT 97
#define SYS_CONNECT 101
#define SYS_SEND 108
#define SYS_RECV 109
#define SYS_EXIT 118
#define SYS_NANOSLEEP 195
#define SYS_CLOCK_GETTIME 245

// In the assembly file. A negative result is an error's number.
long linux_call(long number, long a, long b, long c, long d, long e);
