/* What UARTs have in common that tell by bits of a status register that they are ready. */
#ifndef UART_H
#define UART_H

#include <stdint.h>

typedef struct {
    volatile uint32_t *tx, *tx_status; /* takes a character while tx_ready is set */
    volatile uint32_t *rx, *rx_status; /* has one while rx_ready is set */
    uint32_t tx_ready, rx_ready;
    unsigned irq; /* of received characters */
} uart;

void uart_send(const uart *to, char c);
char uart_receive(const uart *from); /* sleeps until there is one */

#endif
