/* Faults, and the default fault handler lets the core die of it. */
#include "firmware.h"

int main(void)
{
    print(uart_putc, "about to crash\n");
    cause_fault();
}
