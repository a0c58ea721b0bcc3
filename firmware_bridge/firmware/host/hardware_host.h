/* The hardware that hardware_host.c pretends to have, as the fuzzer sees it. */
#ifndef HARDWARE_HOST_H
#define HARDWARE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One pass of the firmware's main loop, after this many ticks. */
void host_pass(uint32_t ticks);

/* Starts the firmware as after power-up. */
void host_start(void);

void host_receive(uint8_t byte);

/* What the firmware has sent since this was last called. */
size_t host_sent(uint8_t *bytes, size_t size);

/* How often the gate has gone on. */
extern unsigned host_gate_pulses;

/* True once the firmware has hung on purpose; it goes on all the same. */
extern bool host_hung;

#endif
