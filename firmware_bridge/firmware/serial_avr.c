#include "serial_avr.h"

#include <avr/interrupt.h>
#include <avr/io.h>

#include "hardware.h"
#include "messages.h"

#define RECEIVE_SIZE 64
#define TRANSMIT_SIZE 96

static volatile uint8_t received[RECEIVE_SIZE];
static volatile uint8_t receive_head, receive_tail;
static volatile uint16_t receive_overruns;
static volatile uint8_t transmitted[TRANSMIT_SIZE];
static volatile uint8_t transmit_head, transmit_tail;

static inline uint8_t after(uint8_t position, uint8_t size) {
    return position + 1 < size ? position + 1 : 0;
}

void serial_start(void) {
    UCSR0A = _BV(U2X0);
    UBRR0 = F_CPU / 8 / BAUD_RATE - 1;
    UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
    UCSR0B = _BV(RXCIE0) | _BV(RXEN0) | _BV(TXEN0);
}

bool serial_has_received(void) {
    return receive_head != receive_tail;
}

bool hardware_receive(uint8_t *byte) {
    uint8_t tail = receive_tail;
    if (receive_head == tail)
        return false;
    *byte = received[tail];
    receive_tail = after(tail, RECEIVE_SIZE);
    return true;
}

uint16_t hardware_receive_overruns(void) {
    uint16_t count;
    UNINTERRUPTED {
        count = receive_overruns;
    }
    return count;
}

uint8_t hardware_transmit_room(void) {
    uint8_t head = transmit_head, tail = transmit_tail;
    return (tail > head ? tail : tail + TRANSMIT_SIZE) - head - 1;
}

bool hardware_transmit_idle(void) {
    return transmit_head == transmit_tail;
}

void hardware_transmit(uint8_t byte) {
    uint8_t head = transmit_head;
    transmitted[head] = byte;
    transmit_head = after(head, TRANSMIT_SIZE);
    UNINTERRUPTED {
        UCSR0B |= _BV(UDRIE0);
    }
}

ISR(USART_RX_vect) {
    if (UCSR0A & _BV(DOR0))
        receive_overruns++;
    uint8_t byte = UDR0;
    uint8_t head = receive_head;
    uint8_t next = after(head, RECEIVE_SIZE);
    if (next == receive_tail) {
        receive_overruns++;
        return;
    }
    received[head] = byte;
    receive_head = next;
}

ISR(USART_UDRE_vect) {
    uint8_t tail = transmit_tail;
    UDR0 = transmitted[tail];
    tail = after(tail, TRANSMIT_SIZE);
    transmit_tail = tail;
    if (tail == transmit_head)
        UCSR0B &= ~_BV(UDRIE0);
}
