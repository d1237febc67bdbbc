/* What a program may use. Each target implements it: see README.md, "Your own target". */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* Console. uart_putc returns when the character has left, so that a crash right after loses nothing. */
void uart_putc(char c);
char uart_getc(void); /* sleeps until there is one */

/* Sleeps: the core is in WFI meanwhile and costs a simulator no time. */
void wait_ms(unsigned ms);

/* The same for a trace buffer, where the Makefile says that a program has one. */
void trace_putc(char c);

/* What rings Linux, and is rung by it, where a chip has such a mailbox. Queues are those of rpmsg:
 * 0 from the firmware to Linux, 1 from Linux to the firmware. */
void mailbox_listen(void);
void mailbox_ring(unsigned queue);
void mailbox_wait(void); /* sleeps until Linux has rung since the last call */

/* Where a program prints. */
#ifndef CONSOLE
#define CONSOLE uart_putc
#endif

/* How long a program runs that ends by itself: a reader of its trace buffer needs some time. */
#ifndef LIFE_MS
#define LIFE_MS 0
#endif

/* Ends of a program. */
_Noreturn void semihosting_exit(unsigned code); /* tells the simulator or the debug probe */
_Noreturn void cause_fault(void);               /* an undefined instruction */
_Noreturn void request_reset(void);             /* the whole chip, as software may ask for */
void watchdog_start(unsigned ms);               /* barks after ms, resets after as much again */

/* Where every fault ends. The default makes the core die visibly; a program may define its own. */
_Noreturn void fault_handler(void);

_Noreturn void spin_masked(void); /* deaf for good: interrupts off, busy loop */

/* print.c, the same for all targets; out is uart_putc or another sink. */
typedef void output(char c);
void print(output *out, const char *text);
void print_number(output *out, unsigned number);

int main(void);

#endif
