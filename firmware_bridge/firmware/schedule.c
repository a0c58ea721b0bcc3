#include "schedule.h"

#include "configuration.h"
#include "confirmation.h"
#include "encoder.h"
#include "gate.h"
#include "hardware.h"
#include "messages.h"
#include "parts.h"
#include "safety.h"

static uint32_t watched = 1;  /* the first part not yet looked at for encoder loss */
static uint8_t consecutive_rejects;

/* By time: when the gate acts on a part. */
static uint32_t moment_of(const struct part *part) {
    return part->triggered_at + timing.travel;
}

/* By distance: the count at which the gate acts, so much earlier as the lead time takes. */
static int32_t count_of(const struct part *part) {
    return part->encoder + (int32_t)configuration.distance_counts - encoder_lead();
}

/* The point of no return. */
static bool due(const struct part *part) {
    if (gate_by_distance())
        return count_of(part) - encoder_count() <= encoder_commit();
    return reached(hardware_now() + timing.commit, moment_of(part));
}

static void rule_without_verdict(struct part *part, uint32_t number) {
    if (configuration.late_policy == LATE_POLICY_REJECT)
        part->wanted = true;
    else if (configuration.late_policy == LATE_POLICY_STOP)
        safety_enter(REASON_LATE_VERDICT, number);
}

static void freeze(struct part *part, uint32_t number) {
    uint8_t verdict = part->says;
    part->phase = PHASE_FROZEN;
    if (safety.reason != REASON_NONE) {
        part->says = OUTCOME_SKIPPED;
        if (safety.action == SAFE_ACTION_REJECT_ALL)
            part->wanted = true;
    } else if (verdict == VERDICT_OK) {
        part->says = OUTCOME_PASSED;
    } else if (verdict == VERDICT_NG) {
        part->says = OUTCOME_REJECTED;
        part->wanted = true;
    } else {
        part->says = verdict == VERDICT_SKIPPED ? OUTCOME_SKIPPED : OUTCOME_LATE;
        rule_without_verdict(part, number);
    }
}

static void miss(struct part *part) {
    part->says = OUTCOME_LATE;
    part->wanted = false;
    part->flags |= OUTCOME_FLAG_MISSED;
}

/* True when the gate knows what to do for this part, or nothing is to be done. */
static bool plan(struct part *part) {
    if (!part->wanted)
        return true;
    enum gate_answer answer;
    if (gate_by_distance()) {
        int32_t left = count_of(part) - encoder_count();
        answer = left < -1 ? GATE_MISSED
                           : gate_plan_count(count_of(part),
                                             hardware_now() + encoder_ticks_for(left));
    } else {
        uint8_t flags = part->flags;
        answer = gate_plan_at(moment_of(part), timing.pulse, &flags);
        part->flags = flags;
    }
    if (answer == GATE_MERGED)
        part->flags |= OUTCOME_FLAG_MERGED;
    else if (answer == GATE_MISSED)
        miss(part);
    return answer != GATE_BUSY;
}

static int8_t saturated(int32_t error) {
    return error > INT8_MAX ? INT8_MAX : error < INT8_MIN ? INT8_MIN : error;
}

/* True when the gate has acted on this part, or nothing was to be done. */
static bool finished(struct part *part) {
    struct gate_rise rise;
    if (!part->wanted)
        return true;
    if (part->flags & OUTCOME_FLAG_MERGED) {
        uint32_t moment = moment_of(part);
        if (!reached(hardware_now(), moment))
            return false;
        part->fired_at = moment;
        part->flags |= OUTCOME_FLAG_FIRED;
        return true;
    }
    if (!gate_take_rise(&rise))
        return false;
    part->flags |= rise.flags;
    if (rise.flags & OUTCOME_FLAG_MISSED) {
        miss(part);
        return true;
    }
    part->fired_at = rise.at;
    part->flags |= OUTCOME_FLAG_FIRED;
    part->error = saturated(gate_by_distance() ? rise.count_error
                                               : (int32_t)(rise.at - moment_of(part)));
    return true;
}

/* The part is done: what follows from it. */
static void settle(struct part *part, uint32_t number) {
    part->phase = PHASE_DONE;
    if (part->flags & OUTCOME_FLAG_FIRED)
        confirmation_expect(part->fired_at, number);
    if (part->says == OUTCOME_PASSED)
        consecutive_rejects = 0;
    else if (part->says == OUTCOME_REJECTED && configuration.reject_limit != 0 &&
             ++consecutive_rejects >= configuration.reject_limit) {
        consecutive_rejects = 0;
        safety_enter(REASON_CONSECUTIVE_REJECTS, number);
    }
}

void schedule_step(void) {
    uint32_t following = parts_next();
    for (; watched != following; watched++)
        if (encoder_lost_at(parts_record(watched)->encoder))
            safety_enter(REASON_ENCODER_LOST, watched);
    if (parts_overflowed())
        safety_enter(REASON_TOO_MANY_PARTS, NO_PART);

    while (parts_planned != following) {
        struct part *part = parts_record(parts_planned);
        if (part->phase == PHASE_UNDECIDED) {
            if (!due(part))
                break;
            freeze(part, parts_planned);
        }
        if (!plan(part))
            break;
        part->phase = PHASE_PLANNED;
        parts_planned++;
    }

    while (parts_open != parts_planned) {
        struct part *part = parts_record(parts_open);
        if (!finished(part))
            break;
        settle(part, parts_open);
        parts_open++;
    }
    if (parts_open == parts_planned) {
        struct gate_rise of_a_test;
        gate_take_rise(&of_a_test);
    }
    if (gate_take_overload())
        safety_enter(REASON_MAXIMUM_ON_TIME, NO_PART);
}

void schedule_abandon(void) {
    bool taken_back = gate_abandon();
    uint32_t now = hardware_now();
    uint32_t following = parts_next();
    for (uint32_t number = parts_open; number != following; number++) {
        struct part *part = parts_record(number);
        bool begun = part->flags & OUTCOME_FLAG_MERGED ? reached(now, moment_of(part))
                                                       : !taken_back;
        if (part->phase == PHASE_UNDECIDED)
            break;
        if (part->phase == PHASE_PLANNED && begun)
            continue;
        if (part->phase != PHASE_DONE && part->wanted) {
            part->wanted = false;
            part->flags &= ~OUTCOME_FLAG_MERGED;
            part->says = OUTCOME_SKIPPED;
        }
    }
}

void schedule_forget(void) {
    schedule_abandon();
    uint32_t following = parts_next();
    for (uint32_t number = parts_open; number != following; number++) {
        struct part *part = parts_record(number);
        part->phase = PHASE_FROZEN;
        part->says = OUTCOME_SKIPPED;
        part->wanted = false;
    }
    consecutive_rejects = 0;
}

bool schedule_test(uint32_t pulse_us) {
    uint8_t flags = 0;
    return parts_open == parts_next() && gate_resting() &&
           gate_plan_at(hardware_now() + 1000 * TICKS_PER_US, pulse_us * TICKS_PER_US, &flags) ==
               GATE_PLANNED;
}
