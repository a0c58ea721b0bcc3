/* What the portable core asks of a board, and where a board's interrupts enter the core.
 *
 * hardware_avr.c answers on an ATmega328P, host/hardware_host.c on a computer (for fuzzing).
 * Time is in ticks of 0.5 us, 32 bits, hence around once in 35.8 minutes: moments are compared by
 * the sign of their difference, and only where they are known to be near one another.
 */
#ifndef HARDWARE_H
#define HARDWARE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __AVR__
#include <util/atomic.h>
/* The block that follows is not interrupted. */
#define UNINTERRUPTED ATOMIC_BLOCK(ATOMIC_RESTORESTATE)
#else
#define UNINTERRUPTED
#endif

/* True when `moment` is not after `now`. */
static inline bool reached(uint32_t now, uint32_t moment) {
    return (int32_t)(now - moment) >= 0;
}

void hardware_start(void);
uint8_t hardware_reset_cause(void);
uint32_t hardware_now(void);
void hardware_kick_watchdog(void);
void hardware_hang(bool interrupts);

/* Sleeps until an interrupt, at most half a millisecond, unless a byte has been received. */
void hardware_wait(void);

/* Bytes of RAM that the stack has never touched. */
uint16_t hardware_free_bytes(void);

/* Serial port. Transmitting more bytes than there is room for loses them. */
bool hardware_receive(uint8_t *byte);
uint16_t hardware_receive_overruns(void);
uint8_t hardware_transmit_room(void);
bool hardware_transmit_idle(void);
void hardware_transmit(uint8_t byte);

/* Polarity and pull-ups as configured; brings gate and strobe to rest. */
void hardware_apply_options(uint8_t options);

/* The gate's next edge, made by the timer at this value of its 16-bit counter, with no software in
 * between. Called with interrupts off, with at least GATE_SOON ticks left when that was found out:
 * enough for the way from there to the timer's register, several times over. An edge that is set
 * too late would not be made at all. */
#define GATE_SOON 60
void hardware_gate_on_at(uint16_t tick);
void hardware_gate_off_at(uint16_t tick);
void hardware_gate_rest(void);

/* The same as soon as possible; returns when. */
uint16_t hardware_gate_on_now(void);

/* One strobe; called from the trigger's interrupt, ends before the next trigger can come. */
void hardware_strobe(uint16_t begin, uint16_t ticks);

void hardware_line_outputs(bool run, bool fault);

/* Memory that survives power loss. A write keeps it busy for milliseconds, and whoever reads or
 * writes before it is ready waits for so long. */
bool hardware_store_ready(void);
uint8_t hardware_stored(uint8_t address);
void hardware_store(uint8_t address, uint8_t byte);

#endif
