/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Adds to QEMU's machine `none` what a board file describes: a core, RAM, registers that keep what
 * is written, UARTs and a mailbox. QEMU is not changed: the dynamic linker loads this library into it
 * (LD_PRELOAD), and the library calls functions that QEMU exports for its modules.
 *
 * The description is in the environment, REMOTEPROC_MACHINE: items separated by `;`, each a word
 * and hexadecimal numbers, which README.md lists.
 *
 * QEMU's headers are not needed: of its structures only the beginning of MemoryRegionOps and
 * Notifier is written here (include/exec/memory.h, include/qemu/notify.h), alike in 7.2 and 10.0.
 */
#define _GNU_SOURCE /* program_invocation_short_name */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VARIABLE "REMOTEPROC_MACHINE"
#define PAGE 4096u
#define POLLED 2000u   /* reads of one register in a row: the firmware waits for a bit */
#define TOLD 8u        /* registers of which this is said */
#define ITEMS 64u      /* of each kind */
#define OBJECT 8192u   /* more bytes than a MemoryRegion or a CharBackend has */
#define FIFO 4096u
#define RAM_SHARED 2u

typedef struct Notifier {
    void (*notify)(struct Notifier *, void *);
    void *links[2];
} Notifier;

typedef struct {
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    void *with_attributes[2];
    int endianness; /* 2: little; all after it 0: accesses of 1 to 4 bytes, as they come */
    char rest[256];
} Ops;

/* Weak: a QEMU that exports nothing is told apart from a linker's error. */
#define IMPORT extern __attribute__((weak))
IMPORT void qemu_add_machine_init_done_notifier(Notifier *);
IMPORT void *get_system_memory(void);
IMPORT void memory_region_init_ram_nomigrate(void *, void *, const char *, uint64_t, void **);
IMPORT void memory_region_init_ram_from_fd(void *, void *, const char *, uint64_t, uint32_t, int,
                                           uint64_t, void **);
IMPORT void memory_region_init_alias(void *, void *, const char *, void *, uint64_t, uint64_t);
IMPORT void memory_region_init_io(void *, void *, const Ops *, void *, const char *, uint64_t);
IMPORT void memory_region_add_subregion_overlap(void *, uint64_t, void *, int);
IMPORT void *qdev_new(const char *);
IMPORT void qdev_prop_set_uint32(void *, const char *, uint32_t);
IMPORT void qdev_prop_set_string(void *, const char *, const char *);
IMPORT bool object_property_set_link(void *, const char *, void *, void **);
IMPORT bool sysbus_realize_and_unref(void *, void **);
IMPORT void *clock_new(void *, const char *);
IMPORT bool clock_set(void *, uint64_t);
IMPORT void qdev_connect_clock_in(void *, const char *, void *);
IMPORT void *qdev_get_machine(void);
IMPORT void *qdev_get_gpio_in(void *, int);
IMPORT void qemu_set_irq(void *, int);
IMPORT void qemu_register_reset(void (*)(void *), void *);
IMPORT void cpu_reset(void *);
IMPORT void *qemu_get_cpu(int);
IMPORT void *qemu_chr_find(const char *);
IMPORT bool qemu_chr_fe_init(void *, void *, void **);
IMPORT int qemu_chr_fe_write_all(void *, const uint8_t *, int);
IMPORT void qemu_chr_fe_accept_input(void *);
IMPORT void qemu_chr_fe_set_handlers(void *, int (*)(void *), void (*)(void *, const uint8_t *, int),
                                     void *, void *, void *, void *, bool);
IMPORT void qemu_set_fd_handler(int, void (*)(void *), void (*)(void *), void *);
IMPORT const char *error_get_pretty(void *);

/* A line that begins with `qemu: ` is an error of QEMU's for whoever reads its output. */
static _Noreturn void give_up(const char *format, ...)
{
    va_list given;

    fputs("qemu: generic machine: ", stderr);
    va_start(given, format);
    vfprintf(stderr, format, given);
    va_end(given);
    fputc('\n', stderr);
    _exit(1);
}

static void check(void *error)
{
    if (error)
        give_up("%s", error_get_pretty(error));
}

static void *fresh(size_t size)
{
    void *made = calloc(1, size);

    if (!made)
        give_up("no memory");
    return made;
}

/* --- registers ------------------------------------------------------------------------------- */

typedef struct {
    uint64_t base, size;
    uint32_t **pages; /* of written registers; 0 where none of a page was written */
} Bank;

