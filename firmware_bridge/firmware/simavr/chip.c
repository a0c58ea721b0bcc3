/* simavr is free software under the GPL, version 3; what this file is linked into is under it too. */
#include "chip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <simavr/avr_eeprom.h>
#include <simavr/avr_extint.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_timer.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

static const struct {
    char port;
    uint8_t bit;
} places[PINS] = {
    {'B', 0}, {'D', 2}, {'D', 4}, {'D', 3}, {'B', 1}, {'B', 2}, {'C', 0}, {'C', 1},
};
const char *const pin_names[PINS] = {"trigger", "encoder_a", "encoder_b", "confirmation",
                                     "gate",    "strobe",    "run",       "fault"};

/* Data addresses on the ATmega328P. */
enum { PINB = 0x23, PIND = 0x29, MCUSR = 0x54, TCCR1A = 0x80, RAM = 0x100 };

int pin_levels[PINS];
uint32_t longest_interrupts_off;

static avr_t *avr;
static avr_irq_t *pin_irqs[PINS];
static avr_irq_t *uart_input;
static void (*core_reset)(avr_t *core);
static bool was_reset;
static bool frame_ended;
static uint64_t interrupts_off_since;

static void on_pin(avr_irq_t *irq, uint32_t value, void *parameter) {
    int pin = (intptr_t)parameter;
    int level = value & 1;
    if (pin_levels[pin] == level)
        return;
    pin_levels[pin] = level;
    on_pin_change(pin, level);
}

static void on_uart_output(avr_irq_t *irq, uint32_t value, void *parameter) {
    if ((value & 0xFF) == 0)
        frame_ended = true;
    on_byte_sent(value);
}

/* simavr 1.6 treats an output compare pin at the timer's overflow, and whenever a compare register
 * is written, as if every mode were PWM: it makes the opposite edge. The data sheet knows no such
 * edge in normal mode, so only the edges that the mode bits ask for are let through. */
static void on_compare(avr_irq_t *irq, uint32_t value, void *parameter) {
    int channel = (intptr_t)parameter;
    uint8_t mode = avr->data[TCCR1A] >> (channel == 0 ? 6 : 4) & 3;
    if ((mode == 3 && value) || (mode == 2 && !value))
        avr_raise_irq(pin_irqs[channel == 0 ? GATE : STROBE], value);
}

static avr_irq_t *compare_irq(int channel) {
    return avr_io_getirq(avr, AVR_IOCTL_TIMER_GETIRQ('1'), TIMER_IRQ_OUT_COMP + channel);
}

/* Tells simavr what drives the inputs: without, it lets every write to a port pull them up. */
static void drive_inputs(void) {
    for (const char *port = "BD"; *port; port++) {
        avr_ioport_external_t external = {.name = *port};
        for (int pin = 0; pin < FIRST_OUTPUT; pin++) {
            if (places[pin].port != *port)
                continue;
            external.mask |= 1 << places[pin].bit;
            external.value |= pin_levels[pin] << places[pin].bit;
        }
        avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL(*port), &external);
    }
}

void chip_set_input(int pin, int level) {
    avr_raise_irq(pin_irqs[pin], level);
    drive_inputs();
}

void chip_receive(uint8_t byte) {
    avr_raise_irq(uart_input, byte);
}

/* Timers of simavr: they run in the middle of a sleep, too, and a reset of the chip drops them. */
static avr_cycle_count_t on_world(avr_t *core, avr_cycle_count_t when, void *parameter) {
    world_advance(avr->cycle);
    uint64_t next = world_next();
    return next == NEVER ? 0 : next;
}

static avr_cycle_count_t on_limit(avr_t *core, avr_cycle_count_t when, void *parameter) {
    return 0;
}

static void set_timers(uint64_t limit) {
    uint64_t next = world_next();
    if (next != NEVER)
        avr_cycle_timer_register(avr, next > avr->cycle ? next - avr->cycle : 0, on_world, NULL);
    if (limit > avr->cycle)
        avr_cycle_timer_register(avr, limit - avr->cycle, on_limit, NULL);
}

