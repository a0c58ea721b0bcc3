#include "safety.h"

#include "configuration.h"
#include "confirmation.h"
#include "encoder.h"
#include "hardware.h"
#include "reports.h"
#include "schedule.h"

struct safety safety;
static uint32_t heard_at;

/* What the outputs do for this reason. Some reasons mean that bad parts may have got past, or that
 * parts cannot be followed: they stop the line whatever is configured. */
static uint8_t action_for(uint8_t reason) {
    switch (reason) {
    case REASON_NO_CONFIGURATION:
    case REASON_LATE_VERDICT:
    case REASON_NOT_CONFIRMED:
    case REASON_CONSECUTIVE_REJECTS:
    case REASON_MAXIMUM_ON_TIME:
    case REASON_TOO_MANY_PARTS:
        return SAFE_ACTION_STOP_LINE;
    case REASON_REVERSE_MOTION:
    case REASON_ENCODER_LOST:
        /* Without a belt to follow, rejecting all parts is beyond us. */
        if (configuration.safe_action == SAFE_ACTION_REJECT_ALL)
            return SAFE_ACTION_STOP_LINE;
    }
    return configuration_valid ? configuration.safe_action : SAFE_ACTION_STOP_LINE;
}

static void become(uint8_t reason, uint8_t action, uint32_t part) {
    safety.reason = reason;
    safety.action = action;
    safety.since = hardware_now();
    safety.part = part;
    hardware_line_outputs(reason == REASON_NONE || action != SAFE_ACTION_STOP_LINE,
                          reason != REASON_NONE);
    report_state();
}

void safety_start(void) {
    uint8_t reason = REASON_NO_CONFIGURATION;
    if (configuration_valid) {
        switch (hardware_reset_cause()) {
        case RESET_CAUSE_WATCHDOG:
            reason = REASON_WATCHDOG;
            break;
        case RESET_CAUSE_BROWN_OUT:
            reason = REASON_BROWN_OUT;
            break;
        case RESET_CAUSE_EXTERNAL:
            reason = REASON_EXTERNAL_RESET;
            break;
        default:
            reason = REASON_POWER_ON;
        }
    }
    become(reason, action_for(reason), NO_PART);
}

void safety_enter(uint8_t reason, uint32_t part) {
    uint8_t action = action_for(reason);
    if (safety.reason != REASON_NONE &&
        (action != SAFE_ACTION_STOP_LINE || safety.action == SAFE_ACTION_STOP_LINE))
        return;
    become(reason, action, part);
    if (action != SAFE_ACTION_REJECT_ALL)
        schedule_abandon();
}

void safety_reconfigured(void) {
    uint8_t reason = safety.reason;
    if (reason == REASON_NONE || reason == REASON_NO_CONFIGURATION ||
        reason == REASON_BAD_CONFIGURATION)
        reason = REASON_NEW_CONFIGURATION;
    become(reason, action_for(reason), safety.part);
}

uint8_t safety_clear(uint8_t reason, uint8_t *detail) {
    if (!configuration_valid)
        return RESULT_NOT_NOW;
    if (reason != safety.reason) {
        *detail = safety.reason;
        return RESULT_OTHER_REASON;
    }
    if (reason != REASON_NONE) {
        encoder_restart();
        confirmation_restart();
        become(REASON_NONE, 0, NO_PART);
    }
    return RESULT_DONE;
}

void safety_heartbeat(void) {
    heard_at = hardware_now();
}

void safety_step(void) {
    if (encoder_step())
        safety_enter(REASON_REVERSE_MOTION, NO_PART);
    uint32_t overdue = confirmation_step();
    if (overdue != NO_PART)
        safety_enter(REASON_NOT_CONFIRMED, overdue);
    if (safety.reason == REASON_NONE && reached(hardware_now(), heard_at + timing.heartbeat))
        safety_enter(REASON_HEARTBEAT_LOST, NO_PART);
}
