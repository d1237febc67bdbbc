/* Faults into a handler that spins: dead, but nobody outside can tell. Much real firmware does this. */
#include "firmware.h"

void fault_handler(void)
{
    print(uart_putc, "fault: spinning\n");
    spin_masked();
}

int main(void)
{
    print(uart_putc, "about to fault\n");
    cause_fault();
}
