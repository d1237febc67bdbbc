/* Faults into a handler that spins. Linux cannot see the fault. Much real firmware does this. */
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
