cross_imx93-m33 := arm-none-eabi-
flags_imx93-m33 := -mcpu=cortex-m33+nodsp+nofp -mthumb
sources_imx93-m33 := cortex-m/core.c cortex-m/uart.c imx93-m33/uart.c imx/mu.c
programs_imx93-m33 := $(PROGRAMS) rpmsg_echo rpmsg_answer
