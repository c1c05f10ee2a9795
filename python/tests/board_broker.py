# Decides what the broker is on a board without network: one session over a stream in memory, which drops the connection
# after so many bytes. The client's module `socket` is the stand-in of board_stand_ins.py, its sockets are made here.
import sys


class Broker:
    # One session, kept over all connections. Packets of the client in, packets for the client out.
    def __init__(self):
        self.out = bytearray()
        self.inside = bytearray()
        self.waiting = []  # for the client and unacknowledged: [id, flags and rest of the PUBLISH, PUBREC has come]
        self.taken = set()  # identifiers of QoS 2 that the client has not released
        self.next_id = 0
        self.lost = 0
        self.left = 0
        self.seed = 12345

    def connect(self):
        self.out = bytearray()
        self.inside = bytearray()
        # 2,000 to 5,999 bytes a connection, the same in every run.
        self.seed = (self.seed * 1103515245 + 12345) & 0x7FFFFFFF
        self.left = 2000 + (self.seed >> 8) % 4000

    def spend(self, n):
        # How many of `n` bytes still pass.
        n = min(n, self.left)
        self.left -= n
        return n

    def take(self, data):
        self.inside += data
        while len(self.inside) >= 2:
            n, at, shift = 0, 1, 0
            while True:
                if at == len(self.inside):
                    return
                byte = self.inside[at]
                n |= (byte & 0x7F) << shift
                at, shift = at + 1, shift + 7
                if byte < 0x80:
                    break
            if len(self.inside) < at + n:
                return
            first, body = self.inside[0], bytes(self.inside[at : at + n])
            self.inside = self.inside[at + n :]
            self.packet(first, body)

    def packet(self, first, body):
        kind = first >> 4
        if kind == 1:
            self.out += b"\x20\x02\x01\x00" if self.next_id else b"\x20\x02\x00\x00"
            # What is unacknowledged goes out again (section 4.4).
            for message in self.waiting:
                self.send(message, 8)
        elif kind == 8:
            self.next_id = max(1, self.next_id)
            self.out += b"\x90\x03" + body[:2] + body[-1:]
        elif kind == 3:
            self.publish(first >> 1 & 3, body)
        elif kind == 6:
            self.taken.discard(body)
            self.out += b"\x70\x02" + body
        elif kind in (4, 7):
            self.waiting = [m for m in self.waiting if m[0] != body]
        elif kind == 5:
            for message in self.waiting:
                if message[0] == body:
                    message[2] = True
            self.out += b"\x62\x02" + body
        elif kind == 12:
            self.out += b"\xd0\x00"

    def publish(self, qos, body):
        end = 2 + (body[0] << 8 | body[1])
        topic, number, payload = body[:end], body[end : end + 2], body[end + (2 if qos else 0) :]
        if qos == 1:
            self.out += b"\x40\x02" + number
        elif qos == 2:
            self.out += b"\x50\x02" + number
            if number in self.taken:
                return
            self.taken.add(number)
        self.next_id = self.next_id % 65535 + 1
        message = [self.next_id.to_bytes(2, "big"), (qos, topic, payload), False]
        if qos:
            self.waiting.append(message)
        self.send(message, 0)

    def send(self, message, dup):
        number, (qos, topic, payload), released = message
        if released:
            self.out += b"\x62\x02" + number
            return
        body = topic + (number if qos else b"") + payload
        # The messages are shorter than 128 bytes.
        self.out += bytes((0x30 | dup | qos << 1, len(body))) + body


class Socket:
    def __init__(self):
        self.up = True

    def connect(self, address):
        broker.connect()

    def close(self):
        self.up = False

    def setblocking(self, flag):
        pass

    def settimeout(self, seconds):
        pass

    def write(self, data, n=None):
        data = bytes(data) if n is None else bytes(data)[:n]
        passes = broker.spend(len(data))
        broker.take(data[:passes])
        # What does not pass is lost without a word, as with TCP; the next read sees the end.
        broker.lost += passes < len(data)
        return len(data)

    def read(self, n=-1):
        if not broker.out:
            # Nothing to say, or the link is down.
            return None if broker.left else b""
        n = broker.spend(min(n, len(broker.out)))
        if n == 0:
            broker.lost += 1
        data = bytes(broker.out[:n])
        broker.out = broker.out[n:]
        return data

    send = write
    recv = read


sys.modules["socket"].socket = Socket
