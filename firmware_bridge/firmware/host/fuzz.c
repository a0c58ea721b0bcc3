/* Feeds the portable core noise and damaged frames, under the sanitizers.
 *
 *     fuzz [BYTES [SEED]]
 *
 * In rounds: a session is opened with valid frames, parts are on their way, then come a few
 * thousand bytes of noise and of frames that were changed in at least one byte. Two things must
 * hold, and both are judged by a decoder that shares no code with the firmware's: the gate never
 * goes on without a valid command or more often than there were such commands, and after the noise
 * the firmware answers the first ping.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../hardware.h"
#include "../messages.h"
#include "../trigger.h"
#include "hardware_host.h"

#define NOISE_PER_ROUND 4000
#define TICKS_PER_BYTE 80

static uint64_t random_state;
static unsigned long long bytes_fed;
static uint32_t session;
static uint8_t number;       /* of the numbered frame sent last */
static uint32_t parts;       /* triggers so far */
static unsigned allowed;     /* pulses that valid commands could have caused */

static void die(const char *what) {
    fprintf(stderr, "fuzz: %s after %llu bytes\n", what, bytes_fed);
    exit(1);
}

static uint32_t chance(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % below;
}

/* The decoder that judges: CRC bit by bit, whole frames only. Returns the length, 0 if invalid. */
static size_t decoded(const uint8_t *stuffed, size_t size, uint8_t *frame) {
    size_t length = 0;
    for (size_t i = 0; i < size;) {
        size_t code = stuffed[i];
        if (i + code > size)
            return 0;
        for (size_t j = 1; j < code; j++)
            frame[length++] = stuffed[i + j];
        i += code;
        if (i < size)
            frame[length++] = 0;
    }
    if (length < FRAME_OVERHEAD || length > FRAME_MAXIMUM || frame[0] != length)
        return 0;
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < length; i++) {
        for (int bit = 7; bit >= 0; bit--) {
            int top = crc >> 15 ^ (frame[i] >> bit & 1);
            crc = (uint16_t)(crc << 1 ^ (top ? 0x1021 : 0));
        }
    }
    return crc == 0 ? length : 0;
}

/* Notes how many pulses a frame may cause: one for each command in it that can. */
static void allow(const uint8_t *stuffed, size_t size) {
    static const uint8_t sizes[256] = {
#define SIZE(code, size, numbered) [code] = size,
        HOST_MESSAGES(SIZE)
#undef SIZE
    };
    uint8_t frame[4096];
    size_t length = size < sizeof frame ? decoded(stuffed, size, frame) : 0;
    if (length == 0 || frame[1] == 0)
        return;
    for (size_t i = 2; i + 2 < length && sizes[frame[i]] != 0; i += sizes[frame[i]]) {
        size_t verdict = i + 1 + offsetof(struct message_decide, verdict);
        allowed += frame[i] == MESSAGE_REJECT_TEST ||
                   (frame[i] == MESSAGE_DECIDE && verdict < length && frame[verdict] == VERDICT_NG);
    }
}

static void feed(uint8_t byte) {
    static uint8_t pending[4096];
    static size_t size;
    bytes_fed++;
    if (byte == 0) {
        allow(pending, size);
        size = 0;
    } else if (size < sizeof pending) {
        pending[size++] = byte;
    }
    host_receive(byte);
    host_pass(TICKS_PER_BYTE);
    if (host_gate_pulses > allowed)
        die("the gate went on without a valid command");
}

static void feed_all(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        feed(bytes[i]);
}

/* A valid frame on the wire; its length. */
static size_t framed(uint8_t *wire, uint8_t sequence, uint8_t code, const void *fields,
                     size_t size) {
    uint8_t frame[FRAME_MAXIMUM];
    size_t length = size + 1 + FRAME_OVERHEAD, out = 0;
    frame[0] = (uint8_t)length;
    frame[1] = sequence;
    frame[2] = code;
    memcpy(frame + 3, fields, size);
    uint16_t crc = 0xFFFF;
    for (size_t i = 0; i < length - 2; i++) {
        crc ^= (uint16_t)(frame[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0));
    }
    frame[length - 2] = crc >> 8;
    frame[length - 1] = crc & 0xFF;
    wire[out++] = 0;
    size_t code_at = out++;
    uint8_t run = 1;
    for (size_t i = 0; i < length; i++) {
        if (frame[i] != 0) {
            wire[out++] = frame[i];
            run++;
            continue;
        }
        wire[code_at] = run;
        code_at = out++;
        run = 1;
    }
    wire[code_at] = run;
    wire[out++] = 0;
    return out;
}

static void send(uint8_t sequence, uint8_t code, const void *fields, size_t size) {
    uint8_t wire[128];
    feed_all(wire, framed(wire, sequence, code, fields, size));
}

static void command(uint8_t code, const void *fields, size_t size) {
    number = number == 255 ? 1 : number + 1;
    send(number, code, fields, size);
}

static void trigger(void) {
    host_pass(10000);
    trigger_on_edge(hardware_now());
    parts++;
}

