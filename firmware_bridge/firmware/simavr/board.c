/* Runs the firmware on simavr, with a belt, a photo-eye and a host around it.
 *
 *     simavr_board FIRMWARE.elf [--vcd FILE]               in lockstep with whoever drives it
 *     simavr_board FIRMWARE.elf [--vcd FILE] --pty LINK    in real time; LINK leads to the serial port
 *
 * Commands come on standard input, records leave on standard output; both are struct record.
 * In lockstep simulated time only passes in 'R'. In real time a cycle of 0 means now.
 *
 *   'P' level of an input pin (value = pin << 8 | level) at a cycle
 *   'E' the belt moves from a cycle on: value = cycles per count, negative backwards, 0 stands still
 *   'U' a byte for the serial port, not before a cycle
 *   'R' runs until a cycle; value 1: or until the firmware has sent a zero byte, a frame's end
 *   'X' resets at once; value = MCUSR (1 power-on, 2 external, 4 brown-out)
 *   'M' damages the stored configuration: value = address << 8 | bits to turn over
 *   'H' in real time: takes the serial port away for so many milliseconds, then gives another one
 *   'Q' quits, as does the end of standard input
 *
 *   'u' the firmware has sent a byte (value)
 *   'p' a pin has changed (value = pin << 8 | level); position is that of the belt
 *   '.' an 'R' has ended; value: the longest that interrupts were off so far, in cycles
 *
 * simavr is free software under the GPL, version 3; what this file is linked into is under it too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <simavr/avr_eeprom.h>
#include <simavr/avr_extint.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_timer.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>

#define HZ 16000000ULL
#define CYCLES_PER_BYTE 704  /* simavr counts 11 bits; 64 cycles each at 250,000 baud */
#define NEVER UINT64_MAX

struct record {
    uint8_t kind;
    uint64_t cycle;
    uint32_t value;
    int32_t position;
} __attribute__((packed));

enum { TRIGGER, ENCODER_A, ENCODER_B, CONFIRMATION, GATE, STROBE, RUN, FAULT, PINS };
static const struct {
    const char *name;
    char port;
    uint8_t bit;
} pins[PINS] = {
    {"trigger", 'B', 0}, {"encoder_a", 'D', 2}, {"encoder_b", 'D', 4}, {"confirmation", 'D', 3},
    {"gate", 'B', 1},    {"strobe", 'B', 2},    {"run", 'C', 0},       {"fault", 'C', 1},
};
#define FIRST_OUTPUT GATE

/* Data addresses on the ATmega328P. */
enum { PINB = 0x23, PIND = 0x29, MCUSR = 0x54, TCCR1A = 0x80, RAM = 0x100 };

static avr_t *avr;
static avr_irq_t *pin_irq[PINS];
static avr_irq_t *uart_input;
static int levels[PINS];
static bool was_reset;
static bool frame_ended;

static FILE *vcd;
static int pty_master = -1;
static int pty_slave = -1;
static const char *pty_link;
static uint64_t pty_back_at = NEVER;  /* nanoseconds of the wall clock */

static struct record *stimuli;  /* pin levels still to come, by cycle */
static size_t stimuli_count, stimuli_size;

static struct {
    uint64_t half;  /* cycles from an edge of A to the edge of B after it; 0: standing still */
    int direction;
    uint64_t next;
    int phase;      /* of the two channels: 0..3 */
    int32_t position;
} belt;

static struct {
    uint8_t bytes[65536];
    uint64_t earliest[65536];
    uint16_t head, tail;
    uint64_t next;
} incoming;

static uint64_t interrupts_off_since;
static uint32_t longest_interrupts_off;

static uint8_t output[1 << 16];
static size_t output_size;

