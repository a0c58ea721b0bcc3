/* The portable core on a computer: time passes when the fuzzer says so, edges happen in between. */
#include "hardware_host.h"

#include <string.h>

#include "../configuration.h"
#include "../encoder.h"
#include "../gate.h"
#include "../hardware.h"
#include "../link.h"
#include "../messages.h"
#include "../reports.h"
#include "../safety.h"
#include "../schedule.h"
#include "../trigger.h"

#define BUFFER 4096

unsigned host_gate_pulses;
bool host_hung;

static uint32_t now;
static uint16_t gate_tick;
static enum { GATE_IDLE, GATE_ON_AT, GATE_OFF_AT } gate_mode;
static uint8_t store[256];
static uint8_t received[BUFFER], sent[BUFFER];
static size_t received_head, received_tail, sent_size;

void host_start(void) {
    memset(store, 0xFF, sizeof store);
    configuration_load();
    encoder_restart();
    safety_start();
    report_identity();
}

void host_pass(uint32_t ticks) {
    for (; ticks > 0; ticks--) {
        now++;
        if (gate_mode == GATE_IDLE || (uint16_t)now != gate_tick)
            continue;
        host_gate_pulses += gate_mode == GATE_ON_AT;
        gate_on_compare();
    }
    schedule_step();
    gate_step();
    trigger_step();
    link_step();
    safety_step();
    reports_step();
    configuration_store_step();
}

void host_receive(uint8_t byte) {
    size_t next = (received_head + 1) % BUFFER;
    if (next == received_tail)
        return;
    received[received_head] = byte;
    received_head = next;
}

size_t host_sent(uint8_t *bytes, size_t size) {
    size_t count = sent_size < size ? sent_size : size;
    memcpy(bytes, sent, count);
    sent_size = 0;
    return count;
}

uint8_t hardware_reset_cause(void) {
    return RESET_CAUSE_POWER_ON;
}

uint32_t hardware_now(void) {
    return now;
}

void hardware_hang(bool interrupts) {
    (void)interrupts;
    host_hung = true;
}

uint16_t hardware_free_bytes(void) {
    return 0;
}

bool hardware_receive(uint8_t *byte) {
    if (received_head == received_tail)
        return false;
    *byte = received[received_tail];
    received_tail = (received_tail + 1) % BUFFER;
    return true;
}

uint16_t hardware_receive_overruns(void) {
    return 0;
}

uint8_t hardware_transmit_room(void) {
    return sent_size + UINT8_MAX < BUFFER ? UINT8_MAX : 0;
}

bool hardware_transmit_idle(void) {
    return true;
}

void hardware_transmit(uint8_t byte) {
    sent[sent_size++] = byte;
}

void hardware_apply_options(uint8_t options) {
    (void)options;
    gate_mode = GATE_IDLE;
}

void hardware_gate_on_at(uint16_t tick) {
    gate_tick = tick;
    gate_mode = GATE_ON_AT;
}

uint16_t hardware_gate_on_now(void) {
    hardware_gate_on_at((uint16_t)(now + 1));
    return (uint16_t)(now + 1);
}

void hardware_gate_off_at(uint16_t tick) {
    gate_tick = tick;
    gate_mode = GATE_OFF_AT;
}

void hardware_gate_rest(void) {
    gate_mode = GATE_IDLE;
}

void hardware_strobe(uint16_t begin, uint16_t ticks) {
    (void)begin;
    (void)ticks;
}

void hardware_line_outputs(bool run, bool fault) {
    (void)run;
    (void)fault;
}

bool hardware_store_ready(void) {
    return true;
}

uint8_t hardware_stored(uint8_t address) {
    return store[address];
}

void hardware_store(uint8_t address, uint8_t byte) {
    store[address] = byte;
}
