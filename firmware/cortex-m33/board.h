/* MPS2+ with the Cortex-M33 image AN505, secure state. QEMU: -M mps2-an505 */
#define CLOCK_HZ 20000000u
#define UART_BASE 0x40200000u
#define UART_RX_IRQ 32
#define WATCHDOG_BASE 0x50081000u
