# QEMU's `virt` board with a 64-bit RISC-V, which MicroPython's QEMU port does not know.
QEMU_ARCH = riscv64
QEMU_MACHINE = virt
CROSS_COMPILE = riscv64-unknown-elf-
MICROPY_HEAP_SIZE = 286720

# The board reaches memory above 2 GiB: medany takes addresses by distance.
# Only the assembler wants the name of the extension; Debian 12's compiler finds no library for it.
AFLAGS += -march=rv64imac_zicsr -mabi=lp64
CFLAGS += -march=rv64imac -mabi=lp64 -mcmodel=medany
CFLAGS += -DQEMU_SOC_VIRT
CFLAGS += -DMP_CONFIGFILE='<$(BOARD_DIR)/rv64.h>'
CFLAGS += -DMICROPY_HW_MCU_NAME='"rv64imac"'
LDFLAGS += -march=rv64imac -mabi=lp64 -nostartfiles

LDSCRIPT = $(BOARD_DIR)/virt.ld

vpath %.c $(BOARD_DIR)
vpath %.s $(BOARD_DIR)
SRC_C += startup.c
SRC_BOARD_O += start.o shared/runtime/gchelper_native.o shared/runtime/gchelper_rv64i.o
