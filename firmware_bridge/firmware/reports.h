/* What the MCU tells the host.
 *
 * Nothing is queued: a report is noted as due, and made from the present state when the transmit
 * buffer has room. What the host misses it asks for again.
 */
#ifndef REPORTS_H
#define REPORTS_H

#include <stdint.h>

#include "messages.h"

void report_identity(void);
void report_connected(void);
void report_ack(const struct message_ack *ack);
void report_pong(uint16_t token);
void report_counters(void);
void report_state(void);
void report_parts_again(uint32_t first, uint8_t count);

/* Sends at most one frame. */
void reports_step(void);

/* The main loop has taken this long for one pass. */
void reports_note_loop(uint32_t ticks);

#endif
