//# variants: -O2
//# keep: asked_for
//# map-has: .text.asked_for
//# map-has: .rodata.retained
//# map-lacks: .text.not_asked_for
#include "prelude.h"

int asked_for(void) { return 1; }
int not_asked_for(void) { return 2; }
__attribute__((used, retain)) static const int retained = 3;

void test(void) {
}
