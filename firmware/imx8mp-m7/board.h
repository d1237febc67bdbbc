/* The Cortex-M7 of NXP's i.MX 8M Plus, as its boot loader leaves clocks and pins. */
#define CLOCK_HZ 800000000u

/* MU1, side B. */
#define MU 0x30ab0000
#define MU_IRQ 97
#define MU_TR1 REGISTER(MU + 0x04)
#define MU_RR1 REGISTER(MU + 0x14)
#define MU_SEND_STATUS REGISTER(MU + 0x20)
#define MU_RECEIVE_STATUS REGISTER(MU + 0x20)
#define MU_RECEIVE_CONTROL REGISTER(MU + 0x24)
#define MU_RECEIVED_1 (1u << 26)
#define MU_SENT_1 (1u << 22)
