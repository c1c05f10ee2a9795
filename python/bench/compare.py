# Decides how `umqtt bench` measures on a board. The computer sends this text to the raw REPL behind a line that sets
# HOST (None on a board without a network), PORT and TLS_PORT (None where the broker has no such port), USER, PASSWORD,
# RUN (a name of this run), NATIVE and BASELINE (modules to import, or None) and calls `probe`, `pilot`, `rounds`, `heap`,
# `writes`, `endure`. What is printed: "@ who number messages" and further numbers, and "! who exception" where something
# failed.
import gc
import io
import socket
import time

ticks, diff = time.ticks_us, time.ticks_diff
# What messages to a stream in memory may fill of it, bytes: the boards without a network have the least memory.
STREAM = 4096


def packet(first, body):
    head = bytearray([first])
    n = len(body)
    while n > 0x7F:
        head.append(n & 0x7F | 0x80)
        n >>= 7
    head.append(n)
    return bytes(head) + body


def field(data):
    return len(data).to_bytes(2, "big") + data


def inbox(name):
    # Of one length for all.
    return (RUN + b"/" + name.encode() + b"-" * 9)[: len(RUN) + 9]


def context():
    import ssl

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # What is measured is the connection, not whom the board trusts.
    made.verify_mode = ssl.CERT_NONE
    return made


def wrapped(sock):
    # Many brokers choose their certificate by the name.
    return context().wrap_socket(sock, server_hostname=HOST)


def settle(sock):
    # The broker has taken all that was written; a stream in memory begins anew.
    if HOST is None:
        sock.seek(0)
        return
    sock.write(b"\xc0\x00")
    sock.read(2)


