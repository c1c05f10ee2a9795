# Decides what a message costs against a real broker: in one process, in alternating rounds, our client, umqtt.simple 1.3.4
# and a bare socket that writes prebuilt packets and reads exact lengths. Prints one JSON line per measurement: the
# quartiles of microseconds per message of each.
#
# Usage: micropython bench_client.py HOST PORT TLS_PORT CA_FILE ROUNDS
import gc
import json
import socket
import sys
import time

from umqtt import simple, upstream

host, port, tls_port, authority, ROUNDS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])
TOPIC = b"casa/salon/temp"
SIZES = (16, 256, 4096)


def context():
    import tls

    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    made.verify_mode = tls.CERT_REQUIRED
    with open(authority, "rb") as file:
        made.load_verify_locations(file.read())
    return made


def packet(first, body):
    # First byte, remaining length, body (sections 2.2 and 2.2.3).
    head = bytearray([first])
    n = len(body)
    while n > 0x7F:
        head.append(n & 0x7F | 0x80)
        n >>= 7
    head.append(n)
    return bytes(head) + body


def field(data):
    return len(data).to_bytes(2, "big") + data


class Floor:
    # A bare socket. It knows every packet beforehand.
    def __init__(self, name, ssl):
        sock = socket.socket()
        sock.connect(socket.getaddrinfo(host, tls_port if ssl else port)[0][-1])
        sock.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
        if ssl:
            sock = ssl.wrap_socket(sock, server_hostname=host)
        self.sock = sock
        self.inbox = b""  # the topic of what it receives
        sock.write(packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + field(name)))
        assert sock.read(4) == b"\x20\x02\x00\x00"

    def publish(self, size, n):
        write = self.sock.write
        data = packet(0x30, field(TOPIC) + b"m" * size)
        begun = time.ticks_us()
        for _ in range(n):
            write(data)
        return time.ticks_diff(time.ticks_us(), begun)

    def publish_1(self, size, n):
        write, read = self.sock.write, self.sock.read
        data = packet(0x32, field(TOPIC) + b"\x00\x01" + b"m" * size)
        begun = time.ticks_us()
        for _ in range(n):
            write(data)
            read(4)
        return time.ticks_diff(time.ticks_us(), begun)

    def publish_2(self, size, n):
        write, read = self.sock.write, self.sock.read
        data = packet(0x34, field(TOPIC) + b"\x00\x01" + b"m" * size)
        begun = time.ticks_us()
        for _ in range(n):
            write(data)
            read(4)
            write(b"\x62\x02\x00\x01")
            read(4)
        return time.ticks_diff(time.ticks_us(), begun)

    def receive_in_one(self, size, n):
        # It knows what comes.
        read = self.sock.read
        length = len(packet(0x30, field(self.inbox) + b"m" * size))
        begun = time.ticks_us()
        for _ in range(n):
            read(length)
        return time.ticks_diff(time.ticks_us(), begun)

    def receive(self, size, n):
        # As a client must that does not know what comes: the two bytes that every packet has, then the rest.
        read = self.sock.read
        rest = len(packet(0x30, field(self.inbox) + b"m" * size)) - 2
        begun = time.ticks_us()
        for _ in range(n):
            read(2)
            read(rest)
        return time.ticks_diff(time.ticks_us(), begun)


class Library:
    # A client of a library.
    def __init__(self, module, name, ssl):
        if ssl:
            self.client = module.MQTTClient(name, host, tls_port, ssl=ssl)
        else:
            self.client = module.MQTTClient(name, host, port)
        self.client.set_callback(lambda topic, message: None)
        self.client.connect()
        self.sock = self.client.sock
        self.inbox = b""

    def publish(self, size, n):
        publish, message = self.client.publish, b"m" * size
        begun = time.ticks_us()
        for _ in range(n):
            publish(TOPIC, message)
        return time.ticks_diff(time.ticks_us(), begun)

    def publish_1(self, size, n):
        publish, message = self.client.publish, b"m" * size
        begun = time.ticks_us()
        for _ in range(n):
            publish(TOPIC, message, False, 1)
        return time.ticks_diff(time.ticks_us(), begun)

    def publish_2(self, size, n):
        publish, message = self.client.publish, b"m" * size
        begun = time.ticks_us()
        for _ in range(n):
            publish(TOPIC, message, False, 2)
        return time.ticks_diff(time.ticks_us(), begun)

    def receive(self, size, n):
        wait_msg = self.client.wait_msg
        begun = time.ticks_us()
        for _ in range(n):
            wait_msg()
        return time.ticks_diff(time.ticks_us(), begun)


