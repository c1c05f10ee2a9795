# Decides what a message costs in instructions on a board in QEMU that writes down each one between two calls of `hash`:
# `count` does the same as often from the same loop for the bare stream (`floor`), ours (`case`) and umqtt.simple 1.3.4
# (`MQTTClient`, whose source has run before this); `loop` is that loop around a builtin that does next to nothing. What
# was written or read is looked at.
import gc
import io

N = 4
TOPIC = b"casa/salon/temp"


class Stream(io.BytesIO):
    # What umqtt.simple asks of a socket and a stream in memory does not have.
    def setblocking(self, flag):
        pass


def packet(size):
    body = b"\x00\x0f" + TOPIC + b"m" * size
    head = bytearray(b"\x30")
    n = len(body)
    while n > 0x7F:
        head.append(n & 0x7F | 0x80)
        n >>= 7
    head.append(n)
    return bytes(head) + body


received = None


def callback(topic, message):
    global received
    received = message


class Game:
    # What each does with messages of one size, and with which stream.
    def __init__(self, size):
        self.packet = packet(size)
        self.message = b"m" * size
        self.clients = {"ours": case.MQTTClient("ours", "host"), "upstream": MQTTClient("upstream", "host")}  # noqa: F821

    def prepare(self, what, who):
        self.what = what
        room = self.packet * N if what == "decode" else bytearray(len(self.packet) * N)
        if who == "upstream":
            self.stream = Stream(room)
        else:
            self.stream = io.BytesIO(room)
        if who == "loop":
            return callable, (None,)
        if who == "floor":
            if what == "encode":
                return self.stream.write, (self.packet,)
            return self.stream.read, (len(self.packet),)
        client = self.clients[who]
        client.sock = self.stream
        client.set_callback(callback)
        if what == "encode":
            return client.publish, (TOPIC, self.message)
        return client.wait_msg, ()

    def check(self, who):
        if who == "loop":
            return
        if self.what == "encode" and self.stream.getvalue() != self.packet * N:
            raise AssertionError("other bytes were written")
        if self.stream.tell() != len(self.packet) * N:
            raise AssertionError("other bytes were read")
        if self.what == "decode" and who != "floor" and received != self.message:
            raise AssertionError("another message was received")


def loop(call, args):
    hash(0)
    for _ in range(N):
        call(*args)
    hash(0)


def count_all(size):
    game = Game(size)
    for what in ("encode", "decode"):
        for who in ("loop", "floor", "ours", "upstream"):
            count(game, what, who)


def count(game, what, who):
    global received
    call, args = game.prepare(what, who)
    # After collecting, the first search for a free place goes through all that is taken. That, and what is made once and
    # kept, is not counted.
    gc.collect()
    call(*args)
    game.stream.seek(0)
    received = None
    loop(call, args)
    gc.collect()
    game.check(who)
