/* Announces the channel `rpmsg-tty` and sends each message back to whoever sent it, after ANSWER.
 *
 * Written from the layouts in OASIS Virtual I/O Device (VIRTIO) 1.1, section 2.6, and in Linux'
 * include/linux/remoteproc.h, include/linux/rpmsg/ns.h and drivers/rpmsg/virtio_rpmsg_bus.c. */
#include "firmware.h"

#ifndef ANSWER
#define ANSWER "" /* what is sent before a message that is sent back */
#endif

#define BUFFERS 16u /* in each queue */
#define ALIGN 16u
#define RSC_VDEV 3
#define VIRTIO_RPMSG 7
#define NAME_SERVICE 1u /* a feature */
#define DRIVER_OK 4u
#define ANYWHERE 0xffffffffu

#define NAME_SERVICE_ADDRESS 53
#define OUR_ADDRESS 0x401

struct vring {
    volatile uint32_t address;
    uint32_t align, buffers, notify_id, physical;
};

/* Writable memory: Linux chooses where the queues are, and sets the status when it is ready. */
__attribute__((section(".resource_table"), used)) static struct {
    uint32_t version, entries, reserved[2], offset[1];
    uint32_t type, id, notify_id, features, guest_features, config_size;
    volatile uint8_t status;
    uint8_t vrings, unused[2];
    struct vring vring[2];
} resource_table = {
    .version = 1,
    .entries = 1,
    .offset = {20},
    .type = RSC_VDEV,
    .id = VIRTIO_RPMSG,
    .features = NAME_SERVICE,
    .vrings = 2,
    .vring = {{ANYWHERE, ALIGN, BUFFERS, 0, 0}, {ANYWHERE, ALIGN, BUFFERS, 1, 0}},
};

struct message {
    uint32_t from, to, reserved;
    uint16_t length, flags;
    uint8_t data[496];
};

struct queue {
    volatile struct {
        uint64_t address;
        uint32_t length;
        uint16_t flags, next;
    } *descriptors;
    volatile struct {
        uint16_t flags, index, buffers[BUFFERS];
    } *available;
    volatile struct {
        uint16_t flags, index;
        struct {
            uint32_t buffer, length;
        } buffers[BUFFERS];
    } *used;
    uint16_t taken;
};

enum { TO_LINUX, FROM_LINUX };
static struct queue queues[2];

static void find(struct queue *queue, uintptr_t address)
{
    uintptr_t after;

    queue->descriptors = (void *)address;
    queue->available = (void *)(address + BUFFERS * sizeof *queue->descriptors);
    after = (uintptr_t)queue->available + sizeof *queue->available + 2;
    queue->used = (void *)((after + ALIGN - 1) / ALIGN * ALIGN);
}

static int is_empty(struct queue *queue)
{
    int empty = queue->available->index == queue->taken;

    __asm__ volatile("dmb" : : : "memory");
    return empty;
}

static uint16_t take(struct queue *queue)
{
    return queue->available->buffers[queue->taken++ % BUFFERS];
}

static volatile struct message *message(struct queue *queue, uint16_t buffer)
{
    return (void *)(uintptr_t)queue->descriptors[buffer].address;
}

static void give_back(struct queue *queue, uint16_t buffer, uint32_t length)
{
    uint16_t index = queue->used->index;

    queue->used->buffers[index % BUFFERS].buffer = buffer;
    queue->used->buffers[index % BUFFERS].length = length;
    __asm__ volatile("dmb" : : : "memory");
    queue->used->index = index + 1;
    __asm__ volatile("dmb" : : : "memory");
    mailbox_ring(queue == &queues[FROM_LINUX]);
}

static void send(uint32_t from, uint32_t to, const char *first, const volatile uint8_t *data,
                 uint16_t length)
{
    struct queue *queue = &queues[TO_LINUX];
    volatile struct message *out;
    uint16_t buffer, size = 0;

    while (is_empty(queue))
        mailbox_wait();
    buffer = take(queue);
    out = message(queue, buffer);
    out->from = from;
    out->to = to;
    out->reserved = 0;
    while (*first)
        out->data[size++] = (uint8_t)*first++;
    for (uint16_t i = 0; i < length && size < sizeof out->data; i++)
        out->data[size++] = data[i];
    out->length = size;
    out->flags = 0;
    give_back(queue, buffer, 16u + size);
}

static void announce(const char *name)
{
    static struct {
        char name[32];
        uint32_t address, flags;
    } announcement = {.address = OUR_ADDRESS};

    for (unsigned i = 0; name[i] && i < sizeof announcement.name - 1; i++)
        announcement.name[i] = name[i];
    send(OUR_ADDRESS, NAME_SERVICE_ADDRESS, "", (const uint8_t *)&announcement,
         sizeof announcement);
}

int main(void)
{
    struct queue *queue = &queues[FROM_LINUX];

    print(CONSOLE, "rpmsg_echo from " TARGET "\n");
    while (!(resource_table.status & DRIVER_OK))
        wait_ms(1);
    for (unsigned i = 0; i < 2; i++)
        find(&queues[i], resource_table.vring[i].address);
    mailbox_listen();
    announce("rpmsg-tty");
    for (;;) {
        while (!is_empty(queue)) {
            uint16_t buffer = take(queue);
            volatile struct message *in = message(queue, buffer);

            send(OUR_ADDRESS, in->from, ANSWER, in->data, in->length);
            give_back(queue, buffer, 0);
        }
        mailbox_wait();
    }
}
