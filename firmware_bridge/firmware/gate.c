#include "gate.h"

#include "configuration.h"
#include "encoder.h"
#include "hardware.h"
#include "messages.h"

/* The timer's 16 bits turn in 65,536 ticks; edges are given to it when they are nearer than this. */
#define REACH 60000

/* A pulse that the maximum on-time leaves shorter than this is not begun. */
#define SHORTEST_PULSE (1000 * TICKS_PER_US)

static volatile struct {
    enum { REST, RISING, ON } phase;
    bool armed;          /* RISING: the timer has the edge */
    bool must_rest;      /* REST: rest_until is still to come */
    bool risen;          /* to be taken by gate_take_rise */
    bool cut;            /* the end of this pulse is where the maximum on-time ends */
    bool overload;       /* such a pulse has ended; to be taken by gate_take_overload */
    uint8_t rise_flags;
    uint32_t on_at;
    uint32_t off_at;
    uint32_t armed_at;   /* ON: when the timer will switch off unless it is moved */
    uint32_t rest_until;
    uint32_t risen_at;
    int32_t risen_count;
} gate;

static int32_t until(uint32_t now, uint32_t moment) {
    return (int32_t)(moment - now);
}

/* Sets the timer for the end of the pulse, or for as far ahead as it reaches. */
static void arm_off(uint32_t now) {
    int32_t left = until(now, gate.off_at);
    if (left > REACH)
        left = REACH;
    else if (left < GATE_SOON)
        left = GATE_SOON;
    gate.armed_at = now + left;
    hardware_gate_off_at(gate.armed_at);
}

static void arm_on(void) {
    gate.armed = true;
    hardware_gate_on_at(gate.on_at);
}

static void begin(uint32_t on_at, uint32_t off_at) {
    gate.phase = RISING;
    gate.armed = false;
    gate.cut = false;
    gate.on_at = on_at;
    gate.off_at = off_at;
}

/* Moves the end of the pulse out, as far as the maximum on-time allows. True if it was cut. */
static bool extend_to(uint32_t end) {
    uint32_t limit = gate.on_at + timing.maximum_on;
    bool cut = !reached(limit, end);
    if (cut) {
        end = limit;
        gate.cut = true;
    }
    if (!reached(gate.off_at, end))
        gate.off_at = end;
    return cut;
}

static void rose(uint32_t at) {
    gate.risen_at = at;
    gate.risen_count = encoder.count;
    gate.risen = true;
}

static bool overlaps(uint32_t begin) {
    return gate.phase != REST && !reached(begin, gate.off_at + timing.gap);
}

enum gate_answer gate_plan_at(uint32_t at, uint32_t pulse, uint8_t *flags) {
    enum gate_answer answer;
    UNINTERRUPTED {
        uint32_t now = hardware_now();
        uint32_t end = at + pulse;
        if (overlaps(at)) {
            answer = reached(at, gate.on_at + timing.maximum_on) ? GATE_MISSED : GATE_MERGED;
            if (extend_to(end))
                *flags |= OUTCOME_FLAG_CLIPPED;
        } else if (gate.phase != REST || gate.risen) {
            answer = GATE_BUSY;
        } else {
            if (gate.must_rest && !reached(at, gate.rest_until)) {
                at = gate.rest_until;
                *flags |= OUTCOME_FLAG_CLIPPED;
            }
            if (until(now, at) < GATE_SOON || until(at, end) < (int32_t)SHORTEST_PULSE) {
                answer = GATE_MISSED;
            } else {
                begin(at, end);
                gate.rise_flags = 0;
                answer = GATE_PLANNED;
            }
        }
    }
    return answer;
}

enum gate_answer gate_plan_count(int32_t target, uint32_t expected) {
    bool busy;
    UNINTERRUPTED {
        busy = gate.risen || gate.phase == RISING || encoder.armed;
        /* Between two pulses that follow closely the gate stays on, as far as can be foreseen; the
         * pulse itself is measured from when the part is there. */
        if (!busy && overlaps(expected))
            extend_to(expected + (timing.pulse < timing.gap ? timing.pulse : timing.gap));
    }
    if (busy)
        return GATE_BUSY;
    encoder_arm(target);
    return GATE_PLANNED;
}

void gate_on_count(void) {
    uint32_t now = hardware_now();
    gate.rise_flags = 0;
    if (gate.phase == ON) {
        gate.rise_flags = OUTCOME_FLAG_MERGED;
        if (extend_to(now + timing.pulse))
            gate.rise_flags |= OUTCOME_FLAG_CLIPPED;
        if (until(now, gate.armed_at) > GATE_SOON)
            arm_off(now);
        else
            gate.rise_flags |= OUTCOME_FLAG_CLIPPED;
        rose(now);
        return;
    }
    if (gate.must_rest && !reached(now + GATE_SOON, gate.rest_until)) {
        gate.rise_flags = OUTCOME_FLAG_CLIPPED;
        begin(gate.rest_until, gate.rest_until + timing.pulse);
        if (until(now, gate.rest_until) < REACH)
            arm_on();
        return;
    }
    uint16_t tick = hardware_gate_on_now();
    now += (uint16_t)(tick - (uint16_t)now);
    begin(now, now + timing.pulse);
    gate.armed = true;
}

bool gate_take_rise(struct gate_rise *rise) {
    bool risen;
    UNINTERRUPTED {
        risen = gate.risen;
        gate.risen = false;
        rise->at = gate.risen_at;
        rise->count_error = gate.risen_count - encoder.target;
        rise->flags = gate.rise_flags;
    }
    return risen;
}

bool gate_abandon(void) {
    bool taken_back;
    UNINTERRUPTED {
        uint32_t now = hardware_now();
        taken_back = encoder_disarm();
        if (gate.phase == RISING && until(now, gate.on_at) > GATE_SOON) {
            hardware_gate_rest();
            gate.phase = REST;
            taken_back = true;
        }
        if (gate.phase != REST && !reached(now + timing.pulse, gate.off_at))
            gate.off_at = now + timing.pulse;
    }
    return taken_back;
}

bool gate_resting(void) {
    return gate.phase == REST;
}

bool gate_take_overload(void) {
    if (!gate.overload)
        return false;
    gate.overload = false;
    return true;
}

void gate_step(void) {
    UNINTERRUPTED {
        uint32_t now = hardware_now();
        if (gate.phase == RISING) {
            int32_t left = until(now, gate.on_at);
            if (!gate.armed && left < GATE_SOON) {
                gate.phase = REST;
                gate.rise_flags = OUTCOME_FLAG_MISSED;
                gate.risen = true;
            } else if (!gate.armed && left < REACH) {
                arm_on();
            }
        } else if (gate.phase == ON) {
            /* Not when the edge is just being made. */
            if (gate.armed_at != gate.off_at && until(now, gate.armed_at) > GATE_SOON)
                arm_off(now);
        } else if (gate.must_rest && reached(now, gate.rest_until)) {
            gate.must_rest = false;
        }
    }
}

void gate_on_compare(void) {
    uint32_t now = hardware_now();
    if (gate.phase == RISING && gate.armed && reached(now, gate.on_at)) {
        gate.phase = ON;
        rose(gate.on_at);
        arm_off(now);
    } else if (gate.phase == ON && reached(now, gate.armed_at)) {
        hardware_gate_rest();
        gate.phase = REST;
        gate.overload = gate.cut;
        gate.must_rest = true;
        gate.rest_until = gate.armed_at + timing.gap;
    }
}
