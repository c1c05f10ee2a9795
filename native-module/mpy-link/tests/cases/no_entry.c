//# error: undefined symbol mpy_init
int test(void) { return 1; }
