/* The main loop: each step is short, so that a pass takes well under a millisecond; a pass that
 * takes 60 ms is a hang, and the watchdog ends it. What must happen at a microsecond is not done
 * here but by the timer, which is told in time. */
#include "configuration.h"
#include "encoder.h"
#include "gate.h"
#include "hardware.h"
#include "link.h"
#include "reports.h"
#include "safety.h"
#include "schedule.h"
#include "trigger.h"

int main(void) {
    hardware_start();
    configuration_load();
    encoder_restart();
    safety_start();
    report_identity();
    for (;;) {
        uint32_t began = hardware_now();
        hardware_kick_watchdog();
        schedule_step();
        gate_step();
        trigger_step();
        link_step();
        safety_step();
        reports_step();
        configuration_store_step();
        reports_note_loop(hardware_now() - began);
        hardware_wait();
    }
}
