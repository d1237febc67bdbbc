/* Ignores everything: only taking the processor away ends it. Burns a whole core of a simulator. */
#include "firmware.h"

int main(void)
{
    print(uart_putc, "spinning\n");
    spin_masked();
}
