#include "confirmation.h"

#include "configuration.h"
#include "hardware.h"
#include "messages.h"

static struct {
    uint32_t deadline;
    uint32_t part;
} expected[CONFIRMATIONS_PENDING];

static uint8_t waiting;
static uint16_t seen;
static volatile uint8_t edges;

static void drop_first(void) {
    waiting--;
    for (uint8_t i = 0; i < waiting; i++)
        expected[i] = expected[i + 1];
}

void confirmation_expect(uint32_t fired_at, uint32_t part) {
    if (timing.confirmation == 0)
        return;
    if (waiting == CONFIRMATIONS_PENDING) {
        /* Too many at a time: the oldest counts as overdue now. */
        expected[0].deadline = hardware_now();
        return;
    }
    expected[waiting].deadline = fired_at + timing.confirmation;
    expected[waiting].part = part;
    waiting++;
}

void confirmation_on_edge(void) {
    edges++;
}

uint32_t confirmation_step(void) {
    uint8_t fresh;
    UNINTERRUPTED {
        fresh = edges;
        edges = 0;
    }
    for (; fresh > 0 && waiting > 0; fresh--) {
        drop_first();
        seen++;
    }
    if (waiting > 0 && reached(hardware_now(), expected[0].deadline)) {
        uint32_t part = expected[0].part;
        drop_first();
        return part;
    }
    return NO_PART;
}

void confirmation_restart(void) {
    waiting = 0;
}

uint16_t confirmation_seen(void) {
    return seen;
}