typedef struct {
    uint64_t address;
    uint32_t value;
} Constant;

static Constant constants[ITEMS];
static unsigned constant_count;

static uint32_t *cell(Bank *bank, uint64_t offset)
{
    uint32_t **page = &bank->pages[offset / PAGE];

    if (!*page)
        *page = fresh(PAGE);
    return *page + offset % PAGE / 4;
}

static bool constant(uint64_t address, uint32_t *value)
{
    for (unsigned i = 0; i < constant_count; i++)
        if (constants[i].address == address) {
            *value = constants[i].value;
            return true;
        }
    return false;
}

/* Firmware that reads one register again and again waits for a bit. Which, nobody here knows: so
 * it is offered all of them, none, and every second one. */
static void offer(Bank *bank, uint64_t offset, bool anew)
{
    static const uint32_t offers[] = {0xffffffff, 0, 0x55555555, 0xaaaaaaaa};
    static uint64_t polled, told[TOLD];
    static unsigned count, told_count;
    uint64_t address = bank->base + offset;

    if (anew || address != polled) {
        polled = address;
        count = 0;
    }
    if (++count % POLLED)
        return;
    *cell(bank, offset) = offers[count / POLLED % 4 ? count / POLLED % 4 - 1 : 3];
    for (unsigned i = 0; i < told_count; i++)
        if (told[i] == address)
            return;
    if (told_count == TOLD)
        return;
    told[told_count++] = address;
    fprintf(stderr, "simulated registers: the firmware polls 0x%08" PRIx64
            "; it is offered ffffffff, 0, 55555555 and aaaaaaaa in turn\n", address);
}

static uint64_t part(uint32_t value, uint64_t offset, unsigned size)
{
    value >>= offset % 4 * 8;
    return size < 4 ? value & ((1u << size * 8) - 1) : value;
}

static void put(uint32_t *word, uint64_t offset, uint64_t value, unsigned size)
{
    uint32_t mask = (size < 4 ? (1u << size * 8) - 1 : ~0u) << offset % 4 * 8;

    *word = (*word & ~mask) | ((uint32_t)value << offset % 4 * 8 & mask);
}

static uint64_t bank_read(void *opaque, uint64_t offset, unsigned size)
{
    Bank *bank = opaque;
    uint64_t at = offset & ~3ull;
    uint32_t value;

    if (constant(bank->base + at, &value))
        return part(value, offset, size);
    offer(bank, at, false);
    return part(bank->pages[at / PAGE] ? *cell(bank, at) : 0, offset, size);
}

static void bank_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    offer(opaque, offset & ~3ull, true);
    put(cell(opaque, offset & ~3ull), offset, value, size);
}

/* --- UARTs ----------------------------------------------------------------------------------- */

typedef struct {
    uint64_t offset;
    uint32_t idle, received; /* what a status register reads as without and with input */
} Status;

typedef struct {
    Bank bank;
    uint64_t transmit, receive;
    uint32_t with; /* bits that a received byte is read with */
    uint64_t latch_at; /* while these bits of that register are set, both registers are others */
    uint32_t latch;
    int line;      /* interrupt while there is input, -1 for none */
    Status states[8];
    unsigned state_count;
    void *irq;
    uint8_t fifo[FIFO];
    unsigned head, waiting;
} Uart;

static Uart *uarts[ITEMS];
static unsigned uart_count;
static void *console; /* CharBackend; all UARTs print here, the first gets the input */

static bool latched(Uart *uart)
{
    return uart->latch && *cell(&uart->bank, uart->latch_at) & uart->latch;
}

static void uart_line(Uart *uart)
{
    if (uart->irq)
        qemu_set_irq(uart->irq, uart->waiting > 0);
}

static uint64_t uart_read(void *opaque, uint64_t offset, unsigned size)
{
    Uart *uart = opaque;

    if (uart->waiting && offset == uart->receive && !latched(uart)) {
        uint32_t byte = uart->fifo[uart->head] | uart->with;

        uart->head = (uart->head + 1) % FIFO;
        uart->waiting--;
        uart_line(uart);
        qemu_chr_fe_accept_input(console);
        return part(byte, 0, size);
    }
    for (unsigned i = 0; i < uart->state_count; i++)
        if (uart->states[i].offset == (offset & ~3ull)) {
            const Status *state = &uart->states[i];

            return part(uart->waiting ? state->received : state->idle, offset, size);
        }
    return bank_read(&uart->bank, offset, size);
}

