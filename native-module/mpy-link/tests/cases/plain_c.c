//# part
int plain_c(int n) { return n + 1; }
