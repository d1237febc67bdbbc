/* The Cortex-M4F of TI's AM62x, as its boot loader leaves clocks and pins. */
#define CLOCK_HZ 400000000u
