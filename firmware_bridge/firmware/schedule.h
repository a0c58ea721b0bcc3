/* What happens to each part, and when: from latched to done, in the order of the belt. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* From the main loop, many times a millisecond. */
void schedule_step(void);

/* Entering a safe state that passes parts: nothing that has not begun will fire. */
void schedule_abandon(void);

/* Ends all parts in flight as skipped: with another configuration their moments mean nothing. */
void schedule_forget(void);

/* One pulse without a part; false while parts are in flight or the gate is busy. */
bool schedule_test(uint32_t pulse_us);

#endif
