/* MU1 of i.MX chips (reference manual IMX8MPRM, chapter MU; for the i.MX 93's layout Linux
 * drivers/mailbox/imx-mailbox.c). As in Linux' driver imx_rproc: register 1 carries the number of
 * the queue in its upper half. */
#include "board.h"
#include "cortex-m/nvic.h"
#include "firmware.h"

void mailbox_listen(void)
{
    nvic_enable(MU_IRQ);
    MU_RECEIVE_CONTROL |= MU_RECEIVED_1;
}

void mailbox_ring(unsigned queue)
{
    while (!(MU_SEND_STATUS & MU_SENT_1))
        ;
    MU_TR1 = queue << 16;
}

void mailbox_wait(void)
{
    while (!(MU_RECEIVE_STATUS & MU_RECEIVED_1))
        __asm__ volatile("wfi");
    (void)MU_RR1; /* whichever queue: the caller looks at both */
    nvic_clear(MU_IRQ);
}
