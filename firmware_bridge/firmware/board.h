/* The board that this firmware is built for: one pin map each. */
#ifndef BOARD_H
#define BOARD_H

#include "board_uno.h"

#endif
