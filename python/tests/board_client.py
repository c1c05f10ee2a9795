# What umqtt's module, put on a board as `case.mpy`, does on a board that has no network: a socket written in Python
# plays the broker. Prints what the import costs, what was sent and what came.
import gc
import sys

try:
    import time  # noqa: F401
except ImportError:
    # MicroPython's port for QEMU has no clock, which a client with a keep alive looks at; a real board has one. This
    # stand-in stands still.
    class Clock:
        @staticmethod
        def ticks_ms():
            return 0

    sys.modules["time"] = Clock


class Socket:
    feed = b""
    sent = b""

    def connect(self, address):
        pass

    def close(self):
        pass

    def setblocking(self, flag):
        pass

    def settimeout(self, seconds):
        pass

    def write(self, data, n=None):
        data = bytes(data) if n is None else bytes(data)[:n]
        Socket.sent += data
        return len(data)

    send = write

    def read(self, n=-1):
        data, Socket.feed = Socket.feed[:n], Socket.feed[n:]
        return data

    recv = read


class Net:
    socket = Socket

    @staticmethod
    def getaddrinfo(host, port, *rest):
        return [(2, 1, 0, "", (host, port))]


sys.modules["socket"] = Net
gc.collect()
before = gc.mem_alloc()
import case  # noqa: E402  (the socket has to stand before the import)

gc.collect()
print("import", gc.mem_alloc() - before)


class Client(case.MQTTClient):
    def set_callback(self, f):
        print("overridden")
        super().set_callback(f)


def exchange(feed, call):
    Socket.feed, Socket.sent = feed, b""
    result = call()
    print(result, Socket.sent)


client = Client("placa", "broker", keepalive=60)
client.set_callback(lambda topic, message: print("got", topic, message))
exchange(b"\x20\x02\x00\x00", client.connect)
exchange(b"", lambda: client.publish("aula/ñ", "23,5 °C"))
exchange(b"\x40\x02\x00\x01", lambda: client.publish(b"a", b"b", qos=1))
exchange(b"\x90\x03\x00\x02\x00", lambda: client.subscribe("a/#"))
exchange(b"\x32\x07\x00\x01a\x12\x34hi", client.wait_msg)
exchange(b"\x30\xcf\x02\x00\x03a/b" + b"x" * 330, client.wait_msg)

# Bytes are copied by words where they can be: packets of every shift between topic, payload and words arrive whole.
wrong, pattern = 0, bytes(range(48, 123)) * 10
for size in (0, 1, 15, 16, 17, 31, 32, 63, 64, 65, 127, 128, 130, 290, 312, 313, 700):
    for shift in range(4):
        for topic in (b"t", b"tu", b"tus", b"tust", b"aula/temperatura/1"):
            payload = memoryview(pattern)[shift : shift + size]
            body = bytes([0, len(topic)]) + topic + payload
            n = len(body)
            length = bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])
            Socket.sent = b""
            client.publish(topic, payload)
            wrong += Socket.sent != b"0" + length + body
print("wrong", wrong)
exchange(b"", client.disconnect)
try:
    case.MQTTClient(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
except TypeError:
    print("TypeError")
