# What umqtt needs and MicroPython's QEMU port does not have: a clock and a network. Stands in for the modules `time` and
# `socket`; the clock stands still unless somebody sleeps.
import sys


class Clock:
    now = 0

    @staticmethod
    def ticks_ms():
        return Clock.now

    @staticmethod
    def ticks_us():
        return Clock.now * 1000

    @staticmethod
    def ticks_diff(a, b):
        return a - b

    @staticmethod
    def ticks_add(a, b):
        return a + b

    @staticmethod
    def sleep_ms(ms):
        Clock.now += ms

    @staticmethod
    def sleep(seconds):
        Clock.now += int(seconds * 1000)


class Net:
    @staticmethod
    def getaddrinfo(host, port, *rest):
        return [(2, 1, 0, "", (host, port))]


sys.modules["time"] = Clock
sys.modules["socket"] = sys.modules["usocket"] = Net
for name in ("struct", "binascii"):
    sys.modules["u" + name] = __import__(name)
