/* The belt, the sensors and the host's bytes, each at its cycle. */
#ifndef WORLD_H
#define WORLD_H

#include <stdint.h>

/* Where the belt is, in counts. */
int32_t world_position(void);

/* A pin gets a level at this cycle. */
void world_add_level(uint64_t cycle, int pin, int level);

/* The belt moves from this cycle on, so many cycles a count; negative backwards, 0 stands still. */
void world_add_speed(uint64_t cycle, int32_t cycles_per_count);

/* A byte for the serial port, not before this cycle and not before the wire is free. */
void world_add_byte(uint64_t cycle, uint8_t byte);

/* In board.c: such a byte is on its way into the chip. */
void on_byte_received(void);

#endif
