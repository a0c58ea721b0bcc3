/* The photo-eye: debounces, latches the part, starts the strobe. */
#ifndef TRIGGER_H
#define TRIGGER_H

#include <stdint.h>

/* From the timer's capture interrupt: an edge was seen at this moment. */
void trigger_on_edge(uint32_t at);

/* From the main loop: forgets the latest trigger once its dead time has passed. */
void trigger_step(void);

/* Edges within the dead time. */
uint16_t trigger_ignored(void);

#endif
