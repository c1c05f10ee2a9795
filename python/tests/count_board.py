# Decides what a message costs in instructions, on a board in QEMU whose clock counts them: encoding and decoding over a
# stream in memory, ours (`case`) against umqtt.simple 1.3.4 (`MQTTClient`, whose source has run before this).
# Prints a line for each: what, size, ours, upstream.
import gc
import io
import sys

import machine

N = 4
CONTROL, RELOAD, VALUE = 0xE000E010, 0xE000E014, 0xE000E018  # SysTick of ARMv7-M
PER_TICK = 40  # instructions: the board's timer runs at 25 MHz, an instruction takes a nanosecond

machine.mem32[RELOAD] = 0xFFFFFF
machine.mem32[VALUE] = 0
machine.mem32[CONTROL] = 5


class Stream(io.BytesIO):
    # What umqtt.simple asks of a socket and a stream in memory does not have.
    def setblocking(self, flag):
        pass


def packet(size):
    body = b"\x00\x0fcasa/salon/temp" + b"m" * size
    head = bytearray(b"\x30")
    n = len(body)
    while n > 0x7F:
        head.append(n & 0x7F | 0x80)
        n >>= 7
    head.append(n)
    return bytes(head) + body


def took(call, rewind):
    # Instructions of `call`, with the collector at rest.
    least = None
    for _ in range(3):
        gc.collect()
        rewind(0)
        begun = machine.mem32[VALUE]
        for _ in range(N):
            call()
        ticks = (begun - machine.mem32[VALUE]) & 0xFFFFFF
        least = ticks if least is None else min(least, ticks)
    return least


def nothing():
    pass


def cost(call, rewind):
    return (took(call, rewind) - took(nothing, rewind)) * PER_TICK // N


client = case.MQTTClient("ours", "host")  # noqa: F821
theirs = MQTTClient("theirs", "host")  # noqa: F821
for one in (client, theirs):
    one.set_callback(lambda topic, message: None)
for size in (16, 256, 1024):
    message = b"m" * size
    plain, wrapped = io.BytesIO(bytearray((size + 30) * N)), Stream(bytearray((size + 30) * N))
    client.sock, theirs.sock = plain, wrapped
    costs = [
        cost(lambda: one.publish(b"casa/salon/temp", message), one.sock.seek) for one in (client, theirs)
    ]
    print("encode", size, costs[0], costs[1])
    plain = wrapped = None
    client.sock, theirs.sock = io.BytesIO(packet(size) * N), Stream(packet(size) * N)
    costs = [cost(one.wait_msg, one.sock.seek) for one in (client, theirs)]
    print("decode", size, costs[0], costs[1])
