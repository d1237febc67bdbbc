/* The Cortex-M33 of NXP's i.MX 93, as its boot loader leaves clocks and pins. Source: Zephyr
 * nxp_imx93_m33.dtsi (addresses, interrupts). */
#define CLOCK_HZ 200000000u

/* MU1, side A. */
#define MU 0x44220000
#define MU_IRQ 21
#define MU_TR1 REGISTER(MU + 0x204)
#define MU_RR1 REGISTER(MU + 0x284)
#define MU_SEND_STATUS REGISTER(MU + 0x124)
#define MU_RECEIVE_STATUS REGISTER(MU + 0x12c)
#define MU_RECEIVE_CONTROL REGISTER(MU + 0x128)
#define MU_RECEIVED_1 (1u << 1)
#define MU_SENT_1 (1u << 1)
