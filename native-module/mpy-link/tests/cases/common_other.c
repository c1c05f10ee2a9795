//# part
int shared;
int initialised = 6;
long grown[8];
const unsigned long grown_size = sizeof grown;

int other(void) {
    return ++shared;
}

void set_grown(void) {
    for (int i = 1; i < 8; i++) {
        grown[i] = -1;
    }
}
