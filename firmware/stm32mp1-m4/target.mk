cross_stm32mp1-m4 := arm-none-eabi-
flags_stm32mp1-m4 := -mcpu=cortex-m4 -mthumb
sources_stm32mp1-m4 := cortex-m/core.c cortex-m/uart.c stm32/uart.c stm32/ipcc.c
programs_stm32mp1-m4 := $(PROGRAMS) rpmsg_echo rpmsg_answer
