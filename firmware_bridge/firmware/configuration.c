#include "configuration.h"

#include <stddef.h>
#include <string.h>

#include "frame.h"
#include "hardware.h"

/* In the store: version, configuration, CRC-16 of both. */
#define STORE_VERSION 1
#define STORE_SIZE (1 + sizeof(struct message_configure) + 2)

struct message_configure configuration;
bool configuration_valid;
struct timing timing;

static uint8_t store_position = STORE_SIZE;
static uint16_t store_crc;

static const uint8_t positions_of_rules = 128;

/* The number in a field of 1, 2 or 4 bytes. */
static uint32_t number_at(const uint8_t *bytes, uint8_t size) {
    uint32_t number = 0;
    while (size--)
        number = number << 8 | bytes[size];
    return number;
}

static bool within(uint32_t number, uint32_t minimum, uint32_t maximum) {
    return number >= minimum && number <= maximum;
}

static bool within_limits(const struct message_configure *candidate, uint8_t *detail) {
    const uint8_t *bytes = (const uint8_t *)candidate;
    uint8_t position = 0;
#define CHECK(field, minimum, maximum)                                                    \
    if (!within(number_at(bytes + offsetof(struct message_configure, field),              \
                          sizeof candidate->field),                                       \
                minimum, maximum)) {                                                      \
        *detail = position;                                                               \
        return false;                                                                     \
    }                                                                                     \
    position++;
    CONFIGURATION_LIMITS(CHECK)
#undef CHECK
    return true;
}

static bool obeys_rules(const struct message_configure *candidate, uint8_t *detail) {
    uint8_t rule;
    bool by_distance = candidate->distance_counts != 0;
    if (by_distance == (candidate->delay_us != 0) ||
        (by_distance && !(candidate->options & OPTION_ENCODER)))
        rule = RULE_DELAY_OR_DISTANCE;
    else if (!by_distance && candidate->delay_us <= candidate->lead_us +
                                                        candidate->minimum_gap_us +
                                                        COMMIT_MARGIN_US)
        rule = RULE_DELAY_TOO_SHORT;
    else if (candidate->pulse_us > candidate->maximum_on_us)
        rule = RULE_PULSE_TOO_LONG;
    else if (candidate->strobe_us != 0 && (uint32_t)candidate->strobe_delay_us +
                                                  candidate->strobe_us >= candidate->dead_time_us)
        rule = RULE_STROBE_TOO_LONG;
    else
        return true;
    *detail = positions_of_rules + rule;
    return false;
}

static void activate(void) {
    configuration_valid = true;
    uint32_t lead = configuration.lead_us * TICKS_PER_US;
    UNINTERRUPTED {
        timing.lead = lead;
        timing.travel = configuration.delay_us * TICKS_PER_US - lead;
        timing.pulse = configuration.pulse_us * TICKS_PER_US;
        timing.gap = configuration.minimum_gap_us * TICKS_PER_US;
        timing.maximum_on = configuration.maximum_on_us * TICKS_PER_US;
        timing.commit = timing.gap + COMMIT_MARGIN_US * TICKS_PER_US;
        timing.dead = configuration.dead_time_us * TICKS_PER_US;
        timing.heartbeat = configuration.heartbeat_ms * 1000UL * TICKS_PER_US;
        timing.confirmation = configuration.confirmation_ms * 1000UL * TICKS_PER_US;
        timing.strobe_delay = configuration.strobe_delay_us * TICKS_PER_US;
        timing.strobe = configuration.strobe_us * TICKS_PER_US;
    }
    hardware_apply_options(configuration.options);
}

void configuration_load(void) {
    uint8_t *bytes = (uint8_t *)&configuration;
    uint8_t detail;
    uint16_t crc = crc16(CRC16_START, hardware_stored(0));
    for (uint8_t i = 0; i < sizeof configuration; i++) {
        bytes[i] = hardware_stored(1 + i);
        crc = crc16(crc, bytes[i]);
    }
    crc = crc16(crc, hardware_stored(STORE_SIZE - 2));
    crc = crc16(crc, hardware_stored(STORE_SIZE - 1));
    if (crc == 0 && hardware_stored(0) == STORE_VERSION &&
        within_limits(&configuration, &detail) && obeys_rules(&configuration, &detail))
        activate();
    else
        memset(&configuration, 0, sizeof configuration);
}

uint8_t configuration_accept(const struct message_configure *candidate, uint8_t *detail) {
    if (!within_limits(candidate, detail) || !obeys_rules(candidate, detail))
        return RESULT_BAD_CONFIGURATION;
    configuration = *candidate;
    activate();
    store_position = 0;
    return RESULT_DONE;
}

bool configuration_equals(const struct message_configure *candidate) {
    return configuration_valid && memcmp(candidate, &configuration, sizeof configuration) == 0;
}

uint32_t configuration_hash(void) {
    if (!configuration_valid)
        return 0;
    const uint8_t *bytes = (const uint8_t *)&configuration;
    uint32_t crc = 0xFFFFFFFF;
    for (uint8_t i = 0; i < sizeof configuration; i++) {
        crc ^= bytes[i];
        for (uint8_t bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
    }
    return ~crc;
}

void configuration_store_step(void) {
    if (store_position >= STORE_SIZE || !hardware_store_ready())
        return;
    uint8_t byte;
    if (store_position == 0) {
        byte = STORE_VERSION;
        store_crc = CRC16_START;
    } else if (store_position < STORE_SIZE - 2) {
        byte = ((const uint8_t *)&configuration)[store_position - 1];
    } else {
        byte = store_position == STORE_SIZE - 2 ? store_crc >> 8 : store_crc & 0xFF;
    }
    /* The memory wears out by writing: what is there already stays. */
    if (hardware_stored(store_position) != byte)
        hardware_store(store_position, byte);
    if (store_position < STORE_SIZE - 2)
        store_crc = crc16(store_crc, byte);
    store_position++;
}
