/* Starts the watchdog and never feeds it. */
#include "firmware.h"

#ifndef WATCHDOG_MS
#define WATCHDOG_MS 100
#endif

int main(void)
{
    print(CONSOLE, "watchdog started, not feeding it\n");
    wait_ms(LIFE_MS);
    watchdog_start(WATCHDOG_MS);
    for (;;)
        wait_ms(500);
}
