/* What all Cortex-M cores share: vector table, start-up, SysTick, semihosting, faults, reset.
 * Interrupts stay masked: WFI wakes on a pending one all the same, so no handlers are needed. */
#include "board.h"
#include "firmware.h"

#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define SCB_ICSR REGISTER(0xe000ed04)
#define SCB_AIRCR REGISTER(0xe000ed0c)

#define ICSR_PENDSTCLR (1u << 25)
#define ICSR_PENDSTSET (1u << 26)

extern uint32_t bss_start[], bss_end[], stack_top[];

void reset_handler(void)
{
    __asm__ volatile("cpsid i");
    for (uint32_t *word = bss_start; word < bss_end; word++)
        *word = 0;
    main();
    for (;;)
        __asm__ volatile("wfi");
}

/* The watchdog's bark: nothing to save here, wait for its bite. */
static void nmi_handler(void)
{
    for (;;)
        __asm__ volatile("wfi");
}

/* A fault while the core handles a fault locks it up, which the outside world can see. */
__attribute__((weak)) void fault_handler(void)
{
    cause_fault();
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top,     reset_handler, nmi_handler,
    fault_handler, /* HardFault; the others are off after reset and escalate to it */
};

void wait_ms(unsigned ms)
{
    const unsigned most = 0x1000000u / (CLOCK_HZ / 1000); /* SysTick counts 24 bits */

    while (ms > 0) {
        unsigned part = ms < most ? ms : most;

        SYST_RVR = CLOCK_HZ / 1000 * part - 1;
        SYST_CVR = 0;
        SYST_CSR = 7; /* core clock, interrupt, on */
        while (!(SCB_ICSR & ICSR_PENDSTSET))
            __asm__ volatile("wfi");
        SYST_CSR = 0;
        SCB_ICSR = ICSR_PENDSTCLR;
        ms -= part;
    }
}

/* SYS_EXIT_EXTENDED, Arm's semihosting specification. Without a listener BKPT is a fault. */
void semihosting_exit(unsigned code)
{
    const unsigned block[] = {0x20026 /* ADP_Stopped_ApplicationExit */, code};
    register unsigned operation __asm__("r0") = 0x20;
    register const void *argument __asm__("r1") = block;

    __asm__ volatile("bkpt 0xab" : "+r"(operation) : "r"(argument) : "memory");
    cause_fault();
}

void cause_fault(void)
{
    for (;;)
        __asm__ volatile("udf #0");
}

void request_reset(void)
{
    __asm__ volatile("dsb");
    SCB_AIRCR = 0x05fa0004; /* key, SYSRESETREQ */
    for (;;)
        ;
}

void spin_masked(void)
{
    __asm__ volatile("cpsid i");
    for (;;)
        ;
}
