# Decides what a client does on a socket written in Python that takes and gives bytes as it likes: one at a time, in
# uneven pieces, or failing at each position. Prints one JSON line per case.
import json
import sys

import recording
from recording import net

recording.install()

from umqtt.simple import MQTTClient  # noqa: E402  (the fake network has to stand before the import)

CONNACK = b"\x20\x02\x00\x00"
PUBLISH = b"\x30\x0c\x00\x05a/b/cpaylo"
PUBLISH_1 = b"\x32\x0e\x00\x05a/b/c\x12\x34paylo"
LONG = b"\x30\xd2\x01\x00\x05a/b/c" + b"p" * 203


class Pieces(recording.Socket):
    # Reads give and writes take at most so many bytes; reading fails with `error` after `reads` bytes.
    take = give = 1000000
    failure = None

    def read(self, n=-1):
        if self.failure and not net.feed:
            raise self.failure
        return net.read(min(n, self.give) if n >= 0 else self.give)

    recv = read

    def readinto(self, buffer, n=None):
        got = self.read(len(buffer) if n is None else n)
        if got is None:
            return None
        buffer[: len(got)] = got
        return len(got)

    def write(self, data, n=None):
        data = recording.as_bytes(data)
        if n is not None:
            data = data[:n]
        return net.write(data[: self.take])

    send = write


def exchanges():
    # Name, what the peer sends, what the program calls.
    yield "connect", CONNACK, lambda c: c.connect()
    yield "publish", b"", lambda c: c.publish("a/b/c", "message")
    yield "publish-long", b"", lambda c: c.publish("a/b/c", "m" * 300)
    yield "publish-1", b"\x40\x02\x00\x01", lambda c: c.publish("a/b/c", "message", qos=1)
    yield "publish-1-behind-message", PUBLISH + b"\x40\x02\x00\x01", lambda c: c.publish("a/b/c", "message", qos=1)
    yield "subscribe", b"\x90\x03\x00\x01\x00", lambda c: c.subscribe("a/b/c")
    yield "wait", PUBLISH, lambda c: c.wait_msg()
    yield "wait-1", PUBLISH_1, lambda c: c.wait_msg()
    yield "wait-long", LONG, lambda c: c.wait_msg()
    yield "wait-two", PUBLISH + PUBLISH_1, lambda c: (c.wait_msg(), c.wait_msg())
    yield "pingresp", b"\xd0\x00", lambda c: c.wait_msg()
    yield "check", PUBLISH, lambda c: c.check_msg()
    yield "ping", b"", lambda c: c.ping()
    yield "disconnect", b"", lambda c: c.disconnect()


def run(case, feed, call, **socket):
    calls = []
    net.reset()
    client = MQTTClient("faults", "host")
    client.set_callback(lambda topic, message: calls.append([bytes(topic).hex(), bytes(message).hex()]))
    for name in ("take", "give", "failure"):
        setattr(Pieces, name, socket.get(name, getattr(Pieces, name + "_default")))
    recording.FakeSocketModule.socket = Pieces
    client.sock = Pieces()
    net.feed = bytearray(feed)
    net.write_limit = socket.get("write_limit")
    try:
        outcome = "returned %r" % (call(client),)
    except Exception as error:
        outcome = "raised %s" % type(error).__name__
        if isinstance(error, OSError):
            outcome += repr(error.args)
    line = {"case": case, "outcome": outcome, "calls": calls, "written": bytes(net.written).hex(), "unread": len(net.feed)}
    print(json.dumps(line))


Pieces.take_default, Pieces.give_default, Pieces.failure_default = 1000000, 1000000, None

for name, feed, call in exchanges():
    run(name + " whole", feed, call)
    written = len(net.written)
    for size in (1, 2, 3, 7):
        run("%s give-%d" % (name, size), feed, call, give=size)
        if "--short-writes" in sys.argv:
            run("%s take-%d" % (name, size), feed, call, take=size)
            run("%s both-%d" % (name, size), feed, call, give=size, take=size)
    for position in range(len(feed)):
        run("%s eof-%d" % (name, position), feed[:position], call)
        run("%s error-%d" % (name, position), feed[:position], call, failure=OSError(104))
    for position in range(written):
        run("%s write-error-%d" % (name, position), feed, call, write_limit=position)
