#include "trigger.h"

#include <stdbool.h>

#include "configuration.h"
#include "encoder.h"
#include "hardware.h"
#include "parts.h"

static volatile bool dead;  /* `latest` is recent enough to be compared with */
static volatile uint32_t latest;
static volatile uint16_t ignored;

void trigger_on_edge(uint32_t at) {
    if (!configuration_valid)
        return;
    if (dead && !reached(at, latest + timing.dead)) {
        ignored++;
        return;
    }
    dead = true;
    latest = at;
    if (timing.strobe != 0)
        hardware_strobe(at + timing.strobe_delay, timing.strobe);
    parts_latch(at, encoder_at(at, hardware_now()));
}

void trigger_step(void) {
    UNINTERRUPTED {
        if (dead && reached(hardware_now(), latest + timing.dead))
            dead = false;
    }
}

uint16_t trigger_ignored(void) {
    uint16_t count;
    UNINTERRUPTED {
        count = ignored;
    }
    return count;
}
