#include "encoder.h"

#include "configuration.h"
#include "hardware.h"

volatile struct encoder encoder;

/* Speed is measured over this many counts, or this long where the belt is slow. */
#define SPEED_COUNTS 16
#define SPEED_TICKS 200000UL

/* A count is recent for this long; the main loop looks far more often than 16 bits turn. */
#define RECENT_TICKS 20000

static struct {
    int32_t from_count;
    uint32_t from_tick;
    uint32_t ticks;   /* that the latest `counts` took */
    uint16_t counts;  /* 0: standing still */
    int32_t lead;
    int32_t commit;
} speed;

static int32_t furthest;
static int32_t count_at_trigger;
static uint8_t triggers_without_count;

int32_t encoder_count(void) {
    int32_t count;
    UNINTERRUPTED {
        count = encoder.count;
    }
    return count;
}

/* Counts in a time, rounded; at most 4e6 ticks (lead, gap and margin at their limits) times 1000. */
static int32_t counts_in(uint32_t ticks) {
    return speed.counts == 0 ? 0 : (ticks * speed.counts + speed.ticks / 2) / speed.ticks;
}

static void measured(uint16_t counts, uint32_t ticks) {
    speed.counts = counts;
    speed.ticks = ticks;
    speed.lead = counts_in(timing.lead);
    speed.commit = counts_in(timing.commit) + 2;
}

void encoder_restart(void) {
    UNINTERRUPTED {
        encoder.quadrature = configured(OPTION_ENCODER_QUADRATURE);
        encoder.reversed = configured(OPTION_ENCODER_REVERSED);
    }
    furthest = speed.from_count = count_at_trigger = encoder_count();
    speed.from_tick = hardware_now();
    measured(0, 1);
    triggers_without_count = 0;
}

bool encoder_step(void) {
    int32_t count;
    uint32_t now;
    UNINTERRUPTED {
        count = encoder.count;
        now = hardware_now();
        if ((uint16_t)((uint16_t)now - encoder.changed_at) > RECENT_TICKS)
            encoder.recent = false;
    }
    uint32_t ticks = now - speed.from_tick;
    int32_t counts = count - speed.from_count;
    if (counts >= SPEED_COUNTS || counts < 0 || ticks >= SPEED_TICKS) {
        measured(counts < 0 ? 0 : counts > 1000 ? 1000 : counts, ticks);
        speed.from_count = count;
        speed.from_tick = now;
    }
    if (count - furthest > 0)
        furthest = count;
    return configured(OPTION_ENCODER) && furthest - count > configuration.reverse_limit_counts;
}

bool encoder_lost_at(int32_t count) {
    if (!configured(OPTION_ENCODER))
        return false;
    if (count != count_at_trigger) {
        count_at_trigger = count;
        triggers_without_count = 0;
        return false;
    }
    return ++triggers_without_count >= configuration.encoder_loss_triggers;
}

int32_t encoder_lead(void) {
    return speed.lead;
}

int32_t encoder_commit(void) {
    return speed.commit;
}

uint32_t encoder_ticks_for(int32_t counts) {
    const uint32_t never = 0x3FFFFFFF;
    if (counts <= 0)
        return 0;
    if (speed.counts == 0 || counts > 4000)
        return never;
    return (uint32_t)counts * speed.ticks / speed.counts;
}

void encoder_arm(int32_t target) {
    UNINTERRUPTED {
        encoder.target = target;
        encoder.armed = true;
        if (encoder.count - target >= 0) {
            encoder.armed = false;
            gate_on_count();
        }
    }
}

bool encoder_disarm(void) {
    bool was;
    UNINTERRUPTED {
        was = encoder.armed;
        encoder.armed = false;
    }
    return was;
}
