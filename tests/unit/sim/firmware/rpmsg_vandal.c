/* The sample firmware rpmsg_echo, which then does harm: SCRIBBLES over all that it shares with
 * Linux, RINGS without a reason and without an end, or RESETS the core in the middle of a message. */
#define main echo_main
#include "programs/rpmsg_echo.c"
#undef main

int main(void)
{
    (void)echo_main;
    while (!(resource_table.status & DRIVER_OK))
        wait_ms(1);
    for (unsigned i = 0; i < 2; i++)
        find(&queues[i], resource_table.vring[i].address);
    mailbox_listen();
    announce("rpmsg-tty");
#ifdef RESETS
    while (is_empty(&queues[TO_LINUX]))
        mailbox_wait();
    volatile struct message *half = message(&queues[TO_LINUX], take(&queues[TO_LINUX]));

    half->to = NAME_SERVICE_ADDRESS;
    half->length = sizeof half->data;
    queues[TO_LINUX].used->buffers[1].length = sizeof *half; /* but not its index */
    mailbox_ring(0);
    REGISTER(0xe000ed0c) = 0x05fa0004; /* AIRCR: request a reset */
#endif
    for (uint32_t value = 1;; value = value * 1664525 + 1013904223) {
#ifdef SCRIBBLES
        volatile uint32_t *word = (void *)queues[value >> 31].descriptors;

        word[(value >> 8) % 0x100] = value;
        ((volatile uint8_t *)&resource_table)[(value >> 16) % sizeof resource_table] = value;
#endif
        mailbox_ring(value >> 30 & 1);
    }
}
