/* The safe state: why and how it is entered, and that only `clear` leaves it. */
#ifndef SAFETY_H
#define SAFETY_H

#include <stdbool.h>
#include <stdint.h>

#include "messages.h"

struct safety {
    uint8_t reason;  /* REASON_NONE: running */
    uint8_t action;
    uint32_t since;
    uint32_t part;   /* that led to it, or NO_PART */
};
extern struct safety safety;

/* At power-up and after every reset: the safe state, until the host clears it. */
void safety_start(void);

/* Enters the safe state. Within it, only a reason that stops the line changes anything. */
void safety_enter(uint8_t reason, uint32_t part);

/* Another configuration is active: its safe action holds from now on. */
void safety_reconfigured(void);

/* RESULT_DONE and running, or why not, with the detail. */
uint8_t safety_clear(uint8_t reason, uint8_t *detail);

/* The host has shown that it is alive. */
void safety_heartbeat(void);

/* From the main loop: heartbeat, belt and confirmation. */
void safety_step(void);

#endif
