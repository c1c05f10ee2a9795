# The MPS2 boards with other processors than that of MicroPython's own MPS2_AN385.
# MACHINE: as QEMU calls the board. CPU: what gcc is told of its processor.
QEMU_ARCH = arm
QEMU_MACHINE = $(MACHINE)

CFLAGS += -mthumb $(CPU)
CFLAGS += -DQEMU_SOC_MPS2
CFLAGS += -DMICROPY_HW_MCU_NAME='"$(CPU)"'

LDSCRIPT = mcu/arm/mps2.ld

vpath %.c $(BOARD_DIR)
SRC_C += fpu.c
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
LDFLAGS += -Wl,--wrap=uart_init
