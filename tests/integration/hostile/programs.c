/* Programs that try to keep their supervisor busy, to fill its memory, or to fool its operator.
 * -DPROGRAM=name chooses one. They run on a Cortex-M3 that QEMU simulates. */
#include "firmware.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#ifndef TRACES
#define TRACES 1
#endif
#ifndef TRACE_SIZE
#define TRACE_SIZE 16
#endif

static volatile char memory[TRACE_SIZE];

struct trace {
    uint32_t type;
    volatile void *address;
    uint32_t length, reserved;
    char name[32];
};

/* All trace buffers are the same memory. */
__attribute__((section(".resource_table"), used)) static struct {
    uint32_t version, entries, reserved[2], offset[TRACES];
    struct trace trace[TRACES];
} resource_table = {
    .version = 1,
    .entries = TRACES,
    .offset = {[0 ... TRACES - 1] = 16 + 4 * TRACES},
    .trace = {[0 ... TRACES - 1] = {2, TRACE_AT, TRACE_SIZE, 0, "trace"}},
};

static unsigned call(unsigned operation, const void *argument)
{
    register unsigned r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void print_for_ever(const char *text, unsigned length)
{
    for (;;)
        for (unsigned i = 0; i < length; i++)
            uart_putc(text[i]);
}
#define FLOOD(text) print_for_ever(text, sizeof text - 1)

static void fill(char c)
{
    for (unsigned i = 0; i < TRACE_SIZE - 1; i++)
        memory[i] = c;
}

static void letters_run(void) { FLOOD("x"); }
static void nuls_run(void) { FLOOD("\0"); }
static void lines_run(void) { FLOOD("\n"); }
static void escapes_run(void) { FLOOD("\033[2J\033]0;root\007\x9b" "31m\xe2\x80\xae\r\b"); }
static void remarks_run(void) { FLOOD("\0remoteproc-runtime: m3-0: crashed\n\0\0\0"); }

static void rewrites_run(void)
{
    for (char c = 'a';; c = c == 'z' ? 'a' : c + 1)
        fill(c);
}

static void clears_run(void)
{
    fill('x');
    for (;;)
        memory[0] = memory[0] ? '\0' : 'x';
}

static void last_byte_run(void)
{
    fill('x');
    for (;;)
        memory[TRACE_SIZE - 2]++;
}

static void both_run(void)
{
    for (;;) {
        fill('y');
        print(uart_putc, "and the console\n");
        fill('z');
    }
}

static void resets_run(void) { request_reset(); }
static void faults_run(void) { cause_fault(); }
static void deaf_run(void) { spin_masked(); }

static void sleeps_run(void)
{
    for (;;)
        __asm__ volatile("wfi");
}

static void barks_run(void)
{
    watchdog_start(1);
    spin_masked();
}

static void writes_run(void)
{
    for (;;)
        call(0x04, "\033[2Jwritten by semihosting\n"); /* SYS_WRITE0 */
}

static void commands_run(void)
{
    static const char command[] = "touch /tmp/remoteproc-hostile";
    const struct {
        const char *text;
        unsigned size;
    } block = {command, sizeof command - 1};

    for (;;)
        call(0x12, &block); /* SYS_SYSTEM */
}

static void opens_run(void)
{
    static const char name[] = "/etc/shadow";
    const struct {
        const char *text;
        unsigned mode, size;
    } block = {name, 0, sizeof name - 1};

    for (;;)
        call(0x01, &block); /* SYS_OPEN */
}

static void reads_run(void)
{
    for (;;)
        call(0x07, 0); /* SYS_READC: waits for input in other debuggers */
}

static void unknown_calls_run(void)
{
    for (unsigned operation = 0x100;; operation++)
        call(operation, 0);
}

static void exits_run(void) { semihosting_exit(CODE); }

static void peripherals_run(void)
{
    for (uint32_t at = 0x40000000;; at = at == 0x4000bffc ? 0x40000000 : at + 4)
        if (at < 0x40008000 || at >= 0x40009000) /* the watchdog would end it */
            REGISTER(at) = at * 2654435761u;
}

static void interrupts_run(void)
{
    for (;;) {
        REGISTER(0xe000e010) = 7; /* SysTick at each clock */
        REGISTER(0xe000e014) = 1;
        REGISTER(0xe000e200) = 0xffffffff; /* all interrupts pending */
        REGISTER(0xe000ed04) = 1u << 26;
    }
}

/* Each word of code is new, so QEMU translates without end. */
static void code_run(void)
{
    static volatile uint16_t code[1 << 16];

    for (uint16_t round = 0;; round++) {
        for (unsigned i = 0; i < (1 << 16) - 1; i++)
            code[i] = 0x2000 | (round & 0xff); /* movs r0, #round */
        code[(1 << 16) - 1] = 0x4770;          /* bx lr */
        __asm__ volatile("dsb\n isb");
        ((void (*)(void))((uintptr_t)code | 1))();
    }
}

int main(void)
{
    JOIN(PROGRAM, _run)();
    sleeps_run();
}
