#include "parts.h"

#include <stddef.h>

#include "hardware.h"

uint32_t parts_open = 1;
uint32_t parts_planned = 1;

static struct part records[PART_RECORDS];
static volatile uint32_t next = 1;
static volatile uint8_t next_slot;
static volatile uint16_t unlatched;
static volatile bool overflowed;

uint32_t parts_next(void) {
    uint32_t number;
    UNINTERRUPTED {
        number = next;
    }
    return number;
}

struct part *parts_record(uint32_t number) {
    uint32_t following;
    uint8_t slot;
    UNINTERRUPTED {
        following = next;
        slot = next_slot;
    }
    uint32_t back = following - number;
    if (number == NO_PART || back == 0 || back > PART_RECORDS)
        return NULL;
    return &records[slot >= back ? slot - back : slot + PART_RECORDS - back];
}

void parts_latch(uint32_t triggered_at, int32_t encoder) {
    if ((uint8_t)((uint8_t)next - (uint8_t)parts_open) >= PARTS_IN_FLIGHT) {
        unlatched++;
        overflowed = true;
        return;
    }
    struct part *record = &records[next_slot];
    record->triggered_at = triggered_at;
    record->encoder = encoder;
    record->phase = PHASE_UNDECIDED;
    record->says = 0;
    record->flags = 0;
    record->wanted = false;
    record->error = 0;
    next_slot = next_slot + 1 < PART_RECORDS ? next_slot + 1 : 0;
    next++;
}

uint16_t parts_unlatched(void) {
    uint16_t count;
    UNINTERRUPTED {
        count = unlatched;
    }
    return count;
}

bool parts_overflowed(void) {
    if (!overflowed)
        return false;
    overflowed = false;
    return true;
}

bool parts_decide(uint32_t number, uint8_t verdict) {
    struct part *record = parts_record(number);
    if (record == NULL || record->phase != PHASE_UNDECIDED)
        return false;
    record->says = verdict;
    return true;
}
