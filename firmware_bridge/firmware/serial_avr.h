/* The serial port of the ATmega328P; the core uses it through hardware.h. */
#ifndef SERIAL_AVR_H
#define SERIAL_AVR_H

#include <stdbool.h>

void serial_start(void);

/* To be asked with interrupts off. */
bool serial_has_received(void);

#endif
