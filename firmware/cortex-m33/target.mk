cross_cortex-m33 := arm-none-eabi-
flags_cortex-m33 := -mcpu=cortex-m33+nodsp+nofp -mthumb
sources_cortex-m33 := cortex-m/core.c cortex-m/cmsdk.c
programs_cortex-m33 := $(PROGRAMS) watchdog
