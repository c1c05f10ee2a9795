# A C module for MicroPython's build system (USER_C_MODULES).
SRC_USERMOD_C += $(USERMOD_DIR)/board.c
SRC_USERMOD_LIB_C += shared/timeutils/timeutils.c