static void uart_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Uart *uart = opaque;
    uint8_t byte = value;

    if (offset != uart->transmit || latched(uart))
        bank_write(&uart->bank, offset, value, size);
    else if (console)
        qemu_chr_fe_write_all(console, &byte, 1);
}

static int can_receive(void *opaque)
{
    return FIFO - ((Uart *)opaque)->waiting;
}

static void receive(void *opaque, const uint8_t *bytes, int count)
{
    Uart *uart = opaque;

    for (int i = 0; i < count && uart->waiting < FIFO; i++)
        uart->fifo[(uart->head + uart->waiting++) % FIFO] = bytes[i];
    uart_line(uart);
}

/* --- the mailbox ----------------------------------------------------------------------------- */

/* The firmware's side of a mailbox between it and Linux. Whoever plays Linux is behind a socket: a
 * byte is the number of a queue, in both directions; READY says that the firmware listens. */
#define QUEUES 6u
#define ALL_QUEUES ((1u << QUEUES) - 1)
#define READY 0xff

typedef struct {
    Bank bank;
    const struct MuLayout *mu; /* of i.MX's mailboxes */
    int fd, receive_line, send_line;
    void *receive_irq, *send_irq;
    uint32_t rung, again; /* queues that Linux rang for, once and more than once */
    bool told;
} Mailbox;

static Mailbox *mailbox;

static void ring(Mailbox *box, uint8_t queue)
{
    /* If the socket is full, its reader has bytes to wake up for. */
    (void)!send(box->fd, &queue, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void mailbox_lines(Mailbox *box, bool listens, bool receive, bool sent)
{
    if (box->receive_irq)
        qemu_set_irq(box->receive_irq, receive || (sent && !box->send_irq));
    if (box->send_irq)
        qemu_set_irq(box->send_irq, sent);
    if (listens && !box->told) {
        box->told = true;
        ring(box, READY);
    }
}

/* STM32's IPCC, the registers of processor 2 (RM0436, chapter IPCC). Linux is faster than the
 * firmware: a channel is always free again when the firmware looks. */
enum { C1TOC2SR = 0x0c, C2CR = 0x10, C2MR = 0x14, C2SCR = 0x18, C2TOC1SR = 0x1c };

static void ipcc_update(Mailbox *box)
{
    uint32_t control = *cell(&box->bank, C2CR), shown = ~*cell(&box->bank, C2MR);

    mailbox_lines(box, control & 1 && shown & ALL_QUEUES, control & 1 && box->rung & shown,
                  control >> 16 & 1 && shown >> 16 & ALL_QUEUES);
}

static uint64_t ipcc_read(void *opaque, uint64_t offset, unsigned size)
{
    Mailbox *box = opaque;

    if ((offset & ~3ull) == C1TOC2SR)
        return part(box->rung, offset, size);
    if ((offset & ~3ull) == C2TOC1SR)
        return 0;
    return part(*cell(&box->bank, offset & ~3ull), offset, size);
}

static void ipcc_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Mailbox *box = opaque;

    if (offset == C2SCR) {
        for (unsigned queue = 0; queue < QUEUES; queue++)
            if (value >> 16 >> queue & 1)
                ring(box, queue);
        box->rung = (box->rung & ~value) | (box->again & value);
        box->again &= ~value;
    } else if ((offset & ~3ull) != C1TOC2SR) {
        put(cell(&box->bank, offset & ~3ull), offset, value, size);
    }
    ipcc_update(box);
}

/* i.MX's MU (IMX8MPRM, chapter MU) and its second version (Linux drivers/mailbox/imx-mailbox.c): as
 * NXP's and Linux' drivers use it, register 1 of each direction carries the number of the queue in
 * its upper half. */
struct MuLayout {
    uint64_t send, receive; /* the first of 4 registers */
    uint64_t sent_status, received_status, sent_control, received_control;
    uint32_t received_1, sent_all; /* bits */
};
static const struct MuLayout mu_1 = {0x0, 0x10, 0x20, 0x20, 0x24, 0x24, 1u << 26, 15u << 20};
static const struct MuLayout mu_2 = {0x200, 0x280, 0x124, 0x12c, 0x120, 0x128, 1u << 1, 15u};

static void mu_update(Mailbox *box)
{
    bool listens = *cell(&box->bank, box->mu->received_control) & box->mu->received_1;

    mailbox_lines(box, listens, listens && box->rung,
                  *cell(&box->bank, box->mu->sent_control) & box->mu->sent_all);
}

static uint64_t mu_read(void *opaque, uint64_t offset, unsigned size)
{
    Mailbox *box = opaque;
    const struct MuLayout *mu = box->mu;
    uint64_t at = offset & ~3ull;
    uint32_t value = 0;

    if (at == mu->sent_status || at == mu->received_status) {
        value = (at == mu->sent_status ? mu->sent_all : 0) |
                (at == mu->received_status && box->rung ? mu->received_1 : 0);
    } else if (offset == mu->receive + 4 && box->rung) {
        value = (uint32_t)__builtin_ctz(box->rung) << 16;
        box->rung &= box->rung - 1;
        mu_update(box);
    } else if (offset < mu->receive || offset >= mu->receive + 16) {
        value = *cell(&box->bank, at);
    }
    return part(value, offset, size);
}

static void mu_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Mailbox *box = opaque;

    if (offset >= box->mu->send && offset < box->mu->send + 16)
        ring(box, value >> 16 & 1);
    else
        put(cell(&box->bank, offset & ~3ull), offset, value, size);
    mu_update(box);
}

