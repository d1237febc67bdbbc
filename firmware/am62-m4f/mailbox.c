/* The mailbox of the AM62x between Linux and the M4F (Linux drivers/mailbox/omap-mailbox.c; Zephyr
 * am62x_m4.dtsi: address, interrupt, user 2). As in Linux' device tree (k3-am62x-sk-common.dtsi,
 * mbox_m4_0): the M4F writes to FIFO 0 and reads from FIFO 1. A message is the number of a queue. */
#include "cortex-m/nvic.h"
#include "firmware.h"

#define MAILBOX 0x29000000
#define TO_LINUX REGISTER(MAILBOX + 0x40)
#define FROM_LINUX REGISTER(MAILBOX + 0x44)
#define TO_LINUX_FULL REGISTER(MAILBOX + 0x80)
#define FROM_LINUX_COUNT REGISTER(MAILBOX + 0xc4)
#define STATUS REGISTER(MAILBOX + 0x124)
#define ENABLE REGISTER(MAILBOX + 0x128)
#define NEW_MESSAGE_1 (1u << 2)

#define IRQ 50

void mailbox_listen(void)
{
    nvic_enable(IRQ);
    ENABLE = NEW_MESSAGE_1;
}

void mailbox_ring(unsigned queue)
{
    while (TO_LINUX_FULL & 1)
        ;
    TO_LINUX = queue;
}

void mailbox_wait(void)
{
    while (!FROM_LINUX_COUNT)
        __asm__ volatile("wfi");
    (void)FROM_LINUX; /* whichever queue: the caller looks at both */
    STATUS = NEW_MESSAGE_1;
    nvic_clear(IRQ);
}
