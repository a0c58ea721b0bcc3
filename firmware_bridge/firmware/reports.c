#include "reports.h"

#include <stddef.h>
#include <stdbool.h>

#include "configuration.h"
#include "confirmation.h"
#include "encoder.h"
#include "frame.h"
#include "hardware.h"
#include "link.h"
#include "parts.h"
#include "safety.h"
#include "trigger.h"
#include "board.h"
#include "version.h"

static struct {
    bool identity, connected, ack, pong, counters, state;
} due;

static struct message_ack ack;
static uint16_t pong_token;
static uint32_t pinged_at;
static uint8_t sequence;
static uint16_t longest_loop;

static uint32_t next_trigger = 1;  /* first part whose trigger has not been reported */
static uint32_t next_outcome = 1;
static uint32_t again_first;       /* parts that were asked for again */
static uint8_t again_count;
static bool again_outcome;         /* of the first of them, the trigger has been sent */

static bool send(uint8_t code, const void *fields, uint8_t size) {
    if (!frame_send(sequence, code, fields, size))
        return false;
    sequence++;
    return true;
}

void report_identity(void) {
    due.identity = true;
}

void report_connected(void) {
    due.connected = true;
}

void report_ack(const struct message_ack *latest) {
    ack = *latest;
    due.ack = true;
}

void report_pong(uint16_t token) {
    pong_token = token;
    pinged_at = hardware_now();
    due.pong = true;
}

void report_counters(void) {
    due.counters = true;
}

void report_state(void) {
    due.state = true;
}

void report_parts_again(uint32_t first, uint8_t count) {
    again_first = first;
    again_count = count;
    again_outcome = false;
}

void reports_note_loop(uint32_t ticks) {
    uint32_t us = ticks / TICKS_PER_US;
    if (us > longest_loop)
        longest_loop = us > UINT16_MAX ? UINT16_MAX : us;
}

static bool send_identity(void) {
    struct message_identity identity = {
        .magic = MAGIC,
        .protocol = PROTOCOL_VERSION,
        .major = FIRMWARE_MAJOR,
        .minor = FIRMWARE_MINOR,
        .patch = FIRMWARE_PATCH,
        .board = BOARD,
        .reset_cause = hardware_reset_cause(),
        .build = BUILD_HASH,
        .configuration = configuration_hash(),
        .session = link_session,
    };
    return send(MESSAGE_IDENTITY, &identity, sizeof identity);
}

static bool send_connected(void) {
    struct message_connected connected = {link_session, parts_next()};
    return send(MESSAGE_CONNECTED, &connected, sizeof connected);
}

/* Waits for an empty transmit buffer: only then is the turnaround known before it is sent. */
static bool send_pong(void) {
    if (!hardware_transmit_idle())
        return false;
    struct message_pong pong = {
        .token = pong_token,
        .received_at = pinged_at,
        .turnaround = hardware_now() - pinged_at,
        .reason = safety.reason,
        .action = safety.action,
        .next_part = parts_next(),
        .open_part = parts_open,
        .encoder = encoder_count(),
        .unlatched = parts_unlatched(),
    };
    return send(MESSAGE_PONG, &pong, sizeof pong);
}

static bool send_counters(void) {
    struct message_counters counters = {
        .bad_frames = frame_errors,
        .overruns = hardware_receive_overruns(),
        .ignored_edges = trigger_ignored(),
        .late_commands = link_late_commands,
        .confirmed = confirmation_seen(),
        .loop_us = longest_loop,
        .free_bytes = hardware_free_bytes(),
    };
    longest_loop = 0;
    return send(MESSAGE_COUNTERS, &counters, sizeof counters);
}

static bool send_state(void) {
    struct message_state state = {safety.reason, safety.action, safety.since, safety.part};
    return send(MESSAGE_STATE, &state, sizeof state);
}

/* A trigger may have taken the record for a new part while it was read. */
static bool overwritten(uint32_t number) {
    return parts_record(number) == NULL;
}

static bool send_trigger(uint32_t number) {
    const struct part *part = parts_record(number);
    if (part == NULL)
        return true;
    struct message_trigger trigger = {number, part->triggered_at, part->encoder};
    return overwritten(number) || send(MESSAGE_TRIGGER, &trigger, sizeof trigger);
}

static bool send_outcome(uint32_t number) {
    const struct part *part = parts_record(number);
    if (part == NULL || part->phase != PHASE_DONE)
        return true;
    struct message_outcome outcome = {
        .part = number,
        .kind = part->says,
        .flags = part->flags,
        .fired_at = part->fired_at,
        .error = part->error,
    };
    return overwritten(number) || send(MESSAGE_OUTCOME, &outcome, sizeof outcome);
}

static void send_again(void) {
    if (!again_outcome) {
        again_outcome = send_trigger(again_first);
    } else if (send_outcome(again_first)) {
        again_outcome = false;
        again_first++;
        again_count--;
    }
}

void reports_step(void) {
    if (due.ack)
        due.ack = !send(MESSAGE_ACK, &ack, sizeof ack);
    else if (due.connected)
        due.connected = !send_connected();
    else if (due.identity)
        due.identity = !send_identity();
    else if (due.pong)
        due.pong = !send_pong();
    else if (due.state)
        due.state = !send_state();
    else if (next_trigger != parts_next())
        next_trigger += send_trigger(next_trigger);
    else if (next_outcome != parts_open)
        next_outcome += send_outcome(next_outcome);
    else if (again_count > 0)
        send_again();
    else if (due.counters)
        due.counters = !send_counters();
}
