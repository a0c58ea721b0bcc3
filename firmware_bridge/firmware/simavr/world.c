#include "world.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chip.h"

#define CYCLES_PER_BYTE 704  /* simavr counts 11 bits; 64 cycles each at 250,000 baud */
#define SPEED (-1)           /* in place of a pin */

struct change {
    uint64_t cycle;
    int pin;
    int32_t value;
};

static struct change *changes;  /* still to come, by cycle */
static size_t changes_count, changes_size;

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
    uint64_t free_at;
} incoming;

int32_t world_position(void) {
    return belt.position;
}

static void add(struct change change) {
    if (changes_count == changes_size) {
        changes_size = changes_size ? 2 * changes_size : 1024;
        changes = realloc(changes, changes_size * sizeof *changes);
        if (changes == NULL) {
            perror("simavr_board");
            exit(1);
        }
    }
    size_t place = changes_count++;
    for (; place > 0 && changes[place - 1].cycle > change.cycle; place--)
        changes[place] = changes[place - 1];
    changes[place] = change;
}

void world_add_level(uint64_t cycle, int pin, int level) {
    add((struct change){cycle, pin, level});
}

void world_add_speed(uint64_t cycle, int32_t cycles_per_count) {
    add((struct change){cycle, SPEED, cycles_per_count});
}

void world_add_byte(uint64_t cycle, uint8_t byte) {
    incoming.bytes[incoming.head] = byte;
    incoming.earliest[incoming.head++] = cycle;
}

static uint64_t sooner(uint64_t one, uint64_t other) {
    return one < other ? one : other;
}

static uint64_t next_byte(void) {
    if (incoming.head == incoming.tail)
        return NEVER;
    uint64_t earliest = incoming.earliest[incoming.tail];
    return earliest > incoming.free_at ? earliest : incoming.free_at;
}

uint64_t world_next(void) {
    uint64_t next = belt.half ? belt.next : NEVER;
    if (changes_count)
        next = sooner(next, changes[0].cycle);
    return sooner(next, next_byte());
}

static void move_belt(void) {
    belt.phase = (belt.phase + belt.direction + 4) % 4;
    bool a = belt.phase == 1 || belt.phase == 2;
    bool b = belt.phase == 2 || belt.phase == 3;
    belt.next += belt.half;
    if (pin_levels[ENCODER_A] != a) {
        belt.position += belt.direction;
        chip_set_input(ENCODER_A, a);
    } else {
        chip_set_input(ENCODER_B, b);
    }
}

static void apply_first_change(void) {
    struct change first = changes[0];
    memmove(changes, changes + 1, --changes_count * sizeof *changes);
    if (first.pin != SPEED) {
        chip_set_input(first.pin, first.value);
        return;
    }
    belt.direction = first.value < 0 ? -1 : 1;
    belt.half = abs(first.value) / 2;
    belt.next = first.cycle + belt.half;
}

static void deliver_byte(uint64_t now) {
    incoming.free_at = now + CYCLES_PER_BYTE;
    chip_receive(incoming.bytes[incoming.tail++]);
    on_byte_received();
}

void world_advance(uint64_t now) {
    for (uint64_t next; (next = world_next()) <= now;) {
        if (belt.half && belt.next == next)
            move_belt();
        else if (changes_count && changes[0].cycle == next)
            apply_first_change();
        else
            deliver_byte(now);
    }
}