/* TI's mailbox (Linux drivers/mailbox/omap-mailbox.c, k3-am62*.dtsi): a message is the number of a
 * queue; the firmware takes it from the second FIFO and writes to the first. Users 1 to 3 are not
 * Linux; which one the firmware is does not matter here. */
enum { MESSAGE = 0x40, COUNT = 0xc0, USERS = 0x110, USERS_END = 0x140 };
#define NEW_MESSAGE (1u << 2)

static uint32_t *enabled(Mailbox *box, uint64_t offset)
{
    return cell(&box->bank, (offset & ~15ull) + 8);
}

static void omap_update(Mailbox *box)
{
    uint32_t listens = 0;

    for (uint64_t user = USERS; user < USERS_END; user += 16)
        listens |= *enabled(box, user) & NEW_MESSAGE;
    mailbox_lines(box, listens, listens && box->rung, false);
}

static uint64_t omap_read(void *opaque, uint64_t offset, unsigned size)
{
    Mailbox *box = opaque;
    uint64_t at = offset & ~3ull;
    uint32_t value = 0;

    if (at == MESSAGE + 4 && box->rung) {
        value = (uint32_t)__builtin_ctz(box->rung);
        box->rung &= box->rung - 1;
        omap_update(box);
    } else if (at == COUNT + 4) {
        value = (uint32_t)__builtin_popcount(box->rung);
    } else if (at >= USERS && at < USERS_END) {
        value = at % 16 < 8 ? (box->rung ? NEW_MESSAGE : 0) : *enabled(box, at);
        if (at % 16 == 4)
            value &= *enabled(box, at);
    } else if (at < MESSAGE) {
        value = *cell(&box->bank, at);
    }
    return part(value, offset, size);
}

static void omap_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Mailbox *box = opaque;

    if (offset == MESSAGE && value < QUEUES)
        ring(box, value);
    else if (offset >= USERS && offset < USERS_END && offset % 16 == 8)
        *enabled(box, offset) |= value;
    else if (offset >= USERS && offset < USERS_END && offset % 16 == 12)
        *enabled(box, offset) &= ~value;
    else if (offset < MESSAGE)
        put(cell(&box->bank, offset & ~3ull), offset, value, size);
    omap_update(box);
}

static const struct {
    const char *kind;
    Ops ops;
    void (*update)(Mailbox *);
    uint64_t size;
    const struct MuLayout *mu;
} kinds[] = {
    {"stm32-ipcc", {.read = ipcc_read, .write = ipcc_write, .endianness = 2}, ipcc_update, 0x400,
     NULL},
    {"imx-mu", {.read = mu_read, .write = mu_write, .endianness = 2}, mu_update, 0x1000, &mu_1},
    {"imx-mu2", {.read = mu_read, .write = mu_write, .endianness = 2}, mu_update, 0x1000, &mu_2},
    {"ti-mailbox", {.read = omap_read, .write = omap_write, .endianness = 2}, omap_update, 0x200,
     NULL},
};
static void (*mailbox_update)(Mailbox *);

