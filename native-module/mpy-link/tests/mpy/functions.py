# Source of bytecode.mpy, made by mpy-cross 1.26.1.
import sys

CONSTANTS = (1, "two", b"three\x00", 4.5, 1 << 80, None, ..., (True, False))


def outer(a, b=2, *c, d, e=5, **k):
    def inner():
        return a + b

    yield inner


class C:
    def __init__(self):
        self.x = 1
