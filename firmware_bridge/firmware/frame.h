/* Frames: bytes between two zeros, stuffed (COBS) so that no zero is inside, with length and CRC.
 *
 *     0x00 | COBS( length | sequence | content | CRC-16 high | CRC-16 low ) | 0x00
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "messages.h"

#define CRC16_START 0xFFFF

/* CRC-16/IBM-3740 (polynomial 0x1021). Over a frame with its own CRC, high byte first, it is 0. */
uint16_t crc16(uint16_t crc, uint8_t byte);

/* A whole frame has been received: content of `size` bytes, valid until the function returns. */
typedef void (*frame_handler)(uint8_t sequence, const uint8_t *content, uint8_t size);

void frame_receive(uint8_t byte, frame_handler handler);

/* Frames received with a wrong length or CRC, or not decodable. */
extern uint16_t frame_errors;

/* False, and nothing sent, when the transmit buffer has no room for the whole frame. */
bool frame_send(uint8_t sequence, uint8_t code, const void *fields, uint8_t size);

#endif
