/* Pin map: Arduino Uno and Nano (ATmega328P, 16 MHz).
 *
 *   Arduino  AVR        signal
 *   D8       PB0 ICP1   trigger (photo-eye), pulled up       edges are captured by the timer
 *   D9       PB1 OC1A   gate (ejector)                       edges are made by the timer
 *   D10      PB2 OC1B   strobe (camera, light)               edges are made by the timer
 *   D2       PD2 INT0   encoder A, pulled up
 *   D4       PD4        encoder B, pulled up
 *   D3       PD3 INT1   eject confirmation, pulled up
 *   A0       PC0        run: high while the line may run
 *   A1       PC1        fault lamp: high in the safe state
 *   D0, D1   PD0, PD1   serial to the host
 *
 * Gate, strobe and trigger sit on pins of timer 1 and cannot be moved on this chip; the others can.
 * A second board is a second file like this one, with its own BOARD number, and its own
 * hardware_*.c where the chip is another.
 */
#ifndef BOARD_UNO_H
#define BOARD_UNO_H

#define BOARD 1

#define TRIGGER_PORT PORTB
#define TRIGGER_BIT 0

#define GATE_PORT PORTB
#define GATE_DDR DDRB
#define GATE_BIT 1

#define STROBE_PORT PORTB
#define STROBE_DDR DDRB
#define STROBE_BIT 2

#define ENCODER_PORT PORTD
#define ENCODER_PIN PIND
#define ENCODER_A_BIT 2
#define ENCODER_B_BIT 4

#define CONFIRMATION_PORT PORTD
#define CONFIRMATION_BIT 3

#define LINE_PORT PORTC
#define LINE_DDR DDRC
#define RUN_BIT 0
#define FAULT_BIT 1

#endif
