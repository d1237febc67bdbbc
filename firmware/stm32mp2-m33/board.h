/* The Cortex-M33 of ST's STM32MP25, as its boot loader leaves clocks and pins. Sources: ST's
 * stm32mp257cxx_cm33.h (interrupts), Linux stm32mp251.dtsi (addresses). */
#define CLOCK_HZ 400000000u
#define UART 0x40110000 /* UART5 */
#define UART_IRQ 127
#define IPCC 0x40490000 /* IPCC1 */
#define IPCC_IRQ 171
