# Decides what stands in for the modules that a board lacks where umqtt wants to import them: a board without a network (a
# Raspberry Pi Pico) or without a clock (MicroPython in QEMU) can hold the modules and make packets all the same. Sent
# before anything else, to such boards only. The clock stands still: what it would have timed is not measured.
import sys


class Time:
    ticks_ms = ticks_us = time = staticmethod(lambda: 0)
    ticks_diff = staticmethod(lambda a, b: a - b)
    ticks_add = staticmethod(lambda a, b: a + b)
    sleep_ms = sleep = staticmethod(lambda duration: None)


class Socket:
    pass


def stand_in(names, found):
    try:
        __import__(names[0])
    except ImportError:
        for name in names:
            sys.modules[name] = found


stand_in(("time", "utime"), Time)
stand_in(("socket", "usocket"), Socket)
for name in ("struct", "binascii"):
    stand_in(("u" + name,), __import__(name))
