/* MPS2 with the Cortex-M3 image AN385. QEMU: -M mps2-an385 */
#define CLOCK_HZ 25000000u
#define UART_BASE 0x40004000u
#define UART_RX_IRQ 0
#define WATCHDOG_BASE 0x40008000u
