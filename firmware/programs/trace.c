/* Logs into a trace buffer, as firmware without a UART does; nothing on the console. */
#include "firmware.h"

#ifndef TRACE_MS
#define TRACE_MS 100
#endif

int main(void)
{
    print(trace_putc, "trace from " TARGET "\n");
    for (unsigned line = 1;; line++) {
        wait_ms(TRACE_MS);
        print(trace_putc, "trace line ");
        print_number(trace_putc, line);
        print(trace_putc, "\n");
    }
}
