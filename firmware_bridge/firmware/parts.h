/* The parts between photo-eye and gate, and a few that have left: a ring of records.
 *
 *     parts_open <= parts_planned <= parts_next
 *
 * Part numbers count from 1. The trigger's interrupt appends at parts_next; everything else happens
 * in the main loop, which reads records below parts_next only.
 */
#ifndef PARTS_H
#define PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "messages.h"

enum phase {
    PHASE_UNDECIDED,  /* a verdict is still taken */
    PHASE_FROZEN,     /* what will happen is fixed */
    PHASE_PLANNED,    /* the gate knows */
    PHASE_DONE
};

struct part {
    uint32_t triggered_at;
    int32_t encoder;
    uint32_t fired_at;
    uint8_t says;        /* the verdict while undecided (0: none yet), then the outcome */
    int8_t error;
    uint8_t flags : 4;   /* OUTCOME_FLAG bits */
    uint8_t phase : 2;
    uint8_t wanted : 1;  /* the gate is to act on this part */
};

extern uint32_t parts_open;     /* the first part without an outcome */
extern uint32_t parts_planned;  /* the first part that the gate does not know yet */

/* Number of the next part. */
uint32_t parts_next(void);

/* The record of a part, or NULL if it is not remembered or has not come yet. */
struct part *parts_record(uint32_t number);

/* From the trigger's interrupt. */
void parts_latch(uint32_t triggered_at, int32_t encoder);

/* Triggers that found the ring full, and whether there was one since this was last asked. */
uint16_t parts_unlatched(void);
bool parts_overflowed(void);

/* Takes a verdict; false if it is too late or the part is unknown. */
bool parts_decide(uint32_t number, uint8_t verdict);

#endif
