# Source of asm-armv7m.mpy, made by mpy-cross 1.26.1 (-march=armv7m).
@micropython.asm_thumb
def add(r0, r1):
    add(r0, r0, r1)