/* While the chip sleeps simulated time passes, but nobody waits. */
static void do_not_sleep(avr_t *core, avr_cycle_count_t cycles) {
}

static void on_reset(avr_t *core) {
    was_reset = true;
    core_reset(core);
}

/* On a real chip all pins are inputs from the moment of a reset, and the gate is pulled down. */
static void after_reset(void) {
    was_reset = false;
    interrupts_off_since = 0;
    for (int channel = 0; channel < 2; channel++)
        avr_unconnect_irq(compare_irq(channel), pin_irqs[channel == 0 ? GATE : STROBE]);
    /* Otherwise a low pin is polled for ever as soon as it is seen before EICRA is written. */
    for (int interrupt = 0; interrupt < 2; interrupt++)
        avr_extint_set_strict_lvl_trig(avr, interrupt, 0);
    for (int pin = FIRST_OUTPUT; pin < PINS; pin++)
        avr_raise_irq(pin_irqs[pin], 0);
    for (int pin = 0; pin < FIRST_OUTPUT; pin++)
        avr->data[places[pin].port == 'B' ? PINB : PIND] |= pin_levels[pin] << places[pin].bit;
}

/* From the first time that they are on: the start does not count. */
static void note_interrupts(void) {
    if (avr->sreg[S_I] || avr->state == cpu_Sleeping)
        interrupts_off_since = avr->cycle;
    else if (interrupts_off_since != 0 &&
             avr->cycle - interrupts_off_since > longest_interrupts_off)
        longest_interrupts_off = avr->cycle - interrupts_off_since;
}

uint64_t chip_now(void) {
    return avr->cycle;
}

void chip_run(uint64_t limit, bool until_frame) {
    frame_ended = false;
    set_timers(limit);
    while (avr->cycle < limit && !(until_frame && frame_ended)) {
        int state = avr_run(avr);
        note_interrupts();
        if (was_reset) {
            after_reset();
            set_timers(limit);
        }
        if (state == cpu_Done || state == cpu_Crashed) {
            fprintf(stderr, "simavr_board: the firmware has crashed at %#x\n", avr->pc);
            exit(2);
        }
    }
}

void chip_reset(uint8_t flags) {
    if (flags & (1 | 4))  /* power was gone: RAM holds anything */
        memset(avr->data + RAM, 0x5A, avr->ramend + 1 - RAM);
    avr_reset(avr);
    avr->data[MCUSR] = flags;
    after_reset();
}

void chip_damage_store(uint16_t address, uint8_t bits) {
    uint8_t byte;
    avr_eeprom_desc_t cell = {.ee = &byte, .offset = address, .size = 1};
    avr_ioctl(avr, AVR_IOCTL_EEPROM_GET, &cell);
    byte ^= bits;
    avr_ioctl(avr, AVR_IOCTL_EEPROM_SET, &cell);
}

bool chip_start(const char *path) {
    elf_firmware_t firmware = {0};
    if (elf_read_firmware(path, &firmware) != 0)
        return false;
    avr = avr_make_mcu_by_name("atmega328p");
    if (avr == NULL)
        return false;
    avr_init(avr);
    avr->log = LOG_ERROR;
    avr_load_firmware(avr, &firmware);
    avr->frequency = HZ;
    avr->sleep = do_not_sleep;
    core_reset = avr->reset;
    avr->reset = on_reset;

    uint32_t no_flags = 0;
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &no_flags);
    uart_input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT),
                            on_uart_output, NULL);
    for (int pin = 0; pin < PINS; pin++) {
        pin_irqs[pin] =
            avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(places[pin].port), places[pin].bit);
        avr_irq_register_notify(pin_irqs[pin], on_pin, (void *)(intptr_t)pin);
    }
    for (int channel = 0; channel < 2; channel++)
        avr_irq_register_notify(compare_irq(channel), on_compare, (void *)(intptr_t)channel);
    drive_inputs();
    after_reset();
    avr->data[MCUSR] = 1;
    return true;
}
