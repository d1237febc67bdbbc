/* UART and watchdog of Arm's CMSDK, which the MPS2 boards have. */
#include "board.h"
#include "cortex-m/nvic.h"
#include "firmware.h"

#define UART_DATA REGISTER(UART_BASE + 0x00)
#define UART_STATE REGISTER(UART_BASE + 0x04)
#define UART_CTRL REGISTER(UART_BASE + 0x08)
#define UART_INTCLEAR REGISTER(UART_BASE + 0x0c)
#define UART_BAUDDIV REGISTER(UART_BASE + 0x10)

#define STATE_TX_FULL 1u
#define STATE_RX_FULL 2u
#define CTRL_TX 1u
#define CTRL_RX 2u
#define CTRL_RX_INTERRUPT 8u
#define INTERRUPT_RX 2u

#define WATCHDOG_LOAD REGISTER(WATCHDOG_BASE + 0x000)
#define WATCHDOG_CTRL REGISTER(WATCHDOG_BASE + 0x008)
#define WATCHDOG_LOCK REGISTER(WATCHDOG_BASE + 0xc00)

static void uart_enable(uint32_t interrupt)
{
    if (!(UART_CTRL & CTRL_RX)) {
        UART_BAUDDIV = CLOCK_HZ / 115200;
        UART_CTRL = CTRL_TX | CTRL_RX;
        /* Drops line noise. Without this read QEMU would not look for input before something
         * else wakes it, and while the core sleeps nothing does. */
        (void)UART_DATA;
    }
    UART_CTRL = CTRL_TX | CTRL_RX | interrupt;
}

void uart_putc(char c)
{
    uart_enable(0);
    UART_DATA = (uint8_t)c;
    while (UART_STATE & STATE_TX_FULL)
        ;
}

char uart_getc(void)
{
    char c;

    uart_enable(CTRL_RX_INTERRUPT);
    nvic_enable(UART_RX_IRQ);
    while (!(UART_STATE & STATE_RX_FULL))
        __asm__ volatile("wfi");
    c = UART_DATA;
    UART_INTCLEAR = INTERRUPT_RX;
    nvic_clear(UART_RX_IRQ);
    return c;
}

void watchdog_start(unsigned ms)
{
    WATCHDOG_LOCK = 0x1acce551;
    WATCHDOG_LOAD = CLOCK_HZ / 1000 * ms;
    WATCHDOG_CTRL = 3; /* first an interrupt (NMI), then the reset */
}