static void fail(const char *what) {
    fprintf(stderr, "simavr_board: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void flush_output(void) {
    for (size_t done = 0; done < output_size;) {
        ssize_t step = write(STDOUT_FILENO, output + done, output_size - done);
        if (step < 0)
            exit(0);
        done += step;
    }
    output_size = 0;
}

static void tell(uint8_t kind, uint32_t value) {
    struct record record = {kind, avr->cycle, value, belt.position};
    if (output_size + sizeof record > sizeof output)
        flush_output();
    memcpy(output + output_size, &record, sizeof record);
    output_size += sizeof record;
}

static void open_vcd(const char *path) {
    vcd = fopen(path, "w");
    if (vcd == NULL)
        fail(path);
    setvbuf(vcd, NULL, _IOLBF, 0);  /* a run that is killed leaves a whole trace */
    fprintf(vcd, "$timescale 1 ns $end\n$scope module board $end\n");
    for (int pin = 0; pin < PINS; pin++)
        fprintf(vcd, "$var wire 1 %c %s $end\n", 'a' + pin, pins[pin].name);
    fprintf(vcd, "$var integer 32 z received $end\n");
    fprintf(vcd, "$upscope $end\n$enddefinitions $end\n");
}

static void trace(const char *change) {
    static uint64_t latest = NEVER;
    if (vcd == NULL)
        return;
    if (avr->cycle != latest)
        fprintf(vcd, "#%llu\n", (unsigned long long)(avr->cycle * 125 / 2));
    latest = avr->cycle;
    fprintf(vcd, "%s\n", change);
}

static void on_pin(avr_irq_t *irq, uint32_t value, void *parameter) {
    int pin = (intptr_t)parameter;
    int level = value & 1;
    if (levels[pin] == level)
        return;
    levels[pin] = level;
    char change[3] = {'0' + level, 'a' + pin, 0};
    trace(change);
    if (pin != ENCODER_A && pin != ENCODER_B)
        tell('p', pin << 8 | level);
}

static void on_uart_output(avr_irq_t *irq, uint32_t value, void *parameter) {
    uint8_t byte = value;
    if (byte == 0)
        frame_ended = true;
    if (pty_link == NULL)
        tell('u', byte);
    else if (pty_master >= 0 && write(pty_master, &byte, 1) < 0 && errno != EAGAIN)
        fail("pty");
}

/* simavr 1.6 treats an output compare pin at the timer's overflow, and whenever a compare register
 * is written, as if every mode were PWM: it makes the opposite edge. The data sheet knows no such
 * edge in normal mode, so only the edges that the mode bits ask for are let through. */
static void on_compare(avr_irq_t *irq, uint32_t value, void *parameter) {
    int channel = (intptr_t)parameter;
    uint8_t mode = avr->data[TCCR1A] >> (channel == 0 ? 6 : 4) & 3;
    if ((mode == 3 && value) || (mode == 2 && !value))
        avr_raise_irq(pin_irq[channel == 0 ? GATE : STROBE], value);
}

static avr_irq_t *compare_irq(int channel) {
    return avr_io_getirq(avr, AVR_IOCTL_TIMER_GETIRQ('1'), TIMER_IRQ_OUT_COMP + channel);
}

/* Tells simavr what drives the inputs: without, it lets every write to a port pull them up. */
static void drive_inputs(void) {
    for (const char *port = "BD"; *port; port++) {
        avr_ioport_external_t external = {.name = *port};
        for (int pin = 0; pin < FIRST_OUTPUT; pin++) {
            if (pins[pin].port != *port)
                continue;
            external.mask |= 1 << pins[pin].bit;
            external.value |= levels[pin] << pins[pin].bit;
        }
        avr_ioctl(avr, AVR_IOCTL_IOPORT_SET_EXTERNAL(*port), &external);
    }
}

static void set_input(int pin, int level) {
    avr_raise_irq(pin_irq[pin], level);
    drive_inputs();
}

static void belt_edge(void) {
    belt.phase = (belt.phase + belt.direction + 4) % 4;
    bool a = belt.phase == 1 || belt.phase == 2;
    bool b = belt.phase == 2 || belt.phase == 3;
    if (levels[ENCODER_A] != a)
        belt.position += belt.direction;
    set_input(levels[ENCODER_A] != a ? ENCODER_A : ENCODER_B, levels[ENCODER_A] != a ? a : b);
    belt.next += belt.half;
}

static uint64_t next_stimulus(void) {
    uint64_t next = belt.half ? belt.next : NEVER;
    if (stimuli_count && stimuli[0].cycle < next)
        next = stimuli[0].cycle;
    if (incoming.head != incoming.tail) {
        uint64_t byte = incoming.earliest[incoming.tail];
        if (byte < incoming.next)
            byte = incoming.next;
        if (byte < next)
            next = byte;
    }
    return next;
}

static void apply_first_stimulus(void) {
    struct record first = stimuli[0];
    memmove(stimuli, stimuli + 1, --stimuli_count * sizeof *stimuli);
    if (first.kind == 'P') {
        set_input(first.value >> 8, first.value & 1);
        return;
    }
    int32_t cycles = first.value;
    belt.direction = cycles < 0 ? -1 : 1;
    belt.half = (cycles < 0 ? -cycles : cycles) / 2;
    belt.next = first.cycle + belt.half;
}

static void feed_byte(void) {
    uint8_t byte = incoming.bytes[incoming.tail++];
    incoming.next = avr->cycle + CYCLES_PER_BYTE;
    avr_raise_irq(uart_input, byte);
    trace("b1 z");
}

/* A timer of simavr: applies all that is due, and names the next time. */
static avr_cycle_count_t on_stimulus(avr_t *unused, avr_cycle_count_t when, void *parameter) {
    for (uint64_t next; (next = next_stimulus()) <= avr->cycle;) {
        if (belt.half && belt.next == next)
            belt_edge();
        else if (stimuli_count && stimuli[0].cycle == next)
            apply_first_stimulus();
        else
            feed_byte();
    }
    uint64_t next = next_stimulus();
    return next == NEVER ? 0 : next;
}

static avr_cycle_count_t on_limit(avr_t *unused, avr_cycle_count_t when, void *parameter) {
    return 0;
}

/* While the chip sleeps simulated time passes, but nobody waits. */
static void do_not_sleep(avr_t *unused, avr_cycle_count_t cycles) {
}

static void wake_for_stimuli(void) {
    uint64_t next = next_stimulus();
    if (next == NEVER)
        return;
    avr_cycle_timer_register(avr, next > avr->cycle ? next - avr->cycle : 0, on_stimulus, NULL);
}

/* On a real chip all pins are inputs from the moment of a reset, and the gate is pulled down. */
static void after_reset(void) {
    was_reset = false;
    interrupts_off_since = 0;
    for (int channel = 0; channel < 2; channel++)
        avr_unconnect_irq(compare_irq(channel), pin_irq[channel == 0 ? GATE : STROBE]);
    /* Otherwise a low pin is polled for ever as soon as it is seen before EICRA is written. */
    for (int interrupt = 0; interrupt < 2; interrupt++)
        avr_extint_set_strict_lvl_trig(avr, interrupt, 0);
    for (int pin = FIRST_OUTPUT; pin < PINS; pin++)
        avr_raise_irq(pin_irq[pin], 0);
    for (int pin = 0; pin < FIRST_OUTPUT; pin++)
        avr->data[pins[pin].port == 'B' ? PINB : PIND] |= levels[pin] << pins[pin].bit;
    wake_for_stimuli();
}

static void (*core_reset)(avr_t *avr);
static void on_reset(avr_t *core) {
    was_reset = true;
    core_reset(core);
}

/* From the first time that they are on: the start does not count. */
static void note_interrupts(void) {
    if (avr->sreg[S_I] || avr->state == cpu_Sleeping)
        interrupts_off_since = avr->cycle;
    else if (interrupts_off_since != 0 &&
             avr->cycle - interrupts_off_since > longest_interrupts_off)
        longest_interrupts_off = avr->cycle - interrupts_off_since;
}

static void run_until(uint64_t limit, bool until_frame) {
    frame_ended = false;
    wake_for_stimuli();
    if (limit > avr->cycle)
        avr_cycle_timer_register(avr, limit - avr->cycle, on_limit, NULL);
    while (avr->cycle < limit && !(until_frame && frame_ended)) {
        int state = avr_run(avr);
        note_interrupts();
        if (was_reset) {
            after_reset();
            avr_cycle_timer_register(avr, limit - avr->cycle, on_limit, NULL);
        }
        if (state == cpu_Done || state == cpu_Crashed) {
            fprintf(stderr, "simavr_board: the firmware has crashed at %#x\n", avr->pc);
            exit(2);
        }
    }
}

static void add_stimulus(struct record record) {
    if (stimuli_count == stimuli_size) {
        stimuli_size = stimuli_size ? 2 * stimuli_size : 1024;
        stimuli = realloc(stimuli, stimuli_size * sizeof *stimuli);
        if (stimuli == NULL)
            fail("memory");
    }
    size_t place = stimuli_count++;
    for (; place > 0 && stimuli[place - 1].cycle > record.cycle; place--)
        stimuli[place] = stimuli[place - 1];
    stimuli[place] = record;
}

static void add_byte(uint64_t earliest, uint8_t byte) {
    incoming.bytes[incoming.head] = byte;
    incoming.earliest[incoming.head++] = earliest;
}

static void reset(uint8_t flags) {
    if (flags & (1 | 4))  /* power was gone: RAM holds anything */
        memset(avr->data + RAM, 0x5A, avr->ramend + 1 - RAM);
    avr_reset(avr);
    avr->data[MCUSR] = flags;
    after_reset();
}

static void damage_store(uint32_t value) {
    uint8_t byte;
    avr_eeprom_desc_t cell = {.ee = &byte, .offset = value >> 8, .size = 1};
    avr_ioctl(avr, AVR_IOCTL_EEPROM_GET, &cell);
    byte ^= value & 0xFF;
    avr_ioctl(avr, AVR_IOCTL_EEPROM_SET, &cell);
}

static uint64_t wall_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void open_pty(void) {
    char name[128], fresh[4096];
    struct termios raw;
    if (openpty(&pty_master, &pty_slave, name, NULL, NULL) < 0)
        fail("openpty");
    tcgetattr(pty_slave, &raw);
    cfmakeraw(&raw);
    tcsetattr(pty_slave, TCSANOW, &raw);
    fcntl(pty_master, F_SETFL, O_NONBLOCK);
    /* The slave stays open here, so that a host may come and go as with a real port. */
    snprintf(fresh, sizeof fresh, "%s.new", pty_link);
    unlink(fresh);
    if (symlink(name, fresh) < 0 || rename(fresh, pty_link) < 0)
        fail(pty_link);
}

static void unplug(uint32_t milliseconds) {
    unlink(pty_link);
    close(pty_slave);
    close(pty_master);
    pty_master = pty_slave = -1;
    pty_back_at = wall_ns() + milliseconds * 1000000ULL;
}

static void obey(struct record command) {
    if (command.cycle == 0)
        command.cycle = avr->cycle;
    switch (command.kind) {
    case 'P':
    case 'E':
        add_stimulus(command);
        break;
    case 'U':
        add_byte(command.cycle, command.value);
        break;
    case 'R':
        run_until(command.cycle, command.value);
        tell('.', longest_interrupts_off);
        flush_output();
        break;
    case 'X':
        reset(command.value);
        break;
    case 'M':
        damage_store(command.value);
        break;
    case 'H':
        unplug(command.value);
        break;
    case 'Q':
        exit(0);
    default:
        fprintf(stderr, "simavr_board: unknown command %c\n", command.kind);
        exit(2);
    }
}

static void obey_all(void) {
    static uint8_t input[1 << 16];
    static size_t size;
    ssize_t more = read(STDIN_FILENO, input + size, sizeof input - size);
    if (more == 0)
        exit(0);
    if (more < 0) {
        if (errno == EAGAIN)
            return;
        fail("standard input");
    }
    size += more;
    size_t done = 0;
    for (; size - done >= sizeof(struct record); done += sizeof(struct record)) {
        struct record command;
        memcpy(&command, input + done, sizeof command);
        obey(command);
    }
    memmove(input, input + done, size - done);
    size -= done;
}

static void take_from_pty(void) {
    uint8_t bytes[256];
    ssize_t count = pty_master < 0 ? 0 : read(pty_master, bytes, sizeof bytes);
    for (ssize_t i = 0; i < count; i++)
        add_byte(avr->cycle, bytes[i]);
}

/* Half a millisecond at a time. Where this machine was too slow, the time that was lost stays
 * lost: hurrying after it would make the host look slow to the firmware. */
static void run_in_real_time(void) {
    const uint64_t slice_ns = 500000, patience_ns = 20000000;
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    open_pty();
    tell('.', 0);
    for (uint64_t due = wall_ns();;) {
        run_until(avr->cycle + HZ * slice_ns / 1000000000ULL, false);
        flush_output();
        obey_all();
        take_from_pty();
        due += slice_ns;
        uint64_t now = wall_ns();
        if (now >= pty_back_at) {
            pty_back_at = NEVER;
            open_pty();
        }
        if (now > due + patience_ns)
            due = now;
        else if (now < due)
            usleep((due - now) / 1000);
    }
}

int main(int count, char **arguments) {
    elf_firmware_t firmware = {0};
    if (count < 2 || elf_read_firmware(arguments[1], &firmware) != 0) {
        fprintf(stderr, "usage: simavr_board FIRMWARE.elf [--vcd FILE] [--pty LINK]\n");
        return 2;
    }
    avr = avr_make_mcu_by_name("atmega328p");
    if (avr == NULL)
        return 2;
    avr_init(avr);
    avr->frequency = HZ;
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
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "--vcd") == 0 && i + 1 < count)
            open_vcd(arguments[++i]);
        else if (strcmp(arguments[i], "--pty") == 0 && i + 1 < count)
            pty_link = arguments[++i];
    }
    for (int pin = 0; pin < PINS; pin++) {
        pin_irq[pin] = avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(pins[pin].port), pins[pin].bit);
        avr_irq_register_notify(pin_irq[pin], on_pin, (void *)(intptr_t)pin);
    }
    for (int channel = 0; channel < 2; channel++)
        avr_irq_register_notify(compare_irq(channel), on_compare, (void *)(intptr_t)channel);
    drive_inputs();
    after_reset();
    avr->data[MCUSR] = 1;

    signal(SIGPIPE, SIG_IGN);
    if (pty_link)
        run_in_real_time();
    for (;;)
        obey_all();
}
