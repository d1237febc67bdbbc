/* LPUART2 of the i.MX 93, which is the M33's on NXP's boards (Linux drivers/tty/serial/fsl_lpuart.c:
 * the registers of 32 bits). */
#include "cortex-m/uart.h"
#include "firmware.h"

#define UART 0x44390000
#define BAUD REGISTER(UART + 0x10)
#define STAT REGISTER(UART + 0x14)
#define CTRL REGISTER(UART + 0x18)
#define DATA REGISTER(UART + 0x1c)

#define BAUD_115200 0x0f00000du /* 24 MHz / 16 / 13 */
#define STAT_TX_READY (1u << 23)
#define STAT_RX_READY (1u << 21)
#define CTRL_ON (3u << 18) /* transmitter and receiver */
#define CTRL_RX_INTERRUPT (1u << 21)

#define IRQ 20

static const uart console = {
    .tx = &DATA, .tx_status = &STAT, .tx_ready = STAT_TX_READY,
    .rx = &DATA, .rx_status = &STAT, .rx_ready = STAT_RX_READY, .irq = IRQ,
};

static void uart_enable(uint32_t interrupt)
{
    if (!(CTRL & CTRL_ON)) {
        BAUD = BAUD_115200;
        CTRL = CTRL_ON;
    }
    CTRL = CTRL_ON | interrupt;
}

void uart_putc(char c)
{
    uart_enable(0);
    uart_send(&console, c);
}

char uart_getc(void)
{
    uart_enable(CTRL_RX_INTERRUPT);
    return uart_receive(&console);
}
