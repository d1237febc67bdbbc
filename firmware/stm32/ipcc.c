/* The IPCC of STM32MP1 and STM32MP2, whose processor 2 is the M core (reference manual RM0436,
 * chapter IPCC). As in Linux' device tree (stm32mp151.dtsi, m4_rproc): channel n + 1 rings for
 * queue n. */
#include "board.h"
#include "cortex-m/nvic.h"
#include "firmware.h"

#define C1TOC2SR REGISTER(IPCC + 0x0c)
#define C2CR REGISTER(IPCC + 0x10)
#define C2MR REGISTER(IPCC + 0x14)
#define C2SCR REGISTER(IPCC + 0x18)
#define C2TOC1SR REGISTER(IPCC + 0x1c)

#define CR_RX_INTERRUPT 1u
#define QUEUES 3u /* one bit each */

void mailbox_listen(void)
{
    nvic_enable(IPCC_IRQ);
    C2MR &= ~QUEUES;
    C2CR |= CR_RX_INTERRUPT;
}

void mailbox_ring(unsigned queue)
{
    /* Occupied: Linux has not looked since the last time, and will. */
    if (!(C2TOC1SR & 1u << queue))
        C2SCR = 0x10000u << queue;
}

void mailbox_wait(void)
{
    uint32_t rung;

    while (!(rung = C1TOC2SR & QUEUES))
        __asm__ volatile("wfi");
    C2SCR = rung;
    nvic_clear(IPCC_IRQ);
}
