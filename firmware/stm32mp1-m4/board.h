/* The Cortex-M4 of ST's STM32MP15, as its boot loader leaves clocks and pins. */
#define CLOCK_HZ 209000000u
#define UART 0x4000f000 /* USART3 */
#define UART_IRQ 39
#define IPCC 0x4c001000
#define IPCC_IRQ 103
