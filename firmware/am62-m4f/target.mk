cross_am62-m4f := arm-none-eabi-
flags_am62-m4f := -mcpu=cortex-m4 -mthumb
sources_am62-m4f := cortex-m/core.c cortex-m/uart.c am62-m4f/uart.c am62-m4f/mailbox.c
programs_am62-m4f := $(PROGRAMS) rpmsg_echo rpmsg_answer
