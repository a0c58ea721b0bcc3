/* The ATmega328P in simavr: its pins, its serial port, its resets, and its time. */
#ifndef CHIP_H
#define CHIP_H

#include <stdbool.h>
#include <stdint.h>

#define HZ 16000000ULL

enum { TRIGGER, ENCODER_A, ENCODER_B, CONFIRMATION, GATE, STROBE, RUN, FAULT, PINS };
#define FIRST_OUTPUT GATE

extern const char *const pin_names[PINS];
extern int pin_levels[PINS];

/* The longest that interrupts have been off since they were first on, in cycles. */
extern uint32_t longest_interrupts_off;

/* Loads a firmware; false if that is not possible. */
bool chip_start(const char *firmware);

uint64_t chip_now(void);

/* Runs until this cycle, or until the firmware has sent a zero byte, if that is asked for. */
void chip_run(uint64_t limit, bool until_frame);

/* Starts anew; flags as in MCUSR. */
void chip_reset(uint8_t flags);

/* Turns bits over in the memory that survives power loss. */
void chip_damage_store(uint16_t address, uint8_t bits);

void chip_set_input(int pin, int level);
void chip_receive(uint8_t byte);

/* In board.c: what the chip does. */
void on_pin_change(int pin, int level);
void on_byte_sent(uint8_t byte);

/* In world.c: what happens to the chip. Does all that is due by a cycle, and says when there will be
 * something next. */
#define NEVER UINT64_MAX
uint64_t world_next(void);
void world_advance(uint64_t now);

#endif
