// The line between the emulated board and the computer, see line.c.

#include <stdbool.h>

// Once, before all else; further calls do nothing.
void line_start(void);
// The next byte that has come, or -1.
int line_take(void);
// Returns when there may be a byte.
void line_wait(void);
// Whether the line goes on when nobody takes what has come.
bool line_overruns(void);
