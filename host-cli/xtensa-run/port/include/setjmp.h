// The jump of the windowed ABI, which the library for the ESP8266 does not have.
typedef int jmp_buf[12];
int setjmp(jmp_buf) __attribute__((returns_twice));
void longjmp(jmp_buf, int) __attribute__((noreturn));
