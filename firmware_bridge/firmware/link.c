#include "link.h"

#include <stdbool.h>

#include "configuration.h"
#include "encoder.h"
#include "frame.h"
#include "hardware.h"
#include "messages.h"
#include "parts.h"
#include "reports.h"
#include "safety.h"
#include "schedule.h"

/* Bytes per step: the main loop looks at the belt again after so many. */
#define BYTES_PER_STEP 16

uint32_t link_session;
uint16_t link_late_commands;

static struct message_ack latest;  /* numbered frame executed last, and what came of it */

/* Length of a message, 0 if the code is not one of this kind. */
static uint8_t size_of(uint8_t code, bool numbered) {
    switch (code) {
#define SIZE(code, size, is_numbered) \
    case code:                        \
        return numbered == is_numbered ? size : 0;
        HOST_MESSAGES(SIZE)
#undef SIZE
    }
    return 0;
}

/* True when the content is nothing but whole messages of this kind. */
static bool well_formed(const uint8_t *content, uint8_t size, bool numbered, uint8_t *detail) {
    while (size > 0) {
        uint8_t step = size_of(*content, numbered);
        *detail = *content;
        if (step == 0 || step > size)
            return false;
        content += step;
        size -= step;
    }
    return true;
}

static bool in_session(uint32_t session) {
    if (session != 0 && session == link_session)
        return true;
    report_identity();
    return false;
}

static void connect(uint32_t session) {
    if (session == 0)
        return;
    if (session != link_session) {
        link_session = session;
        latest.number = 0;
    }
    report_connected();
}

static void query(const uint8_t *message) {
    const void *fields = message + 1;
    switch (*message) {
    case MESSAGE_IDENTIFY:
        report_identity();
        break;
    case MESSAGE_CONNECT:
        connect(((const struct message_connect *)fields)->session);
        break;
    case MESSAGE_PING: {
        const struct message_ping *ping = fields;
        if (in_session(ping->session)) {
            safety_heartbeat();
            report_pong(ping->token);
        }
        break;
    }
    case MESSAGE_ASK: {
        const struct message_ask *ask = fields;
        if (in_session(ask->session))
            report_parts_again(ask->part, ask->count);
        break;
    }
    case MESSAGE_ASK_COUNTERS:
        if (in_session(((const struct message_ask_counters *)fields)->session))
            report_counters();
        break;
    }
}

static uint8_t configure(const struct message_configure *candidate, uint8_t *detail) {
    if (configuration_equals(candidate))
        return RESULT_DONE;
    schedule_forget();
    uint8_t result = configuration_accept(candidate, detail);
    if (result == RESULT_DONE) {
        encoder_restart();
        safety_reconfigured();
    } else {
        safety_enter(REASON_BAD_CONFIGURATION, NO_PART);
    }
    return result;
}

static uint8_t command(const uint8_t *message, uint8_t *detail) {
    const void *fields = message + 1;
    switch (*message) {
    case MESSAGE_DECIDE: {
        const struct message_decide *decide = fields;
        uint8_t verdict = decide->verdict;
        bool known = verdict == VERDICT_OK || verdict == VERDICT_NG || verdict == VERDICT_SKIPPED;
        if (!known || !parts_decide(decide->part, verdict))
            link_late_commands++;
        return RESULT_DONE;
    }
    case MESSAGE_CONFIGURE:
        return configure(fields, detail);
    case MESSAGE_CLEAR:
        return safety_clear(((const struct message_clear *)fields)->reason, detail);
    case MESSAGE_REJECT_TEST: {
        uint32_t pulse_us = ((const struct message_reject_test *)fields)->pulse_us;
        bool possible = configuration_valid && pulse_us >= 1000 &&
                        pulse_us <= configuration.maximum_on_us && schedule_test(pulse_us);
        return possible ? RESULT_DONE : RESULT_NOT_NOW;
    }
    case MESSAGE_RELEASE:
        safety_enter(REASON_HOST_LEFT, NO_PART);
        return RESULT_DONE;
    case MESSAGE_HANG: {
        const struct message_hang *hang = fields;
        if (hang->key == HANG_KEY)
            hardware_hang(hang->interrupts);
        return RESULT_NOT_NOW;
    }
    }
    return RESULT_UNKNOWN_MESSAGE;
}

static uint8_t following(uint8_t number) {
    return number == 255 ? 1 : number + 1;
}

static void numbered(uint8_t number, const uint8_t *content, uint8_t size) {
    if (link_session == 0) {
        struct message_ack refusal = {number, RESULT_NO_SESSION, 0};
        report_ack(&refusal);
        return;
    }
    if (number == latest.number) {
        safety_heartbeat();
        report_ack(&latest);
        return;
    }
    if (number != following(latest.number))
        return;
    safety_heartbeat();
    latest.number = number;
    latest.result = RESULT_DONE;
    latest.detail = 0;
    if (!well_formed(content, size, true, &latest.detail)) {
        latest.result = RESULT_UNKNOWN_MESSAGE;
    } else {
        latest.detail = 0;
        for (uint8_t step; size > 0 && latest.result == RESULT_DONE; size -= step) {
            latest.result = command(content, &latest.detail);
            step = size_of(*content, true);
            content += step;
        }
    }
    report_ack(&latest);
}

static void on_frame(uint8_t sequence, const uint8_t *content, uint8_t size) {
    uint8_t detail;
    if (sequence != 0) {
        numbered(sequence, content, size);
    } else if (well_formed(content, size, false, &detail)) {
        for (uint8_t step; size > 0; size -= step) {
            query(content);
            step = size_of(*content, false);
            content += step;
        }
    } else {
        frame_errors++;
    }
}

void link_step(void) {
    uint8_t byte;
    for (uint8_t left = BYTES_PER_STEP; left > 0 && hardware_receive(&byte); left--)
        frame_receive(byte, on_frame);
}