static void linux_rang(void *opaque)
{
    Mailbox *box = opaque;
    uint8_t queues[64];
    ssize_t count = recv(box->fd, queues, sizeof queues, MSG_DONTWAIT);

    if (count <= 0 && (count == 0 || errno != EAGAIN))
        qemu_set_fd_handler(box->fd, NULL, NULL, NULL);
    for (ssize_t i = 0; i < count; i++)
        if (queues[i] < QUEUES) {
            box->again |= box->rung & 1u << queues[i];
            box->rung |= 1u << queues[i];
        }
    mailbox_update(box);
}

/* --- the machine ----------------------------------------------------------------------------- */

static const Ops bank_ops = {.read = bank_read, .write = bank_write, .endianness = 2};
static const Ops uart_ops = {.read = uart_read, .write = uart_write, .endianness = 2};
static void *core; /* the device `armv7m`, 0 where QEMU itself made the core */
static int shared = -1; /* the file of all memory, if another process sees the memory */
static uint64_t shared_before; /* bytes of that file which are in use */

static void place(void *region, uint64_t address, int priority)
{
    memory_region_add_subregion_overlap(get_system_memory(), address, region, priority);
}

static void add_bank(Bank *bank, const Ops *ops, void *opaque, int priority)
{
    void *region = fresh(OBJECT);

    bank->pages = fresh((bank->size / PAGE + 1) * sizeof *bank->pages);
    memory_region_init_io(region, NULL, ops, opaque, "simulated registers", bank->size);
    place(region, bank->base, priority);
}

static void add_ram(uint64_t address, uint64_t size, uint64_t alias)
{
    void *region = fresh(OBJECT), *error = NULL;
    char name[32];

    snprintf(name, sizeof name, "ram-%" PRIx64, address);
    if (alias != address) {
        memory_region_init_alias(region, NULL, name, get_system_memory(), alias, size);
    } else if (shared >= 0) {
        memory_region_init_ram_from_fd(region, NULL, name, size, RAM_SHARED, dup(shared),
                                       shared_before, &error);
        check(error);
        shared_before += size;
    } else {
        memory_region_init_ram_nomigrate(region, NULL, name, size, &error);
        check(error);
    }
    place(region, address, 2);
}

static void add_mailbox(const char *kind, uint64_t address, int receive, int send, int fd)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i].kind)) {
            mailbox = fresh(sizeof *mailbox);
            mailbox->bank = (Bank){.base = address, .size = kinds[i].size};
            mailbox->receive_line = receive;
            mailbox->send_line = send;
            mailbox->fd = fd;
            mailbox->mu = kinds[i].mu;
            mailbox_update = kinds[i].update;
            add_bank(&mailbox->bank, &kinds[i].ops, mailbox, 1);
            if (kinds[i].update == ipcc_update)
                *cell(&mailbox->bank, C2MR) = ~0u; /* after a reset all is masked */
            return;
        }
    give_up("no mailbox is called `%s`", kind);
}

static void connect_mailbox(void)
{
    if (!mailbox)
        return;
    if (core && mailbox->receive_line >= 0)
        mailbox->receive_irq = qdev_get_gpio_in(core, mailbox->receive_line);
    if (core && mailbox->send_line >= 0)
        mailbox->send_irq = qdev_get_gpio_in(core, mailbox->send_line);
    qemu_set_fd_handler(mailbox->fd, linux_rang, NULL, mailbox);
}

static void reset_core(void *cpu)
{
    cpu_reset(cpu);
}

static void add_core(const char *type, uint32_t interrupts, uint64_t vectors, uint64_t hertz)
{
    void *error = NULL, *clock = clock_new(qdev_get_machine(), "core-clock");

    clock_set(clock, (1000000000ull << 32) / hertz);
    core = qdev_new("armv7m");
    qdev_prop_set_uint32(core, "num-irq", interrupts);
    qdev_prop_set_string(core, "cpu-type", type);
    qdev_prop_set_uint32(core, strstr(type, "m33") || strstr(type, "m55") ? "init-svtor"
                                                                          : "init-nsvtor",
                         vectors);
    qdev_connect_clock_in(core, "cpuclk", clock);
    object_property_set_link(core, "memory", get_system_memory(), &error);
    check(error);
    sysbus_realize_and_unref(core, &error);
    check(error);
    qemu_register_reset(reset_core, qemu_get_cpu(0));
}

