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
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "chip.h"
#include "world.h"

struct record {
    uint8_t kind;
    uint64_t cycle;
    uint32_t value;
    int32_t position;  /* of the belt, in counts */
} __attribute__((packed));

static FILE *vcd;
static uint8_t output[1 << 16];
static size_t output_size;

static const char *pty_link;
static int pty_master = -1;
static int pty_slave = -1;
static uint64_t pty_back_at = NEVER;  /* nanoseconds of the wall clock */

static void fail(const char *what) {
    fprintf(stderr, "simavr_board: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void flush_records(void) {
    for (size_t done = 0; done < output_size;) {
        ssize_t step = write(STDOUT_FILENO, output + done, output_size - done);
        if (step < 0)
            exit(0);
        done += step;
    }
    output_size = 0;
}

static void tell(uint8_t kind, uint32_t value) {
    struct record record = {kind, chip_now(), value, world_position()};
    if (output_size + sizeof record > sizeof output)
        flush_records();
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
        fprintf(vcd, "$var wire 1 %c %s $end\n", 'a' + pin, pin_names[pin]);
    fprintf(vcd, "$var integer 32 z received $end\n");
    fprintf(vcd, "$upscope $end\n$enddefinitions $end\n");
}

static void trace(const char *change) {
    static uint64_t latest = NEVER;
    if (vcd == NULL)
        return;
    if (chip_now() != latest)
        fprintf(vcd, "#%llu\n", (unsigned long long)(chip_now() * 125 / 2));
    latest = chip_now();
    fprintf(vcd, "%s\n", change);
}

void on_pin_change(int pin, int level) {
    char change[3] = {'0' + level, 'a' + pin, 0};
    trace(change);
    if (pin != ENCODER_A && pin != ENCODER_B)
        tell('p', pin << 8 | level);
}

void on_byte_sent(uint8_t byte) {
    if (pty_link == NULL)
        tell('u', byte);
    else if (pty_master >= 0 && write(pty_master, &byte, 1) < 0 && errno != EAGAIN)
        fail("pty");
}

void on_byte_received(void) {
    trace("b1 z");
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
        command.cycle = chip_now();
    switch (command.kind) {
    case 'P':
        world_add_level(command.cycle, command.value >> 8, command.value & 1);
        break;
    case 'E':
        world_add_speed(command.cycle, command.value);
        break;
    case 'U':
        world_add_byte(command.cycle, command.value);
        break;
    case 'R':
        chip_run(command.cycle, command.value);
        tell('.', longest_interrupts_off);
        flush_records();
        break;
    case 'X':
        chip_reset(command.value);
        break;
    case 'M':
        chip_damage_store(command.value >> 8, command.value & 0xFF);
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
        world_add_byte(chip_now(), bytes[i]);
}

/* Half a millisecond at a time. Where this machine was too slow, the time that was lost stays
 * lost: hurrying after it would make the host look slow to the firmware. */
static void run_in_real_time(void) {
    const uint64_t slice_ns = 500000, patience_ns = 20000000;
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    open_pty();
    tell('.', 0);
    for (uint64_t due = wall_ns();;) {
        chip_run(chip_now() + HZ * slice_ns / 1000000000ULL, false);
        flush_records();
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
    if (count < 2 || !chip_start(arguments[1])) {
        fprintf(stderr, "usage: simavr_board FIRMWARE.elf [--vcd FILE] [--pty LINK]\n");
        return 2;
    }
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "--vcd") == 0 && i + 1 < count)
            open_vcd(arguments[++i]);
        else if (strcmp(arguments[i], "--pty") == 0 && i + 1 < count)
            pty_link = arguments[++i];
    }
    signal(SIGPIPE, SIG_IGN);
    if (pty_link)
        run_in_real_time();
    for (;;)
        obey_all();
}
