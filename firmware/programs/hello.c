/* Prints hello, then counts until the processor is stopped. */
#include "firmware.h"

#ifndef TICK_MS
#define TICK_MS 100
#endif

int main(void)
{
    print(CONSOLE, "hello from " TARGET "\n");
    for (unsigned tick = 1;; tick++) {
        wait_ms(TICK_MS);
        print(CONSOLE, "tick ");
        print_number(CONSOLE, tick);
        print(CONSOLE, "\n");
    }
}
