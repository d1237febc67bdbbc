/* Faults, and the default fault handler lets the core die of it. */
#include "firmware.h"

int main(void)
{
    print(CONSOLE, "about to crash\n");
    wait_ms(LIFE_MS);
    cause_fault();
}
