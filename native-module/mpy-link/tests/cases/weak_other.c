//# part
int number = 7;
const char *overridden(void) { return "strong"; }
