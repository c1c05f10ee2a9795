# Decides what a client under test sees as the network: a socket written in Python that records what is written and
# hands out what a script prepared. It stands in for the modules `socket` and `ssl`; nothing leaves the process.
import sys


class Network:
    def __init__(self):
        self.reset()

    def reset(self):
        self.feed = bytearray()  # what reads will get, in order
        self.at_end = "eof"  # what a read gets after that: "eof", "none" or "raise"
        self.written = bytearray()  # what was written, over all sockets, in order
        self.write_limit = None  # bytes that may still be written before writing fails; None for no limit
        self.refuse = False  # whether connecting fails
        self.events = []  # connects, closes and TLS wraps, in order

    def read(self, n):
        if n < 0:
            n = len(self.feed)
        if n == 0:
            return b""
        if not self.feed:
            if self.at_end == "none":
                return None
            if self.at_end == "raise":
                raise OSError(110)
            return b""
        out = bytes(self.feed[:n])
        self.feed = self.feed[n:]
        return out

    def write(self, data):
        if self.write_limit is not None:
            room = self.write_limit
            if len(data) > room:
                self.written += data[:room]
                self.write_limit = 0
                raise OSError(104)
            self.write_limit = room - len(data)
        self.written += data
        return len(data)


net = Network()


def as_bytes(data):
    # What a stream takes: a str as UTF-8, anything else by the buffer protocol (a TypeError otherwise).
    if isinstance(data, str):
        return data.encode()
    return bytes(memoryview(data))


class Socket:
    def __init__(self, *args):
        self.open = True

    def connect(self, address):
        if net.refuse:
            raise OSError(111)
        net.events.append("connect %r" % (address,))

    def write(self, data, n=None):
        data = as_bytes(data)
        if n is not None:
            data = data[:n]
        return net.write(data)

    send = write

    def read(self, n=-1):
        return net.read(n)

    recv = read

    def readinto(self, buffer, n=None):
        got = net.read(len(buffer) if n is None else n)
        if got is None:
            return None
        buffer[: len(got)] = got
        return len(got)

    def setblocking(self, flag):
        pass

    def settimeout(self, seconds):
        pass

    def setsockopt(self, *args):
        pass

    def close(self):
        net.events.append("close")


class FakeSocketModule:
    AF_INET = 2
    SOCK_STREAM = 1
    IPPROTO_TCP = 6
    TCP_NODELAY = 1
    socket = Socket

    @staticmethod
    def getaddrinfo(host, port, *args):
        return [(2, 1, 6, "", (host, port))]


class FakeSslModule:
    @staticmethod
    def wrap_socket(sock, **options):
        names = sorted(options)
        net.events.append("wrap " + " ".join("%s=%r" % (name, options[name]) for name in names))
        return sock


class FakeContext:
    def wrap_socket(self, sock, **options):
        return FakeSslModule.wrap_socket(sock, **options)


def install():
    # Under both names: `usocket` is what umqtt.simple 1.3.4 imports, `socket` what later ones do.
    for name in ("socket", "usocket"):
        sys.modules[name] = FakeSocketModule
    for name in ("ssl", "ussl", "tls"):
        sys.modules[name] = FakeSslModule
