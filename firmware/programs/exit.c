/* Ends by itself and says with which exit code. */
#include "firmware.h"

#ifndef EXIT_CODE
#define EXIT_CODE 7
#endif

int main(void)
{
    print(uart_putc, "exiting with code ");
    print_number(uart_putc, EXIT_CODE);
    print(uart_putc, "\n");
    semihosting_exit(EXIT_CODE);
}
