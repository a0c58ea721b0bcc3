/* The gate's pulses: one at a time, planned ahead, each edge made by the timer.
 *
 *     REST --plan--> RISING --edge--> ON --edge--> REST
 *
 * A pulse that would begin before another has ended and rested is merged into it. While the gate is
 * on, the timer is always set to switch it off within 30 ms at the latest, and the main loop keeps
 * moving that moment: a firmware that hangs lets go of the gate by itself.
 */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>

enum gate_answer {
    GATE_PLANNED,  /* it will rise for this part; gate_take_rise() tells when it has */
    GATE_MERGED,   /* it is or will be on already at that time */
    GATE_BUSY,     /* ask again: another pulse ends long before this one begins */
    GATE_MISSED    /* too late, or no time within the maximum on-time */
};

struct gate_rise {
    uint32_t at;
    int32_t count_error;  /* by distance: counts between the target and this edge */
    uint8_t flags;  /* OUTCOME_FLAG_MERGED, _CLIPPED; _MISSED if it could not begin after all */
};

/* By time: on at `at`. Sets OUTCOME_FLAG_CLIPPED in flags if the pulse has to be shortened. */
enum gate_answer gate_plan_at(uint32_t at, uint32_t pulse, uint8_t *flags);

/* By distance: on when the encoder reaches `target`, expected at `expected`. */
enum gate_answer gate_plan_count(int32_t target, uint32_t expected);

/* True once for each planned pulse, when it has begun or been missed. */
bool gate_take_rise(struct gate_rise *rise);

/* Takes back a plan that has not begun, and shortens a pulse under way to one part's length.
 * True if there was a plan to take back. */
bool gate_abandon(void);

bool gate_resting(void);

/* True once after the maximum on-time has cut a pulse short. */
bool gate_take_overload(void);

/* From the main loop, many times a millisecond: sets the timer for edges that come into its reach. */
void gate_step(void);

/* From the timer's interrupt: its moment for the gate has come (or an earlier turn of it). */
void gate_on_compare(void);

#endif
