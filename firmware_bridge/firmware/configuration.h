/* The active configuration: checked, converted to ticks, stored against power loss. */
#ifndef CONFIGURATION_H
#define CONFIGURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "messages.h"

extern struct message_configure configuration;
extern bool configuration_valid;

/* The configuration in ticks. */
struct timing {
    uint32_t travel;     /* trigger to gate, less the lead time */
    uint32_t lead;
    uint32_t pulse;
    uint32_t gap;
    uint32_t maximum_on;
    uint32_t commit;     /* a part is decided this long before the gate acts on it */
    uint32_t dead;
    uint32_t heartbeat;
    uint32_t confirmation;
    uint16_t strobe_delay;
    uint16_t strobe;
};
extern struct timing timing;

static inline bool configured(uint8_t option) {
    return configuration.options & option;
}

static inline bool gate_by_distance(void) {
    return configuration.distance_counts != 0;
}

/* Loads what was stored; configuration_valid says whether it was intact. */
void configuration_load(void);

/* RESULT_DONE and active, or RESULT_BAD_CONFIGURATION with its detail and nothing changed. */
uint8_t configuration_accept(const struct message_configure *candidate, uint8_t *detail);

bool configuration_equals(const struct message_configure *candidate);

/* CRC-32 of the active configuration, 0 without one. */
uint32_t configuration_hash(void);

/* Writes at most one byte of what is still to be stored. */
void configuration_store_step(void);

#endif
