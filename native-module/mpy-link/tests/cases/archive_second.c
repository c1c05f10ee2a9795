//# part
int second(void) { return 2; }
int second_dead(void) { extern int nowhere; return nowhere; }
