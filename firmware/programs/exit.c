/* Ends by itself and says with which exit code. */
#include "firmware.h"

#ifndef EXIT_CODE
#define EXIT_CODE 7
#endif

int main(void)
{
    print(CONSOLE, "exiting with code ");
    print_number(CONSOLE, EXIT_CODE);
    print(CONSOLE, "\n");
    wait_ms(LIFE_MS);
    semihosting_exit(EXIT_CODE);
}
