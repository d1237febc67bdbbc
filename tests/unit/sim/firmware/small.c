/* The smallest firmware that prints on a board's UART, and then sleeps, crashes, exits or traces.
 * From the compiler's command line: UART, TX, STATUS, MASK, READY (the transmitter is ready if the
 * masked status is this), INIT (register writes), ACCESS (the type of a register), BOARD, PROGRAM. */
#include <stdint.h>

#define W(offset, value) (*(volatile ACCESS *)(UART + (offset)) = (value))
#define R(offset) (*(volatile ACCESS *)(UART + (offset)))

enum program { hello, crash, quit, trace, echo };

#if defined(__riscv)
#define SLEEP __asm__ volatile("wfi")
__asm__(".section .vectors, \"ax\"\n.option norvc\n.globl reset_handler\nreset_handler:\n"
        "csrr a0, mhartid\n1: bnez a0, 1b\nla sp, stack_top\nj main\n");
#elif defined(__aarch64__)
#define SLEEP __asm__ volatile("wfi")
__asm__(".section .vectors, \"ax\"\n.globl reset_handler\nreset_handler:\n"
        "adrp x0, stack_top\nadd x0, x0, :lo12:stack_top\nmov sp, x0\nb main\n");
#elif __ARM_ARCH_PROFILE == 'M'
#define SLEEP __asm__ volatile("wfi")
int main(void);
extern uint32_t stack_top[];
__asm__(".section .text\n.thumb_func\n.globl reset_handler\nreset_handler:\nbl main\n");
extern void reset_handler(void);
static void fault(void) { __asm__ volatile("udf #0"); }
__attribute__((section(".vectors"), used)) static void *const vectors[16] =
    {stack_top, reset_handler, 0, fault};
#else
#define SLEEP __asm__ volatile("wfi")
__asm__(".section .vectors, \"ax\"\n.arm\n.globl reset_handler\nreset_handler:\n"
        "b 1f\n.rept 7\nb .\n.endr\n1: ldr sp, =stack_top\nb main\n.ltorg\n");
#endif

/* A resource table with one trace buffer (include/linux/remoteproc.h). */
#define SIZE 256
static volatile char buffer[SIZE];
struct table {
    uint32_t version, count, reserved[2], offset;
    uint32_t type, address, length, unused;
    char name[32];
};
static const struct table table __attribute__((section(".resource_table"), used)) =
#if PROGRAM_TRACES && __SIZEOF_POINTER__ == 4
    {1, 1, {0, 0}, 20, 2, (uint32_t)buffer, SIZE, 0, "trace0"};
#else
    {1, 0};
#endif

static void await_transmitter(void)
{
    while ((R(STATUS) & MASK) != READY)
        ;
}

static void put(char c)
{
    await_transmitter();
    W(TX, (ACCESS)c);
}

static void say(const char *text)
{
    while (*text)
        put(*text++);
}

static void semihosting_exit(void)
{
#if defined(__riscv)
    static uintptr_t block[] = {0x20026, 7};
    register uintptr_t a0 __asm__("a0") = 0x20, a1 __asm__("a1") = (uintptr_t)block;
    __asm__ volatile(".option push\n.option norvc\n.balign 16\nslli x0, x0, 0x1f\nebreak\n"
                     "srai x0, x0, 7\n.option pop" : : "r"(a0), "r"(a1) : "memory");
#elif defined(__aarch64__)
    static uint64_t block[] = {0x20026, 7};
    register uint64_t x0 __asm__("x0") = 0x18, x1 __asm__("x1") = (uintptr_t)block;
    __asm__ volatile("hlt #0xf000" : : "r"(x0), "r"(x1) : "memory");
#else
    static uint32_t block[] = {0x20026, 7};
    register uint32_t r0 __asm__("r0") = 0x20, r1 __asm__("r1") = (uint32_t)block;
#if __ARM_ARCH_PROFILE == 'M'
    __asm__ volatile("bkpt 0xab" : : "r"(r0), "r"(r1) : "memory");
#elif defined(__thumb__)
    __asm__ volatile("svc 0xab" : : "r"(r0), "r"(r1) : "memory");
#else
    __asm__ volatile("svc 0x123456" : : "r"(r0), "r"(r1) : "memory");
#endif
#endif
}

int main(void)
{
    INIT;
    say("hello from " BOARD "\n");
    if (PROGRAM == crash)
        *(volatile int *)0 = 0, __builtin_trap();
    if (PROGRAM == quit) {
        await_transmitter();
        semihosting_exit();
    }
    if (PROGRAM == trace)
        for (int i = 0; i < 5; i++)
            buffer[i] = "trace"[i];
#ifdef RX
    while (PROGRAM == echo)
        if ((R(RXSTATUS) & RXMASK) == RXREADY)
            put((char)R(RX));
#endif
    for (;;)
        SLEEP;
}