static void add_console(void)
{
    void *device = qemu_chr_find("con"), *error = NULL;

    for (unsigned i = 0; i < uart_count; i++)
        if (core && uarts[i]->line >= 0)
            uarts[i]->irq = qdev_get_gpio_in(core, uarts[i]->line);
    if (!device || !uart_count)
        return;
    console = fresh(OBJECT);
    qemu_chr_fe_init(console, device, &error);
    check(error);
    qemu_chr_fe_set_handlers(console, can_receive, receive, NULL, NULL, uarts[0], NULL, true);
}

/* --- the description ------------------------------------------------------------------------- */

static Uart *last_uart(const char *item)
{
    if (!uart_count)
        give_up("`%s` is before any uart", item);
    return uarts[uart_count - 1];
}

static void add(const char *item)
{
    uint64_t a = 0, b = 0, c = 0, d = 0;
    char name[64];
    int line, second, fd;

    if (sscanf(item, "core %63s %" SCNx64 " %" SCNx64 " %" SCNx64, name, &a, &b, &c) == 4 && c) {
        add_core(name, a, b, c);
    } else if (sscanf(item, "ram %" SCNx64 " %" SCNx64 " %" SCNx64, &a, &b, &c) == 3) {
        add_ram(a, b, c);
    } else if (sscanf(item, "shared %d", &fd) == 1) {
        shared = fd;
    } else if (sscanf(item, "mailbox %63s %" SCNx64 " %d %d %d", name, &a, &line, &second, &fd) ==
               5) {
        if (mailbox)
            give_up("more than one mailbox");
        add_mailbox(name, a, line, second, fd);
    } else if (sscanf(item, "registers %" SCNx64 " %" SCNx64, &a, &b) == 2) {
        Bank *bank = fresh(sizeof *bank);

        *bank = (Bank){.base = a, .size = b};
        add_bank(bank, &bank_ops, bank, 0);
    } else if (sscanf(item, "constant %" SCNx64 " %" SCNx64, &a, &b) == 2) {
        if (constant_count == ITEMS)
            give_up("more than %u constants", ITEMS);
        constants[constant_count++] = (Constant){a, b};
    } else if (sscanf(item, "uart %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %d", &a, &b, &c,
                      &d, &line) == 5) {
        Uart *uart = fresh(sizeof *uart);

        if (uart_count == ITEMS)
            give_up("more than %u UARTs", ITEMS);
        uarts[uart_count++] = uart;
        uart->bank = (Bank){.base = a, .size = b};
        uart->transmit = c;
        uart->receive = d;
        uart->line = line;
        add_bank(&uart->bank, &uart_ops, uart, 1);
    } else if (sscanf(item, "status %" SCNx64 " %" SCNx64 " %" SCNx64, &a, &b, &c) == 3) {
        Uart *uart = last_uart(item);

        if (uart->state_count == sizeof uart->states / sizeof *uart->states)
            give_up("a UART has too many status registers");
        uart->states[uart->state_count++] = (Status){a, b, c};
    } else if (sscanf(item, "latch %" SCNx64 " %" SCNx64, &a, &b) == 2) {
        Uart *uart = last_uart(item);

        if (a >= uart->bank.size)
            give_up("`%s` is outside of the UART", item);
        uart->latch_at = a;
        uart->latch = b;
    } else if (sscanf(item, "with %" SCNx64, &a) == 1) {
        last_uart(item)->with = a;
    } else {
        give_up("`%s` is not understood", item);
    }
}

static void describe(Notifier *notifier, void *unused)
{
    char *description = strdup(getenv(VARIABLE)), *rest = NULL;

    (void)notifier, (void)unused;
    for (char *item = strtok_r(description, ";", &rest); item; item = strtok_r(NULL, ";", &rest))
        add(item);
    free(description);
    add_console();
    connect_mailbox();
}

__attribute__((constructor)) static void begin(void)
{
    static Notifier notifier = {.notify = describe};

    /* A wrapper of QEMU's hands the environment on. */
    if (!getenv(VARIABLE) || strncmp(program_invocation_short_name, "qemu-system", 11))
        return;
    if (!qemu_add_machine_init_done_notifier || !memory_region_init_io || !qdev_new ||
        !qemu_chr_fe_accept_input || !qemu_get_cpu || !error_get_pretty ||
        !memory_region_init_ram_from_fd || !qemu_set_fd_handler)
        give_up("this QEMU does not export its functions; use a distribution's");
    qemu_add_machine_init_done_notifier(&notifier);
}
