# virt has no watchdog.
cross_riscv32 := riscv64-unknown-elf-
flags_riscv32 := -march=rv32imac_zicsr -mabi=ilp32
sources_riscv32 := riscv32/virt.c
programs_riscv32 := $(PROGRAMS)
