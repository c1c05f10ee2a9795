//# part
__attribute__((section(".mpy_qstrs.1"), used)) static const char list[] = "beta";

int other(void) {
    return 1;
}
