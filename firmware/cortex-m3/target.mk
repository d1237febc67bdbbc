cross_cortex-m3 := arm-none-eabi-
flags_cortex-m3 := -mcpu=cortex-m3 -mthumb
sources_cortex-m3 := cortex-m/core.c cortex-m/cmsdk.c
programs_cortex-m3 := $(PROGRAMS) watchdog $(TRACED)
