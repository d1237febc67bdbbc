cross_imx8mp-m7 := arm-none-eabi-
flags_imx8mp-m7 := -mcpu=cortex-m7 -mthumb
sources_imx8mp-m7 := cortex-m/core.c cortex-m/uart.c imx8mp-m7/uart.c imx/mu.c
programs_imx8mp-m7 := $(PROGRAMS) rpmsg_echo rpmsg_answer
