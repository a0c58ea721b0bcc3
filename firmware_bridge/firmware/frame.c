#include "frame.h"

#include "hardware.h"

uint16_t frame_errors;

static struct {
    uint8_t bytes[FRAME_MAXIMUM];
    uint8_t size;
    uint8_t code;      /* the COBS code in force: distance from it to the next one */
    uint8_t left;      /* bytes until that next one */
    bool overlong;
} incoming;

/* A frame to be sent, read where its parts lie: a copy would cost a 30th of the RAM. */
struct outgoing {
    uint8_t head[3];        /* length, sequence, code */
    const uint8_t *fields;
    uint8_t length;
    uint16_t crc;
};

static uint8_t byte_of(const struct outgoing *frame, uint8_t position) {
    if (position < sizeof frame->head)
        return frame->head[position];
    if (position < frame->length - 2)
        return frame->fields[position - sizeof frame->head];
    return position == frame->length - 2 ? frame->crc >> 8 : frame->crc & 0xFF;
}

uint16_t crc16(uint16_t crc, uint8_t byte) {
    crc = (uint16_t)(crc >> 8 | crc << 8);
    crc ^= byte;
    crc ^= (crc & 0xFF) >> 4;
    crc ^= (uint16_t)(crc << 12);
    crc ^= (uint16_t)((crc & 0xFF) << 5);
    return crc;
}

static void append(uint8_t byte) {
    if (incoming.size < FRAME_MAXIMUM)
        incoming.bytes[incoming.size++] = byte;
    else
        incoming.overlong = true;
}

static bool whole(void) {
    if (incoming.overlong || incoming.left != 0 || incoming.size < FRAME_OVERHEAD ||
        incoming.bytes[0] != incoming.size)
        return false;
    uint16_t crc = CRC16_START;
    for (uint8_t i = 0; i < incoming.size; i++)
        crc = crc16(crc, incoming.bytes[i]);
    return crc == 0;
}

void frame_receive(uint8_t byte, frame_handler handler) {
    if (byte == 0) {
        if (incoming.code != 0) {
            if (whole())
                handler(incoming.bytes[1], incoming.bytes + 2, incoming.size - FRAME_OVERHEAD);
            else if (frame_errors != UINT16_MAX)
                frame_errors++;
        }
        incoming.size = incoming.code = incoming.left = 0;
        incoming.overlong = false;
    } else if (incoming.left == 0) {
        /* A code stands for a zero before what it leads, except before the first. Blocks of 254
         * bytes without a zero need no care: a frame is shorter. */
        if (incoming.code != 0)
            append(0);
        incoming.code = byte;
        incoming.left = byte - 1;
    } else {
        append(byte);
        incoming.left--;
    }
}

bool frame_send(uint8_t sequence, uint8_t code, const void *fields, uint8_t size) {
    uint8_t length = size + 1 + FRAME_OVERHEAD;
    if (hardware_transmit_room() < length + WIRE_OVERHEAD)
        return false;
    struct outgoing frame = {{length, sequence, code}, fields, length, CRC16_START};
    uint16_t crc = CRC16_START;
    for (uint8_t i = 0; i < length - 2; i++)
        crc = crc16(crc, byte_of(&frame, i));
    frame.crc = crc;

    hardware_transmit(0);
    uint8_t begin = 0;
    while (begin <= length) {
        uint8_t end = begin;
        while (end < length && byte_of(&frame, end) != 0)
            end++;
        hardware_transmit(end - begin + 1);
        for (; begin < end; begin++)
            hardware_transmit(byte_of(&frame, begin));
        begin = end + 1;
    }
    hardware_transmit(0);
    return true;
}
