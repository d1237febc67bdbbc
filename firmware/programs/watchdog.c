/* Starts the watchdog and never feeds it. */
#include "firmware.h"

#ifndef WATCHDOG_MS
#define WATCHDOG_MS 100
#endif

int main(void)
{
    print(uart_putc, "watchdog started, not feeding it\n");
    watchdog_start(WATCHDOG_MS);
    for (;;)
        wait_ms(500);
}
