//# error: the entry mpy_init is not a function in the inputs' code (data)
int mpy_init = 1;