class Bench:
    def __init__(self, ssl):
        self.prefix = "TLS " if ssl else ""
        kind = b"-tls" if ssl else b"-tcp"
        self.players = {"floor": Floor(b"floor" + kind, ssl), "ours": Library(simple, b"ours" + kind, ssl)}
        if not ssl:
            self.players["upstream"] = Library(upstream, b"theirs" + kind, ssl)
        self.pump = Floor(b"pump" + kind, ssl)
        for name, player in self.players.items():
            player.inbox = (b"in/" + name.encode() + kind + b"/" * 10)[:15]
            sock = player.sock
            # Of the same length for all; nobody else publishes there.
            sock.write(packet(0x82, b"\xf0\x00" + field(player.inbox) + b"\x00"))
            assert sock.read(5) == b"\x90\x03\xf0\x00\x00"

    def settle(self, sock):
        # The broker has taken all that was written and has written all that it has to say.
        sock.write(b"\xc0\x00")
        assert sock.read(2) == b"\xd0\x00"

    def round(self, name, method, size, n):
        player = self.players[name.split()[0]]
        if name.endswith(" in one"):
            method = "receive_in_one"
        if method.startswith("receive"):
            data = packet(0x30, field(player.inbox) + b"m" * size)
            for _ in range(n):
                self.pump.sock.write(data)
            self.settle(self.pump.sock)
        begun = time.ticks_us()
        taken = getattr(player, method.split()[0])(size, n)
        if method.startswith("publish") and "_" not in method:
            self.settle(player.sock)
            if method == "publish delivered":
                taken = time.ticks_diff(time.ticks_us(), begun)
        return taken / n

    def measure(self, method, size, n, names, seldom=(), few=0):
        # Rounds are short, so that most of them pass undisturbed, and take turns in who comes first. Who needs long takes
        # part in every tenth, with `few` messages.
        taken = {name: [] for name in names}
        gc.collect()
        for name in names:
            self.round(name, method, size, 2)
        for i in range(ROUNDS):
            for j in range(len(names)):
                name = names[(i + j) % len(names)]
                if name not in seldom:
                    taken[name].append(self.round(name, method, size, n))
                elif i % 10 == 0:
                    taken[name].append(self.round(name, method, size, few))
        result = {"what": self.prefix + method, "size": size}
        for name, values in taken.items():
            values.sort()
            result[name.replace(" ", "_")] = [values[len(values) * k // 4] for k in (1, 2, 3)]
        print(json.dumps(result))


plain = Bench(None)
try:
    plain.players["ours"].client.publish(TOPIC, b"m", False, 2)
    has_qos_2 = True
except AssertionError:
    has_qos_2 = False
three = ("floor", "ours", "upstream")
two = ("floor", "ours")
for size in SIZES:
    n = 20 if size == 4096 else 100
    plain.measure("publish", size, n, three, ("upstream",), 10 * n)
    plain.measure("publish delivered", size, n, three, ("upstream",), n)
    plain.measure("publish_1", size, 10, three, ("upstream",), 2)
    if has_qos_2:
        plain.measure("publish_2", size, 10, two)
    plain.measure("receive", size, n, ("floor", "floor in one", "ours", "upstream"))
secure = Bench(context())
for size in SIZES:
    secure.measure("publish", size, 20, two)
    secure.measure("publish_1", size, 10, two)
    if has_qos_2:
        secure.measure("publish_2", size, 10, two)
    secure.measure("receive", size, 20, ("floor", "floor in one", "ours"))
