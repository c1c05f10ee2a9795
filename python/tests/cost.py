# Decides what a packet costs: how many writes of the socket, counted with a recording socket, and how much heap.
#
# Usage: micropython cost.py
import gc
import io

import recording
from recording import net

recording.install()

from umqtt.simple import MQTTClient  # noqa: E402  (the fake network has to stand before the import)

options = []


class Counting(recording.Socket):
    writes = 0

    def write(self, data, n=None):
        Counting.writes += 1
        return super().write(data, n)

    def setsockopt(self, *args):
        options.append(args)


recording.FakeSocketModule.socket = Counting


def cost(name, call, feed=b""):
    net.feed = bytearray(feed)
    net.written = bytearray()
    Counting.writes = 0
    call()
    print(name, len(net.written), "bytes", Counting.writes, "writes")


c = MQTTClient("cliente", "host", user="user", password="password", keepalive=60)
c.set_callback(lambda topic, message: None)
c.set_last_will("will/topic", "will message", True, 1)
cost("connect", lambda: c.connect(), b"\x20\x02\x00\x00")
print("options", options)
for size in (0, 4, 200, 240, 300, 1000, 4000):
    cost("publish %d" % size, lambda: c.publish(b"topic", b"m" * size))
cost("publish 100000", lambda: c.publish(b"topic", b"m" * 100000))
cost("publish qos 1", lambda: c.publish("topic", "message", qos=1), b"\x40\x02\x00\x01")
cost("subscribe", lambda: c.subscribe("topic"), b"\x90\x03\x00\x02\x00")
cost("unsubscribe", lambda: c.unsubscribe("topic"), b"\xb0\x02\x00\x03")
cost("acknowledge", lambda: c.wait_msg(), b"\x32\x06\x00\x01t\x00\x07m")
cost("ping", lambda: c.ping())
cost("disconnect", lambda: c.disconnect())


# The heap, on a stream of the interpreter's own, which itself takes none.
stream = io.BytesIO(bytearray(4000))
c.sock = stream
publish = c.publish


def heap(n):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(n):
        stream.seek(0)
        publish(b"casa/salon/temp", b"23.5")
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken


heap(1)
print("heap for 1000 messages", heap(1000) - heap(0))
