/* QEMU's RISC-V `virt` machine, one hart in machine mode: -M virt -bios none
 * Interrupts stay masked: WFI wakes on a pending one all the same, so no handlers are needed. */
#include "firmware.h"

#define TEST_DEVICE REGISTER(0x100000) /* SiFive's: the machine's power button */
#define TEST_FAIL(code) (0x3333u | (code) << 16)
#define TEST_RESET 0x7777u

#define MTIMECMP_LOW REGISTER(0x2004000)
#define MTIMECMP_HIGH REGISTER(0x2004004)
#define MTIME_LOW REGISTER(0x200bff8)
#define MTIME_HIGH REGISTER(0x200bffc)
#define MTIME_HZ 10000000u

#define PLIC_PRIORITY(source) REGISTER(0xc000000 + 4 * (source))
#define PLIC_ENABLE REGISTER(0xc002000)
#define PLIC_CLAIM REGISTER(0xc200004)
#define UART_IRQ 10

#define UART ((volatile uint8_t *)0x10000000) /* NS16550 */
enum { UART_DATA = 0, UART_IER = 1, UART_LSR = 5 };
#define IER_RX 0x01
#define LSR_RX_READY 0x01
#define LSR_TX_EMPTY 0x40

#define MIE_TIMER_AND_EXTERNAL "0x880"

extern uint32_t bss_start[], bss_end[];

static void set_alarm(uint64_t when)
{
    MTIMECMP_HIGH = UINT32_MAX; /* no alarm while the halves do not match */
    MTIMECMP_LOW = (uint32_t)when;
    MTIMECMP_HIGH = (uint32_t)(when >> 32);
}

__attribute__((used)) static void start(void)
{
    for (uint32_t *word = bss_start; word < bss_end; word++)
        *word = 0;
    set_alarm(UINT64_MAX); /* it has gone off already: WFI would not sleep */
    main();
    for (;;)
        __asm__ volatile("wfi");
}

__attribute__((naked, section(".vectors"), used)) void reset_handler(void)
{
    __asm__ volatile("csrci mstatus, 8\n" /* MIE off */
                     "li t0, " MIE_TIMER_AND_EXTERNAL "\n"
                     "csrw mie, t0\n"
                     "la t0, trap\n"
                     "csrw mtvec, t0\n"
                     "la sp, stack_top\n"
                     "j start");
}

/* A fresh stack, as the old one may be what faulted. */
__attribute__((naked, aligned(4), used)) void trap(void)
{
    __asm__ volatile("la sp, stack_top\n"
                     "j fault_handler");
}

/* A hart has no lockup: a fault in its trap handler traps again for ever, which QEMU does not report.
 * So the handler reports failure to the test device, with the exit status of a program that a
 * SIGSEGV ended: 139. */
__attribute__((weak)) void fault_handler(void)
{
    TEST_DEVICE = TEST_FAIL(139u);
    spin_masked();
}

void uart_putc(char c)
{
    UART[UART_DATA] = c;
    while (!(UART[UART_LSR] & LSR_TX_EMPTY))
        ;
}

char uart_getc(void)
{
    char c;

    PLIC_PRIORITY(UART_IRQ) = 1;
    PLIC_ENABLE = 1u << UART_IRQ;
    UART[UART_IER] = IER_RX;
    while (!(UART[UART_LSR] & LSR_RX_READY))
        __asm__ volatile("wfi");
    c = UART[UART_DATA];
    PLIC_CLAIM = PLIC_CLAIM; /* claim the interrupt, then complete it */
    return c;
}

static uint64_t mtime(void)
{
    uint32_t high, low;

    do {
        high = MTIME_HIGH;
        low = MTIME_LOW;
    } while (high != MTIME_HIGH);
    return (uint64_t)high << 32 | low;
}

void wait_ms(unsigned ms)
{
    uint64_t end = mtime() + MTIME_HZ / 1000 * ms;

    set_alarm(end);
    while (mtime() < end)
        __asm__ volatile("wfi");
    set_alarm(UINT64_MAX);
}

/* SYS_EXIT_EXTENDED, RISC-V semihosting specification: the two odd shifts mark the ebreak, the
 * three must be uncompressed and on one page. Without a listener ebreak is a fault. */
void semihosting_exit(unsigned code)
{
    const unsigned block[] = {0x20026 /* ADP_Stopped_ApplicationExit */, code};
    register unsigned operation __asm__("a0") = 0x20;
    register const void *argument __asm__("a1") = block;

    __asm__ volatile(".option push\n"
                     ".option norvc\n"
                     ".balign 16\n"
                     "slli x0, x0, 0x1f\n"
                     "ebreak\n"
                     "srai x0, x0, 7\n"
                     ".option pop"
                     : "+r"(operation)
                     : "r"(argument)
                     : "memory");
    cause_fault();
}

void cause_fault(void)
{
    for (;;)
        __asm__ volatile("unimp");
}

void request_reset(void)
{
    TEST_DEVICE = TEST_RESET;
    for (;;)
        ;
}

void spin_masked(void)
{
    __asm__ volatile("csrci mstatus, 8");
    for (;;)
        ;
}
