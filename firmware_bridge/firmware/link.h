/* The host's end of the conversation: sessions, numbered frames, and what each message does. */
#ifndef LINK_H
#define LINK_H

#include <stdint.h>

/* The session in force, 0 without one. */
extern uint32_t link_session;

/* Verdicts that came too late or for unknown parts. */
extern uint16_t link_late_commands;

/* Takes what has been received, at most a few bytes at a time. */
void link_step(void);

#endif
