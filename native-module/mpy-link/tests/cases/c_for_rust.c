//# part
#include <stdint.h>

extern uint32_t SHARED;
uint32_t add_shared(uint32_t value);

static uint32_t counter;

uint32_t count(void) {
    return ++counter;
}

uint64_t twice(uint64_t value) {
    return value * 2;
}

uint32_t call_back(uint32_t value) {
    SHARED += 0;
    return add_shared(value);
}
