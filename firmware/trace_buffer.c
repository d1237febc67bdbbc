/* A trace buffer, and the resource table that tells Linux where it is: include/linux/remoteproc.h has
 * the layout. */
#include "firmware.h"

#define TRACE_SIZE 4096
#define RSC_TRACE 2

static volatile char trace_buffer[TRACE_SIZE];

/* Writable memory, not read-only: the kernel fills in addresses before it starts the core. */
__attribute__((section(".resource_table"), used)) static struct {
    uint32_t version, entries, reserved[2];
    uint32_t offset[1]; /* of each entry, from the start of the table */
    struct {
        uint32_t type;
        volatile void *address; /* as the core sees it */
        uint32_t length, reserved;
        char name[32];
    } trace;
} resource_table = {
    .version = 1,
    .entries = 1,
    .offset = {20},
    .trace = {RSC_TRACE, trace_buffer, TRACE_SIZE, 0, "trace0"},
};

/* Linux reads up to the first NUL. The last byte always stays one; when the buffer is full, new
 * text overwrites the oldest from the start, and what follows it is old text. Zephyr does so too. */
void trace_putc(char c)
{
    static unsigned position;

    trace_buffer[position] = c;
    position = (position + 1) % (TRACE_SIZE - 1);
}
