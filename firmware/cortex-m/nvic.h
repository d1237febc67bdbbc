/* The interrupt controller of Cortex-M cores (Armv7-M Architecture Reference Manual, B3.4). */
#ifndef NVIC_H
#define NVIC_H

#include "firmware.h"

/* Lets an interrupt wake the core. All are masked: none has a handler. */
static inline void nvic_enable(unsigned irq)
{
    REGISTER(0xe000e100 + irq / 32 * 4) = 1u << irq % 32;
}

/* Forgets that it was pending, so that the next one wakes the core again. */
static inline void nvic_clear(unsigned irq)
{
    REGISTER(0xe000e280 + irq / 32 * 4) = 1u << irq % 32;
}

#endif
