//# part
int number = 2;