def batch(size):
    # Messages between two calls of `settle`.
    return 100 if HOST is not None else max(1, STREAM // (size + 32))


class Floor:
    # A bare socket. It knows every packet beforehand.
    def __init__(self, name):
        self.name = name
        self.inbox = inbox(name)

    def connect(self, tls=False, place=None):
        if HOST is None:
            self.sock = io.BytesIO(bytearray(STREAM))
            return
        flags, login = 2, b""
        if USER is not None:
            flags, login = 0xC2, field(USER) + field(PASSWORD)
        data = packet(0x10, b"\x00\x04MQTT\x04" + bytes([flags]) + b"\x00\x00" + field(RUN + self.name.encode()) + login)
        sock = socket.socket()
        tls = tls or (place is None and PORT is None)
        host, port = place or (HOST, TLS_PORT if tls else PORT)
        sock.connect(socket.getaddrinfo(host, port)[0][-1])
        try:
            sock.setsockopt(6, 1, 1)  # IPPROTO_TCP, TCP_NODELAY
        except (AttributeError, OSError):
            pass
        if tls:
            sock = wrapped(sock)
        sock.write(data)
        said = sock.read(4)
        if said != b"\x20\x02\x00\x00":
            # Section 3.2.2.3; nothing at all from who is no broker.
            raise OSError("CONNACK %d" % said[3] if said and len(said) == 4 else "no CONNACK")
        self.sock = sock

    def subscribe(self):
        self.sock.write(packet(0x82, b"\xf0\x00" + field(self.inbox) + b"\x00"))
        if self.sock.read(5) != b"\x90\x03\xf0\x00\x00":
            raise OSError("no subscription")

    def close(self):
        if HOST is not None:
            self.sock.write(b"\xe0\x00")
        self.sock.close()

    def publish(self, qos, size, n):
        write, read = self.sock.write, self.sock.read
        data = packet(0x30 | qos << 1, field(self.inbox) + (b"\x00\x01" if qos else b"") + b"m" * size)
        begun = ticks()
        if not qos:
            for _ in range(n):
                write(data)
        elif qos == 1:
            for _ in range(n):
                write(data)
                read(4)
        else:
            for _ in range(n):
                write(data)
                read(4)
                write(b"\x62\x02\x00\x01")
                read(4)
        return diff(ticks(), begun)

    def round_trip(self, size, each):
        write, read = self.sock.write, self.sock.read
        data = packet(0x30, field(self.inbox) + b"m" * size)
        rest = len(data) - 2
        for i in range(len(each)):
            begun = ticks()
            write(data)
            read(2)
            read(rest)
            each[i] = diff(ticks(), begun)

    def receive(self, size, n):
        read = self.sock.read
        rest = len(packet(0x30, field(self.inbox) + b"m" * size)) - 2
        begun = ticks()
        for _ in range(n):
            read(2)
            read(rest)
        return diff(ticks(), begun)


class Library:
    # A client of umqtt.simple's kind.
    def __init__(self, name):
        self.name = name
        self.inbox = inbox(name)
        self.module = module(NATIVE if name == "native" else BASELINE)

    def connect(self, tls=False, place=None):
        if HOST is None:
            self.client = self.module.MQTTClient(RUN + self.name.encode(), "nowhere")
            self.sock = self.client.sock = io.BytesIO(bytearray(STREAM))
            return
        login = {} if USER is None else {"user": USER, "password": PASSWORD}
        tls = tls or (place is None and PORT is None)
        if tls:
            # The baseline's only word for TLS; it makes a context that verifies nothing, like ours.
            login["ssl"] = context() if self.name == "native" else True
            if self.name != "native":
                login["ssl_params"] = {"server_hostname": HOST}
        host, port = place or (HOST, TLS_PORT if tls else PORT)
        self.client = self.module.MQTTClient(RUN + self.name.encode(), host, port, **login)
        self.client.set_callback(lambda topic, message: None)
        self.client.connect()
        self.sock = self.client.sock

    def subscribe(self):
        self.client.subscribe(self.inbox)

    def close(self):
        if HOST is not None:
            self.client.disconnect()

    def publish(self, qos, size, n):
        publish, topic, message = self.client.publish, self.inbox, b"m" * size
        begun = ticks()
        for _ in range(n):
            publish(topic, message, False, qos)
        return diff(ticks(), begun)

    def round_trip(self, size, each):
        publish, wait_msg, topic, message = self.client.publish, self.client.wait_msg, self.inbox, b"m" * size
        for i in range(len(each)):
            begun = ticks()
            publish(topic, message)
            wait_msg()
            each[i] = diff(ticks(), begun)

    def receive(self, size, n):
        wait_msg = self.client.wait_msg
        begun = ticks()
        for _ in range(n):
            wait_msg()
        return diff(ticks(), begun)


def module(name):
    found = __import__(name)
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    return found


def player(name):
    return (Floor if name == "floor" else Library)(name)


def failed(name, error):
    print("!", name, type(error).__name__, str(error).replace("\n", " "))


def one(player, pump, what, qos, size, n):
    # One round, printed.
    name = player.name
    gc.collect()
    if what == "connect" or what == "connect_tls":
        begun = ticks()
        player.connect(what == "connect_tls")
        taken = diff(ticks(), begun)
        player.close()
        print("@", name, taken, 1)
    elif what == "round_trip":
        each = [0] * n
        begun = ticks()
        player.round_trip(size, each)
        print("@", name, diff(ticks(), begun), n, *each)
    elif what == "receive":
        data = packet(0x30, field(player.inbox) + b"m" * size)
        for _ in range(n):
            pump.sock.write(data)
        settle(pump.sock)
        print("@", name, player.receive(size, n), n)
    elif what == "delivered":
        begun = ticks()
        for _ in range(n):
            player.publish(0, size, 1)
            settle(player.sock)
        print("@", name, diff(ticks(), begun), n)
    else:
        print("@", name, player.publish(qos, size, n), n)
        if not qos:
            settle(player.sock)


def ready(name, what):
    made = player(name)
    if not what.startswith("connect"):
        made.connect()
        if what == "round_trip" or what == "receive":
            made.subscribe()
    return made


def rounds(what, qos, size, count, messages):
    # `messages` has who takes part, with how many messages a round. They take turns in who comes first, so that what fills
    # up or warms up on the way favours nobody. Who fails connects anew; who fails three times is out.
    names = list(messages)
    players, failures = {}, {name: 0 for name in names}
    pump = None
    if what == "receive":
        pump = Floor("pump")
        pump.connect()
    for i in range(count):
        for j in range(len(names)):
            name = names[(i + j) % len(names)]
            if failures[name] == 3:
                continue
            try:
                if name not in players:
                    players[name] = ready(name, what)
                one(players[name], pump, what, qos, size, messages[name])
            except Exception as error:
                failed(name, error)
                failures[name] += 1
                players.pop(name, None)
    if not what.startswith("connect"):
        for made in players.values():
            made.close()
    if pump:
        pump.close()


def probe():
    # Whether the broker is there and lets us in.
    try:
        made = Floor("probe")
        begun = ticks()
        made.connect()
        print("@ floor", diff(ticks(), begun), 1)
        made.close()
    except Exception as error:
        failed("floor", error)


def pilot(what, qos, size, names):
    # What everybody can do, and about how long it takes: the second of two rounds counts.
    for name in names:
        rounds(what, qos, size, 2, {name: 3})


def heap(qos, size, n, names):
    # Bytes that n messages take from the heap while nothing is collected.
    for name in names:
        try:
            made = ready(name, "publish")
            made.publish(qos, size, 1)
            n = min(n, batch(size))
            settle(made.sock)
            gc.collect()
            gc.disable()
            before = gc.mem_alloc()
            made.publish(qos, size, 0)
            nothing = gc.mem_alloc() - before
            before = gc.mem_alloc()
            made.publish(qos, size, n)
            taken = gc.mem_alloc() - before - nothing
            gc.enable()
            made.close()
            print("@", name, taken, n)
        except Exception as error:
            gc.enable()
            failed(name, error)


class Counting:
    # A socket that counts its writes.
    def __init__(self, sock):
        self.sock = sock
        self.count = 0

    def write(self, data, *size):
        self.count += 1
        return self.sock.write(data, *size)

    def read(self, *size):
        return self.sock.read(*size)

    def setblocking(self, value):
        self.sock.setblocking(value)

    def close(self):
        self.sock.close()


def writes(qos, size, n, names):
    # Counted by a socket between client and network.
    for name in names:
        try:
            made = player(name)
            made.connect()
            counting = Counting(made.sock)
            made.sock = counting
            if name != "floor":
                made.client.sock = counting
            made.publish(qos, size, n)
            count = counting.count
            made.close()
            print("@", name, count, n)
        except Exception as error:
            failed(name, error)


def segments(qos, size, n, names, host, port):
    # To a peer at `host` and `port` that answers what has an answer and counts segments.
    for name in names:
        try:
            made = player(name)
            made.connect(False, (host, port))
            for _ in range(n):
                made.publish(qos, size, 1)
                if not qos:
                    # Each is alone: what went before has been acknowledged, after 40 ms at most on Linux.
                    time.sleep_ms(100)
            # DISCONNECT shares no segment with a message.
            time.sleep_ms(300)
            made.close()
            print("@", name, 0, n)
        except Exception as error:
            failed(name, error)


def largest():
    # The largest block that the heap gives, bytes.
    low, high = 0, gc.mem_free()
    while low + 64 < high:
        middle = (low + high) // 2
        try:
            bytearray(middle)
            low = middle
        except MemoryError:
            high = middle
        gc.collect()
    return low


def endure(name, size, count):
    # What many messages leave of the heap.
    try:
        made = ready(name, "publish")
        made.publish(0, size, 1)
        gc.collect()
        before = largest()
        left, most, said = count, batch(size), count
        while left:
            settle(made.sock)
            n = min(left, most)
            made.publish(0, size, n)
            left -= n
            if said - left >= 1000:
                # A sign of life.
                said = left
                print("-", left)
        settle(made.sock)
        gc.collect()
        print("@", name, before - largest(), count)
        made.close()
    except Exception as error:
        failed(name, error)
