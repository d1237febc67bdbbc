/* Says hello, then counts, until somebody stops the processor. */
#include "firmware.h"

#ifndef TICK_MS
#define TICK_MS 100
#endif

int main(void)
{
    print(uart_putc, "hello from " TARGET "\n");
    for (unsigned tick = 1;; tick++) {
        wait_ms(TICK_MS);
        print(uart_putc, "tick ");
        print_number(uart_putc, tick);
        print(uart_putc, "\n");
    }
}
