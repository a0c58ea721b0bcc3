/* The ATmega328P: timer 1 makes and captures all edges that matter, timer 2 wakes the main loop.
 * The serial port is in serial_avr.c. */
#include "hardware.h"

#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#include "board.h"
#include "confirmation.h"
#include "encoder.h"
#include "gate.h"
#include "messages.h"
#include "serial_avr.h"
#include "trigger.h"

#if F_CPU / 8 != TICKS_PER_US * 1000000UL
#error "timer 1 counts F_CPU / 8: another crystal needs another prescaler"
#endif

#define PAINT 0xC5

static uint8_t reset_flags __attribute__((section(".noinit")));
static volatile uint16_t turns;  /* of timer 1: the upper half of the clock */
static uint8_t options;

static volatile enum { STROBE_REST, STROBE_RISING, STROBE_ON } strobe;
static volatile uint16_t strobe_ticks;

extern uint8_t _end;
extern uint8_t __stack;

/* Before anything else: the watchdog would fire again at once, and why we started must be kept.
 * A boot loader clears MCUSR and, where it is Optiboot, leaves it in r2. */
void early(void) __attribute__((naked, used, section(".init3")));
void early(void) {
    uint8_t from_boot_loader;
    __asm__ volatile("mov %0, r2" : "=r"(from_boot_loader));
    reset_flags = MCUSR ? MCUSR : from_boot_loader;
    MCUSR = 0;
    wdt_disable();
    /* A loop in registers: there is no stack frame here. */
    __asm__ volatile("    ldi r30, lo8(_end)\n"
                     "    ldi r31, hi8(_end)\n"
                     "    ldi r24, %0\n"
                     "    ldi r25, hi8(__stack)\n"
                     "1:  st Z+, r24\n"
                     "    cpi r30, lo8(__stack)\n"
                     "    cpc r31, r25\n"
                     "    brlo 1b\n" ::"i"(PAINT)
                     : "r24", "r25", "r30", "r31", "memory");
}

void hardware_start(void) {
    LINE_DDR |= _BV(RUN_BIT) | _BV(FAULT_BIT);
    TRIGGER_PORT |= _BV(TRIGGER_BIT);
    ENCODER_PORT |= _BV(ENCODER_A_BIT) | _BV(ENCODER_B_BIT);
    CONFIRMATION_PORT |= _BV(CONFIRMATION_BIT);

    TCCR1B = _BV(ICNC1) | _BV(ICES1) | _BV(CS11);
    TIMSK1 = _BV(ICIE1) | _BV(OCIE1A) | _BV(OCIE1B) | _BV(TOIE1);

    TCCR2A = _BV(WGM21);
    TCCR2B = _BV(CS22) | _BV(CS20);      /* F_CPU / 128: 8 us */
    OCR2A = 61;                          /* 496 us */
    TIMSK2 = _BV(OCIE2A);

    EICRA = _BV(ISC00) | _BV(ISC11) | _BV(ISC10);  /* INT0: both edges; INT1: rising */
    EIMSK = _BV(INT0) | _BV(INT1);

    serial_start();
    set_sleep_mode(SLEEP_MODE_IDLE);
    wdt_enable(WDTO_60MS);
    sei();
}

uint8_t hardware_reset_cause(void) {
    if (reset_flags & _BV(WDRF))
        return RESET_CAUSE_WATCHDOG;
    if (reset_flags & _BV(PORF))
        return RESET_CAUSE_POWER_ON;
    if (reset_flags & _BV(BORF))
        return RESET_CAUSE_BROWN_OUT;
    return RESET_CAUSE_EXTERNAL;
}

uint32_t hardware_now(void) {
    uint16_t low, high;
    UNINTERRUPTED {
        low = TCNT1;
        high = turns;
        if (TIFR1 & _BV(TOV1) && low < 0x8000)
            high++;
    }
    return (uint32_t)high << 16 | low;
}

void hardware_kick_watchdog(void) {
    wdt_reset();
}

void hardware_hang(bool interrupts) {
    if (!interrupts)
        cli();
    for (;;)
        ;
}

void hardware_wait(void) {
    cli();
    if (!serial_has_received()) {
        sleep_enable();
        sei();  /* takes effect after the next instruction: no interrupt is slept through */
        sleep_cpu();
        sleep_disable();
    }
    sei();
}

/* Goes on from where it was last: the stack never gives back what it has touched. A row of paint
 * this long is no local array that happens to be unused. */
uint16_t hardware_free_bytes(void) {
    const uint8_t row = 16;
    static const uint8_t *lowest = &__stack;
    const uint8_t *byte = lowest;
    while (byte > &_end && lowest - byte < row) {
        byte--;
        if (*byte != PAINT)
            lowest = byte;
    }
    return lowest - &_end;
}

