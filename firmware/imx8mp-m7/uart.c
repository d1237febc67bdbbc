/* UART4 of the i.MX 8M Plus, which is the M7's on NXP's boards (reference manual, "UART"). */
#include "cortex-m/uart.h"
#include "firmware.h"

#define UART 0x30a60000
#define URXD REGISTER(UART + 0x00)
#define UTXD REGISTER(UART + 0x40)
#define UCR1 REGISTER(UART + 0x80)
#define UCR2 REGISTER(UART + 0x84)
#define UCR3 REGISTER(UART + 0x88)
#define UFCR REGISTER(UART + 0x90)
#define USR1 REGISTER(UART + 0x94)
#define USR2 REGISTER(UART + 0x98)
#define UBIR REGISTER(UART + 0xa4)
#define UBMR REGISTER(UART + 0xa8)

#define UCR1_ON 0x1u
#define UCR1_RX_INTERRUPT 0x200u
#define UCR2_8_BITS 0x4027u /* no flow control, receiver and transmitter, no reset */
#define UCR3_MUXED 0x704u
#define UFCR_LEVELS 0xa01u /* divides the clock of 24 MHz by 2, interrupts at each byte */
#define USR1_TX_READY 0x2000u
#define USR2_RX_READY 0x1u

#define IRQ 29

static const uart console = {
    .tx = &UTXD, .tx_status = &USR1, .tx_ready = USR1_TX_READY,
    .rx = &URXD, .rx_status = &USR2, .rx_ready = USR2_RX_READY, .irq = IRQ,
};

static void uart_enable(uint32_t interrupt)
{
    if (!(UCR1 & UCR1_ON)) {
        UCR1 = UCR1_ON;
        UCR2 = UCR2_8_BITS;
        UCR3 = UCR3_MUXED;
        UFCR = UFCR_LEVELS;
        UBIR = 15; /* 115200 baud: 12 MHz / 16 * (15 + 1) / (103 + 1) */
        UBMR = 103;
    }
    UCR1 = UCR1_ON | interrupt;
}

void uart_putc(char c)
{
    uart_enable(0);
    uart_send(&console, c);
}

char uart_getc(void)
{
    uart_enable(UCR1_RX_INTERRUPT);
    return uart_receive(&console);
}
