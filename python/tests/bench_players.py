# Who takes part in measuring what a message costs (bench_client.py, count_client.py): a bare socket, which is the floor, and
# a library's client.
import socket
import time

TOPIC = b"casa/salon/temp"


class Broker:
    # Where it listens, and whose certificate says that it is it.
    def __init__(self, host, port, tls_port, authority):
        self.host, self.port, self.tls_port, self.authority = host, int(port), int(tls_port), authority

    def context(self):
        import tls

        made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        made.verify_mode = tls.CERT_REQUIRED
        with open(self.authority, "rb") as file:
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
    def __init__(self, broker, name, ssl):
        sock = socket.socket()
        sock.connect(socket.getaddrinfo(broker.host, broker.tls_port if ssl else broker.port)[0][-1])
        sock.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
        if ssl:
            sock = ssl.wrap_socket(sock, server_hostname=broker.host)
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
    def __init__(self, broker, module, name, ssl):
        if ssl:
            self.client = module.MQTTClient(name, broker.host, broker.tls_port, ssl=ssl)
        else:
            self.client = module.MQTTClient(name, broker.host, broker.port)
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


class Game:
    # All of them on one broker, over TCP or TLS, and one more who sends what they receive.
    def __init__(self, broker, simple, upstream, secure):
        ssl = broker.context() if secure else None
        kind = b"-tls" if secure else b"-tcp"
        self.prefix = "TLS " if secure else ""
        self.players = {
            "floor": Floor(broker, b"floor" + kind, ssl),
            "ours": Library(broker, simple, b"ours" + kind, ssl),
        }
        if not secure:
            self.players["upstream"] = Library(broker, upstream, b"theirs" + kind, ssl)
        self.pump = Floor(broker, b"pump" + kind, ssl)
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

    def send(self, player, size, n):
        # So many messages lie ready for this player.
        data = packet(0x30, field(player.inbox) + b"m" * size)
        for _ in range(n):
            self.pump.sock.write(data)
        self.settle(self.pump.sock)
