#include "uart.h"
#include "nvic.h"

void uart_send(const uart *to, char c)
{
    while (!(*to->tx_status & to->tx_ready))
        ;
    *to->tx = (uint8_t)c;
}

char uart_receive(const uart *from)
{
    char c;

    nvic_enable(from->irq);
    while (!(*from->rx_status & from->rx_ready))
        __asm__ volatile("wfi");
    c = (char)*from->rx;
    nvic_clear(from->irq);
    return c;
}