static const struct message_configure setup = {
    .delay_us = 200000,
    .pulse_us = 2000,
    .minimum_gap_us = 2000,
    .maximum_on_us = 100000,
    .dead_time_us = 1000,
    .strobe_delay_us = 50,
    .heartbeat_ms = 60000,
    .reverse_limit_counts = 20,
    .encoder_loss_triggers = 3,
    .late_policy = LATE_POLICY_PASS,
    .safe_action = SAFE_ACTION_PASS_ALL,
};

/* True when the firmware answers a ping of this session. */
static bool answers(void) {
    struct message_ping ping = {session, (uint16_t)chance(65536)};
    uint8_t sent[8192], frame[8192];
    host_sent(sent, sizeof sent);
    send(0, MESSAGE_PING, &ping, sizeof ping);
    for (int i = 0; i < 20; i++)
        host_pass(100);
    size_t size = host_sent(sent, sizeof sent), begin = 0;
    for (size_t i = 0; i < size; i++) {
        if (sent[i] != 0)
            continue;
        if (i > begin && decoded(sent + begin, i - begin, frame) && frame[2] == MESSAGE_PONG &&
            memcmp(frame + 3, &ping.token, sizeof ping.token) == 0)
            return true;
        begin = i + 1;
    }
    return false;
}

static void open_session(void) {
    struct message_connect connect = {++session};
    feed(0);
    send(0, MESSAGE_CONNECT, &connect, sizeof connect);
    number = 0;
    command(MESSAGE_CONFIGURE, &setup, sizeof setup);
    for (int reason = REASON_NONE; reason <= REASON_TOO_MANY_PARTS; reason++) {
        struct message_clear clear = {(uint8_t)reason};
        command(MESSAGE_CLEAR, &clear, sizeof clear);
    }
    if (!answers())
        die("no answer to a ping");
}

/* A frame that would do something if it were whole, with the next number in turn. */
static size_t tempting(uint8_t *wire) {
    uint8_t next = number == 255 ? 1 : number + 1;
    struct message_decide decide = {parts - chance(4), chance(2) ? VERDICT_OK : VERDICT_NG};
    struct message_reject_test test = {2000};
    struct message_ping ping = {session, 1};
    struct message_ask ask = {session, parts, (uint8_t)chance(256)};
    switch (chance(6)) {
    case 0:
        return framed(wire, 0, MESSAGE_PING, &ping, sizeof ping);
    case 1:
        return framed(wire, 0, MESSAGE_ASK, &ask, sizeof ask);
    case 2:
        return framed(wire, next, MESSAGE_REJECT_TEST, &test, sizeof test);
    case 3:
        return framed(wire, next, MESSAGE_CONFIGURE, &setup, sizeof setup);
    default:
        return framed(wire, next, MESSAGE_DECIDE, &decide, sizeof decide);
    }
}

static void feed_damaged_frame(void) {
    uint8_t wire[160];
    size_t size = tempting(wire);
    /* Within the frame, not its delimiters: those may be missing without harm. */
    for (uint32_t changes = 1 + chance(4); changes > 0; changes--) {
        size_t at = 1 + chance((uint32_t)size - 2);
        switch (chance(4)) {
        case 0:
            memmove(wire + at, wire + at + 1, size - at - 1);
            size--;
            break;
        case 1:
            memmove(wire + at + 1, wire + at, size - at);
            size++;
            break;
        default:
            wire[at] ^= (uint8_t)(1 + chance(255));
        }
    }
    feed_all(wire, size);
}

static void feed_noise(void) {
    for (uint32_t left = chance(200); left > 0; left--)
        feed((uint8_t)(chance(8) ? chance(256) : 0));
}

/* Proves that the judge would notice: a valid NG does make the gate go on, once. */
static void prove_that_ng_fires(void) {
    host_pass(900000);
    trigger();
    unsigned before = host_gate_pulses;
    struct message_decide decide = {parts, VERDICT_NG};
    command(MESSAGE_DECIDE, &decide, sizeof decide);
    for (int i = 0; i < 900; i++)
        host_pass(1000);
    if (host_gate_pulses != before + 1)
        die("a valid command did not fire once");
}

int main(int count, char **arguments) {
    unsigned long long wanted = count > 1 ? strtoull(arguments[1], NULL, 10) : 1000000;
    random_state = count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    random_state = random_state * 0x9E3779B97F4A7C15ULL + 1;
    host_start();
    while (bytes_fed < wanted) {
        open_session();
        for (int i = 0; i < 4; i++)
            trigger();
        for (unsigned long long end = bytes_fed + NOISE_PER_ROUND; bytes_fed < end;) {
            if (chance(3))
                feed_damaged_frame();
            else
                feed_noise();
        }
        open_session();
        prove_that_ng_fires();
    }
    printf("%llu bytes, %u pulses for %u commands that allow one%s\n", bytes_fed, host_gate_pulses,
           allowed, host_hung ? ", hung on purpose" : "");
    return 0;
}
