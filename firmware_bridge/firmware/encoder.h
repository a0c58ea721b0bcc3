/* The belt: counts, speed, reverse motion, loss; and the count at which the gate is to act. */
#ifndef ENCODER_H
#define ENCODER_H

#include <stdbool.h>
#include <stdint.h>

struct encoder {
    int32_t count;
    int32_t target;       /* the gate acts when the count reaches this, if armed */
    uint16_t changed_at;  /* low half of the clock at the latest count */
    int8_t step;          /* of the latest count */
    bool recent;          /* the latest count is recent enough for 16 bits to tell when */
    bool armed;
    bool quadrature;
    bool reversed;
};
extern volatile struct encoder encoder;

/* In gate.c: the count has been reached. */
void gate_on_count(void);

/* From the interrupt at every edge of channel A. Two edges of A on either side of a standstill
 * cancel out, so a belt that trembles does not travel. Short: it runs 10,000 times a second. */
static inline void encoder_on_edge(bool a, bool b, uint16_t tick) {
    int8_t step = encoder.quadrature && (a == b) != encoder.reversed ? -1 : 1;
    int32_t count = encoder.count + step;
    encoder.count = count;
    encoder.step = step;
    encoder.changed_at = tick;
    encoder.recent = true;
    if (encoder.armed && count - encoder.target >= 0) {
        encoder.armed = false;
        gate_on_count();
    }
}

/* The count at a moment just past, from an interrupt: a count since then is taken back. */
static inline int32_t encoder_at(uint16_t tick, uint16_t now) {
    int32_t count = encoder.count;
    if (encoder.recent && (uint16_t)(now - encoder.changed_at) < (uint16_t)(now - tick))
        count -= encoder.step;
    return count;
}

int32_t encoder_count(void);

/* Forgets direction, speed and furthest count: after configuration and clear. */
void encoder_restart(void);

/* Measures speed; true while the belt has travelled backwards beyond the limit. */
bool encoder_step(void);

/* True when this trigger completes a row of triggers without a count in between. */
bool encoder_lost_at(int32_t count);

/* At the present speed: counts that the belt travels in the lead time, counts before the gate at
 * which a part is decided, and ticks that the belt takes for so many counts. */
int32_t encoder_lead(void);
int32_t encoder_commit(void);
uint32_t encoder_ticks_for(int32_t counts);

void encoder_arm(int32_t target);
bool encoder_disarm(void);

#endif