/* Connects, for a compare match, set (1) or clear (0) to the pin; 2: the pin follows its port. */
static inline void gate_match(uint8_t action) {
    TCCR1A = (TCCR1A & ~(_BV(COM1A1) | _BV(COM1A0))) |
             (action == 2 ? 0 : _BV(COM1A1) | (action ? _BV(COM1A0) : 0));
}

static inline void strobe_match(uint8_t action) {
    TCCR1A = (TCCR1A & ~(_BV(COM1B1) | _BV(COM1B0))) |
             (action == 2 ? 0 : _BV(COM1B1) | (action ? _BV(COM1B0) : 0));
}

void hardware_apply_options(uint8_t chosen) {
    UNINTERRUPTED {
        options = chosen;
        bool gate_low = options & OPTION_GATE_ACTIVE_LOW;
        bool strobe_low = options & OPTION_STROBE_ACTIVE_LOW;
        /* The compare unit keeps the level of its last match even while disconnected. It is put to
         * rest while the pins are still inputs, so that no edge comes from connecting it. */
        GATE_DDR &= ~_BV(GATE_BIT);
        STROBE_DDR &= ~_BV(STROBE_BIT);
        gate_match(gate_low);
        strobe_match(strobe_low);
        TCCR1C = _BV(FOC1A) | _BV(FOC1B);
        gate_match(2);
        strobe_match(2);
        strobe = STROBE_REST;
        if (gate_low)
            GATE_PORT |= _BV(GATE_BIT);
        else
            GATE_PORT &= ~_BV(GATE_BIT);
        if (strobe_low)
            STROBE_PORT |= _BV(STROBE_BIT);
        else
            STROBE_PORT &= ~_BV(STROBE_BIT);
        GATE_DDR |= _BV(GATE_BIT);
        STROBE_DDR |= _BV(STROBE_BIT);

        if (options & OPTION_TRIGGER_FALLING)
            TCCR1B &= ~_BV(ICES1);
        else
            TCCR1B |= _BV(ICES1);
        EICRA = _BV(ISC00) | _BV(ISC11) | (options & OPTION_CONFIRMATION_FALLING ? 0 : _BV(ISC10));
    }
}

void hardware_gate_on_at(uint16_t tick) {
    OCR1A = tick;
    gate_match(!(options & OPTION_GATE_ACTIVE_LOW));
}

uint16_t hardware_gate_on_now(void) {
    uint16_t tick = TCNT1 + 10;  /* 80 cycles; the next two statements take a third of that */
    hardware_gate_on_at(tick);
    return tick;
}

void hardware_gate_off_at(uint16_t tick) {
    OCR1A = tick;
    gate_match(!!(options & OPTION_GATE_ACTIVE_LOW));
}

void hardware_gate_rest(void) {
    gate_match(2);
}

void hardware_strobe(uint16_t begin, uint16_t ticks) {
    OCR1B = begin;
    strobe_match(!(options & OPTION_STROBE_ACTIVE_LOW));
    strobe_ticks = ticks;
    strobe = STROBE_RISING;
}

void hardware_line_outputs(bool run, bool fault) {
    UNINTERRUPTED {
        LINE_PORT = (LINE_PORT & ~(_BV(RUN_BIT) | _BV(FAULT_BIT))) | run << RUN_BIT |
                    fault << FAULT_BIT;
    }
}

bool hardware_store_ready(void) {
    return eeprom_is_ready();
}

uint8_t hardware_stored(uint8_t address) {
    return eeprom_read_byte((const uint8_t *)(uint16_t)address);
}

void hardware_store(uint8_t address, uint8_t byte) {
    eeprom_write_byte((uint8_t *)(uint16_t)address, byte);
}

ISR(INT0_vect) {
    uint8_t pins = ENCODER_PIN;
    encoder_on_edge(pins & _BV(ENCODER_A_BIT), pins & _BV(ENCODER_B_BIT), TCNT1);
}

ISR(INT1_vect) {
    confirmation_on_edge();
}

ISR(TIMER1_CAPT_vect) {
    uint16_t captured = ICR1;
    uint32_t now = hardware_now();
    trigger_on_edge(now - (uint16_t)((uint16_t)now - captured));
}

ISR(TIMER1_COMPA_vect) {
    gate_on_compare();
}

ISR(TIMER1_COMPB_vect) {
    if ((int16_t)(TCNT1 - OCR1B) < 0)
        return;  /* an earlier turn of the timer */
    if (strobe == STROBE_RISING) {
        OCR1B += strobe_ticks;
        strobe_match(!!(options & OPTION_STROBE_ACTIVE_LOW));
        strobe = STROBE_ON;
    } else if (strobe == STROBE_ON) {
        strobe_match(2);
        strobe = STROBE_REST;
    }
}

ISR(TIMER1_OVF_vect) {
    turns++;
}

/* Only wakes the main loop. */
EMPTY_INTERRUPT(TIMER2_COMPA_vect)
