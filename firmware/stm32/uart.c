/* A UART of STM32MP1 and STM32MP2 (reference manual RM0436, chapter USART). */
#include "board.h"
#include "cortex-m/uart.h"
#include "firmware.h"

#define CR1 REGISTER(UART + 0x00)
#define BRR REGISTER(UART + 0x0c)
#define ISR REGISTER(UART + 0x1c)
#define RDR REGISTER(UART + 0x24)
#define TDR REGISTER(UART + 0x28)

#define CR1_ON 0xdu /* UART, transmitter, receiver */
#define CR1_RX_INTERRUPT 0x20u
#define ISR_RX_READY 0x20u
#define ISR_TX_READY 0x80u

static const uart console = {
    .tx = &TDR, .tx_status = &ISR, .tx_ready = ISR_TX_READY,
    .rx = &RDR, .rx_status = &ISR, .rx_ready = ISR_RX_READY, .irq = UART_IRQ,
};

static void uart_enable(uint32_t interrupt)
{
    if (!(CR1 & CR1_ON)) {
        BRR = 64000000 / 115200; /* the boot loader clocks it with HSI */
        CR1 = CR1_ON;
    }
    CR1 = CR1_ON | interrupt;
}

void uart_putc(char c)
{
    uart_enable(0);
    uart_send(&console, c);
}

char uart_getc(void)
{
    uart_enable(CR1_RX_INTERRUPT);
    return uart_receive(&console);
}
