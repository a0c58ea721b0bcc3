/* The optional sensor that sees ejected parts fall: one edge for each, in time. */
#ifndef CONFIRMATION_H
#define CONFIRMATION_H

#include <stdbool.h>
#include <stdint.h>

/* The gate has acted on a part at this moment. */
void confirmation_expect(uint32_t fired_at, uint32_t part);

/* From the sensor's interrupt. */
void confirmation_on_edge(void);

/* The part whose confirmation is overdue, or NO_PART. */
uint32_t confirmation_step(void);

/* Nothing is expected any more. */
void confirmation_restart(void);

uint16_t confirmation_seen(void);

#endif
