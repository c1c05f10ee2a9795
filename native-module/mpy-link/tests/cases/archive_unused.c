//# part
int unused(void) { extern int nobody_defines_this(void); return nobody_defines_this(); }
