/* Asks for a reset of the chip. */
#include "firmware.h"

int main(void)
{
    print(uart_putc, "about to reset\n");
    request_reset();
}
