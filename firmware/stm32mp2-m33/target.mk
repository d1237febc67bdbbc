cross_stm32mp2-m33 := arm-none-eabi-
flags_stm32mp2-m33 := -mcpu=cortex-m33+nodsp+nofp -mthumb
sources_stm32mp2-m33 := cortex-m/core.c cortex-m/uart.c stm32/uart.c stm32/ipcc.c
programs_stm32mp2-m33 := $(PROGRAMS) rpmsg_echo rpmsg_answer
