/* Asks for a reset of the chip. */
#include "firmware.h"

int main(void)
{
    print(CONSOLE, "about to reset\n");
    wait_ms(LIFE_MS);
    request_reset();
}
