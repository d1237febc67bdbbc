/* MCU UART0 of the AM62x: an NS16550 with registers of 32 bits (Zephyr am62x_m4.dtsi). */
#include "cortex-m/uart.h"
#include "firmware.h"

#define UART 0x04a00000
#define DATA REGISTER(UART + 0x00)
#define IER REGISTER(UART + 0x04)
#define LCR REGISTER(UART + 0x0c)
#define LSR REGISTER(UART + 0x14)
#define MDR1 REGISTER(UART + 0x20)

#define LCR_8_BITS 0x03u
#define LCR_DIVISOR 0x80u /* while set, DATA and IER are the divisor */
#define LSR_RX_READY 0x01u
#define LSR_TX_READY 0x20u
#define IER_RX_INTERRUPT 0x01u

#define IRQ 24

static const uart console = {
    .tx = &DATA, .tx_status = &LSR, .tx_ready = LSR_TX_READY,
    .rx = &DATA, .rx_status = &LSR, .rx_ready = LSR_RX_READY, .irq = IRQ,
};

static void uart_enable(uint32_t interrupt)
{
    if (!(LCR & LCR_8_BITS)) {
        LCR = LCR_DIVISOR | LCR_8_BITS;
        DATA = 26; /* 48 MHz / 16 / 115200 */
        IER = 0;
        LCR = LCR_8_BITS;
        MDR1 = 0; /* on, 16 samples a bit */
    }
    IER = interrupt;
}

void uart_putc(char c)
{
    uart_enable(0);
    uart_send(&console, c);
}

char uart_getc(void)
{
    uart_enable(IER_RX_INTERRUPT);
    return uart_receive(&console);
}
