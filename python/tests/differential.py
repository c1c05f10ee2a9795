# Decides what a differential script is: from a seed it makes a series of operations on an MQTTClient, usual and
# unusual, runs them over the recording socket and prints one JSON line per operation with everything a program
# could observe. The same seeds on two implementations must give the same lines.
#
# Usage: micropython differential.py FIRST_SEED COUNT
import hashlib
import json
import sys

import recording
from recording import as_bytes, net

recording.install()

from umqtt import simple  # noqa: E402  (the fake network has to stand before the import)


class Random:
    # xorshift32, the same on every version.
    def __init__(self, seed):
        self.state = (seed * 2654435761 + 88172645) & 0xFFFFFFFF or 1
        for _ in range(8):
            self.next()

    def next(self):
        x = self.state
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        x ^= (x << 5) & 0xFFFFFFFF
        self.state = x
        return x

    def below(self, n):
        return self.next() % n

    def chance(self, percent):
        return self.below(100) < percent

    def pick(self, items):
        return items[self.below(len(items))]


class Plain:
    # An object without a length, a buffer or a truth value of its own.
    def __repr__(self):
        return "<Plain>"


# The remaining lengths at which the encoding grows by a byte, and their neighbours. The largest that
# umqtt.simple sends is 2097151.
BOUNDARIES = (125, 126, 127, 128, 129, 130, 16382, 16383, 16384, 16385, 2097150, 2097151, 2097152)


# What ends a connection's use.
BREAKING = ("cut", "malformed", "wrong-ack", "wrong-connack", "write-fails", "dup-qos-0", "empty-topic-in")


def shown(data):
    # Bytes as hex; long ones by length and hash.
    data = bytes(data)
    if len(data) <= 160:
        return data.hex()
    return "%d bytes, sha256 %s" % (len(data), hashlib.sha256(data).digest().hex()[:32])


def shown_value(value):
    if isinstance(value, (bytes, bytearray)):
        return "%s:%s" % (type(value).__name__, shown(value))
    if isinstance(value, memoryview):
        return "memoryview:" + shown(value)
    if isinstance(value, str) and len(value) > 60:
        return "str of %d" % len(value)
    if value is None or isinstance(value, (bool, int, str, float, tuple, list, dict)):
        return repr(value)
    return "<%s>" % type(value).__name__


def shown_error(error):
    # The type, and what the exception carries where programs look at it: an error number or a return code.
    name = type(error).__name__
    if name in ("OSError", "MQTTException"):
        return "%s%r" % (name, error.args)
    return name


class Script:
    def __init__(self, seed):
        self.r = Random(seed)
        self.seed = seed
        self.step = 0
        self.client = None
        self.calls = []

    # -- values ---------------------------------------------------------------------------------------------------

    def text(self, tags, what):
        r = self.r
        kind = r.below(100)
        if kind < 55:
            return r.pick(("t", "a/b/c", "casa/salon/luz", b"bytes/topic", b"x", "$SYS/y", "con espacio"))
        if kind < 62:
            return bytearray(b"bytearray/" + bytes([97 + r.below(20)]))
        if kind < 69:
            return memoryview(b"memory/view")
        if kind < 71:
            tags.append("empty-" + what)
            return r.pick(("", b"", bytearray()))
        if kind < 77:
            tags.append("non-ascii")
            return r.pick(("temperatura/ñ", "t/é", "23.5°C", "雪", "a\u20acb"))
        if kind < 79:
            tags.append("bad-utf8")
            return b"\x00\xff\x80 raw \xc3"
        if kind < 87:
            n = r.pick((1, 127, 128, 300, 1000, 65535))
            return "L" * n if r.chance(50) else b"B" * n
        if kind < 89:
            tags.append("over-65535")
            return r.pick(("L", b"B")) * r.pick((65536, 65537, 70000))
        if kind < 93:
            return "sensor/%d" % kind
        tags.append("bad-" + what)
        return r.pick((None, 5, 1.5, ["l"], ("t",), Plain(), True, {}, -1))

    def message(self, tags, topic):
        r = self.r
        if r.chance(25):
            try:
                overhead = 2 + len(topic)
            except TypeError:
                overhead = 2
            total = r.pick(BOUNDARIES if r.chance(40) else BOUNDARIES[:10]) + r.pick((0, 0, 2))
            tags.append("boundary")
            if total >= 2097152:
                tags.append("too-large")
            size = max(0, total - overhead)
            return b"m" * size if r.chance(50) else bytearray(size)
        if r.chance(20):
            return r.pick(("", b"", "hola", b"\x00\x01\x02", bytearray(b"xyz"), memoryview(b"view of it")))
        return self.text(tags, "message")

    def qos(self, tags):
        r = self.r
        if r.chance(88):
            return r.pick((0, 0, 1))
        tags.append("odd-qos")
        return r.pick((2, 3, -1, 4, True, False, None, "1", 1.0, 255, 256))

    def flag(self, tags):
        r = self.r
        if r.chance(88):
            return r.pick((False, True))
        tags.append("odd-flag")
        return r.pick((0, 1, None, 2, "", "x", 1.0, b"1", []))

    # -- what the peer sends --------------------------------------------------------------------------------------

    def cut(self, packet, tags):
        # Now and then the stream ends inside a packet.
        if self.r.chance(8) and len(packet) > 1:
            tags.append("cut")
            return packet[: self.r.below(len(packet))]
        return packet

    def pid(self):
        return (getattr(self.client, "pid", 0) or 0) & 0xFFFF

    def incoming(self, tags):
        r = self.r
        kind = r.below(100)
        if kind < 12:
            return b"\xd0\x00"
        if kind < 17:
            tags.append("stray")
            return r.pick(
                (b"\x40\x02\x00\x09", b"\x90\x03\x00\x09\x00", b"\xb0\x02\x00\x09", b"\x20\x02\x00\x00", b"\x40\x02\xff\xff")
            )
        if kind < 21:
            tags.append("malformed")
            return r.pick(
                (
                    b"\xd0\x01\x00",
                    b"\x00\x00",
                    b"\xf0\x00",
                    b"\x30\x01\x00",
                    b"\x30\x03\x00\x05a",
                    b"\x30\xff\xff\xff\xff\x01\x00",
                    b"\x36\x05\x00\x01t\x00\x01",
                    b"\x32\x03\x00\x01t",
                    b"\x32\x05\x00\x01t\x00\x00",
                    b"\x82\x02\x00\x01",
                    b"\x62\x02\x00\x01",
                )
            )
        topic = r.pick((b"t", b"a/b", b"casa/\xc3\xb1", b"", b"T" * 130))
        if topic == b"":
            tags.append("empty-topic-in")
        payload = r.pick((b"", b"1", b"hola", b"\x00\xff", b"p" * 100, b"p" * 125, b"p" * 200, b"p" * 16400))
        first = 0x30
        if r.chance(25):
            first |= 1
        qos = r.pick((0, 0, 0, 1, 1, 2 if r.chance(30) else 0))
        first |= qos << 1
        if r.chance(10):
            first |= 8
            if qos == 0:
                tags.append("dup-qos-0")
        if qos == 2:
            tags.append("qos-2-in")
        body = bytes([len(topic) >> 8, len(topic) & 255]) + topic
        if qos:
            body += r.pick((b"\x00\x01", b"\x12\x34", b"\xff\xff"))
        body += payload
        return bytes([first]) + varint(len(body)) + body

    # -- running one operation ------------------------------------------------------------------------------------

    def run(self, name, tags, call, feed=b"", at_end="eof"):
        net.feed = bytearray(feed)
        net.at_end = at_end
        net.written = bytearray()
        net.events = []
        self.calls = []
        try:
            outcome = "returned " + shown_value(call())
        except Exception as error:
            outcome = "raised " + shown_error(error)
        client = self.client
        line = {
            "seed": self.seed,
            "step": self.step,
            "op": name,
            "tags": tags,
            "outcome": outcome,
            "written": shown(net.written),
            "unread": len(net.feed),
            "events": net.events,
            "callbacks": self.calls,
            "state": {
                key: shown_value(getattr(client, key, "missing"))
                for key in (
                    "client_id",
                    "server",
                    "port",
                    "pid",
                    "user",
                    "pswd",
                    "keepalive",
                    "lw_topic",
                    "lw_msg",
                    "lw_qos",
                    "lw_retain",
                    "ssl_params",
                    "sock",
                    "cb",
                )
            },
        }
        print(json.dumps(line))
        self.step += 1
        self.broken = any(tag in tags for tag in BREAKING)
        net.write_limit = None
        net.refuse = False

    def faults(self, tags):
        # Now and then writing fails part of the way through.
        if self.r.chance(5):
            tags.append("write-fails")
            net.write_limit = self.r.pick((0, 1, 2, 3, 5, 8, 13, 20, 100))

    # -- operations -----------------------------------------------------------------------------------------------

    def new(self):
        r = self.r
        tags = []
        args = [r.pick(("cliente", b"bytes-id", "x" * 23)) if r.chance(80) else self.text(tags, "client-id")]
        args.append(r.pick(("broker", "10.0.0.1", b"host", "")))
        options = {}
        if r.chance(20):
            options["port"] = r.pick((0, 1883, 8883, 1, 65535))
        if r.chance(30):
            options["user"] = r.pick(("u", b"user", "usuario")) if r.chance(70) else self.text(tags, "user")
            if r.chance(4):
                tags.append("empty-user")
                options["user"] = ""
            if r.chance(90):
                options["password"] = r.pick(("p", b"secret", "")) if r.chance(70) else self.text(tags, "password")
            else:
                tags.append("no-password")
        elif r.chance(5):
            options["password"] = "without-user"
        if r.chance(25):
            options["keepalive"] = r.pick((0, 1, 60, 255, 256, 65535))
            if r.chance(30):
                tags.append("odd-keepalive")
                options["keepalive"] = r.pick((65536, 100000, -1, None, "60", 1.5, True))
        if r.chance(15):
            options["ssl"] = r.pick((True, False))
            if r.chance(50):
                options["ssl_params"] = r.pick(({}, {"server_hostname": "broker"}, {"cert_reqs": 0, "key": b"k"}))
            if options["ssl"]:
                tags.append("tls")
        if r.chance(4):
            tags.append("tls-context")
            options["ssl"] = recording.FakeContext()
        if r.chance(3):
            tags.append("bad-arguments")
            options[r.pick(("nonsense", "pswd", "clean_session"))] = 1
        if r.chance(2):
            tags.append("bad-arguments")
            args = args[: r.below(2)]
        self.tags_of_client = [tag for tag in tags if tag != "bad-arguments"]
        base = self.subclass()

        def make():
            self.client = base(*args, **options)

        self.run("new", tags, make)
        if self.client is None:
            self.client = base("fallback", "broker")
            self.tags_of_client = []
        if r.chance(85):
            self.set_callback()

    def subclass(self):
        kind = self.r.below(10)
        script = self
        if kind == 0:

            class Counting(simple.MQTTClient):
                def wait_msg(self):
                    script.calls.append("wait_msg")
                    return super().wait_msg()

            return Counting
        if kind == 1:

            class Simpler(simple.MQTTClient):
                def connect(self, clean_session=True):
                    script.calls.append("connect")
                    self.mine = 1
                    return super().connect(clean_session)

                def subscribe(self, topic):
                    script.calls.append("subscribe")
                    return super().subscribe(topic)

                def publish(self, topic, msg, retain=False, qos=0):
                    script.calls.append("publish")
                    return super().publish(topic, msg, retain, qos)

            return Simpler
        if kind == 2:

            class Own(simple.MQTTClient):
                def __init__(self, *args, **options):
                    super().__init__(*args, **options)
                    self.extra = []

                def set_callback(self, f):
                    self.extra.append(f)
                    super().set_callback(f)

            return Own
        return simple.MQTTClient

    def set_callback(self):
        r = self.r
        kind = r.below(12)
        tags = []

        def record(topic, message):
            self.calls.append("%s %s" % (shown_value(topic), shown_value(message)))

        def fail(topic, message):
            self.calls.append("fails")
            raise ValueError("from the callback")

        def answer(topic, message):
            self.calls.append("answers")
            self.client.publish("answer", message)

        def one_argument(topic):
            self.calls.append("never")

        callback = record
        if kind == 0:
            callback = fail
            tags.append("failing-callback")
        elif kind == 1:
            callback = answer
            tags.append("publishing-callback")
        elif kind == 2:
            callback = r.pick((one_argument, 5, "name"))
            tags.append("bad-callback")
        elif kind == 3:
            callback = None
        self.run("set_callback", tags, lambda: self.client.set_callback(callback))

    def connect(self):
        r = self.r
        tags = list(self.tags_of_client)
        args = []
        if r.chance(40):
            args = [self.flag(tags)]
        feed = bytes((0x20, 2, r.below(2), 0))
        if r.chance(15):
            tags.append("refused")
            feed = bytes((0x20, 2, r.below(2), r.pick((1, 2, 3, 4, 5, 6, 128, 255))))
        elif r.chance(8):
            tags.append("wrong-connack")
            feed = r.pick((b"\x20\x03\x00\x00\x00", b"\x30\x02\x00\x00", b"\x90\x03\x00\x01\x00", b"\x21\x02\x00\x00", b"\xd0\x00", b"\x20\x02\x02\x00", b"\x20\x02\xff\x00"))
        if r.chance(5):
            tags.append("unreachable")
            net.refuse = True
        feed = self.cut(feed, tags)
        at_end = r.pick(("eof", "eof", "eof", "raise", "none"))
        self.faults(tags)
        self.run("connect", tags + ["end-" + at_end], lambda: self.client.connect(*args), feed, at_end)

    def publish(self):
        r = self.r
        tags = []
        topic = self.text(tags, "topic")
        message = self.message(tags, topic)
        args = [topic, message]
        options = {}
        qos = 0
        if r.chance(70):
            retain = self.flag(tags)
            qos = self.qos(tags)
            if r.chance(50):
                args += [retain, qos]
            else:
                options = {"retain": retain, "qos": qos}
        if r.chance(2):
            tags.append("bad-arguments")
            options["nonsense"] = 1
        feed = b""
        if qos == 1 or r.chance(5):
            pid = self.pid() + 1
            if pid > 65535:
                tags.append("pid-wrap")
                pid = 1
            ack = bytes((0x40, 2, pid >> 8, pid & 255))
            if r.chance(12):
                # Messages come before the acknowledgement.
                feed += self.incoming(tags)
            if r.chance(6):
                tags.append("other-ack-first")
                feed += b"\x40\x02\x77\x77"
            if r.chance(5):
                tags.append("wrong-ack")
                ack = r.pick((b"\x40\x03\x00\x01\x00", b"\x90\x03\x00\x01\x00", b"\x40\x00", b"\x20\x02\x00\x00"))
            feed += self.cut(ack, tags)
        at_end = r.pick(("eof", "eof", "eof", "raise"))
        self.faults(tags)
        self.run("publish", tags + ["end-" + at_end], lambda: self.client.publish(*args, **options), feed, at_end)

    def subscribe(self):
        r = self.r
        tags = []
        topic = self.text(tags, "topic")
        args = [topic]
        options = {}
        if r.chance(50):
            qos = self.qos(tags)
            if r.chance(50):
                args.append(qos)
            else:
                options["qos"] = qos
        if isinstance(topic, (str, bytes, bytearray, memoryview)) and len(as_bytes(topic)) > 122:
            tags.append("long-filter")
        pid = self.pid() + 1
        if pid > 65535:
            tags.append("pid-wrap")
            pid = 1
        code = r.pick((0, 1, 2, 0, 1))
        if r.chance(10):
            tags.append("refused")
            code = r.pick((0x80, 0x80, 3, 0x87))
        ack = bytes((0x90, 3, pid >> 8, pid & 255, code))
        if r.chance(6):
            tags.append("wrong-ack")
            ack = r.pick((b"\x90\x03\x77\x77\x00", b"\x90\x04" + ack[2:] + b"\x00", b"\x90\x02\x00\x01"))
        feed = b""
        if r.chance(15):
            feed += self.incoming(tags)
        feed += self.cut(ack, tags)
        at_end = r.pick(("eof", "eof", "eof", "raise"))
        self.faults(tags)
        self.run("subscribe", tags + ["end-" + at_end], lambda: self.client.subscribe(*args, **options), feed, at_end)

    def receive(self):
        r = self.r
        tags = []
        method = r.pick(("wait_msg", "check_msg"))
        feed = b""
        if r.chance(90):
            feed = self.cut(self.incoming(tags), tags)
        more = 0
        if feed and r.chance(25):
            # A second packet that must stay unread.
            feed += b"\x30\x04\x00\x01nx"
        at_end = r.pick(("eof", "none", "raise"))
        self.faults(tags)
        self.run(method, tags + ["end-" + at_end], lambda: getattr(self.client, method)(), feed, at_end)

    def ping(self):
        tags = []
        self.faults(tags)
        self.run("ping", tags, lambda: self.client.ping())

    def disconnect(self):
        tags = []
        self.faults(tags)
        self.run("disconnect", tags, lambda: self.client.disconnect())

    def last_will(self):
        r = self.r
        tags = []
        args = [self.text(tags, "will-topic"), self.text(tags, "will-message")]
        if r.chance(60):
            args += [self.flag(tags), r.pick((0, 1, 2))]
            if r.chance(15):
                tags.append("odd-qos")
                args[3] = r.pick((3, -1, None, "1", True, 1.0))
        self.run("set_last_will", tags, lambda: self.client.set_last_will(*args))
        self.tags_of_client += [tag for tag in tags if tag not in self.tags_of_client]

    def assign(self):
        r = self.r
        tags = []
        name, value = r.pick(
            (
                ("pid", 65533),
                ("pid", 65534),
                ("pid", 65535),
                ("pid", 0),
                ("pid", 254),
                ("client_id", "otro"),
                ("client_id", b"otro-en-bytes"),
                ("user", None),
                ("user", "usuario"),
                ("pswd", "clave"),
                ("pswd", b"clave"),
                ("keepalive", 30),
                ("lw_topic", None),
                ("lw_topic", "will"),
                ("lw_msg", "bye"),
                ("lw_retain", True),
                ("lw_qos", 1),
                ("port", 1234),
                ("server", "elsewhere"),
                ("sock", recording.Socket()),
                ("sock", None),
                ("own_attribute", [1, 2]),
            )
        )
        if name in ("lw_topic", "user", "pswd", "lw_msg"):
            tags.append("assigned-" + name)
            self.tags_of_client.append("assigned-" + name)
        if name == "pid" and value > 65000:
            self.near_wrap = True

        def store():
            setattr(self.client, name, value)

        self.run("assign " + name, tags, store)

    def internals(self):
        r = self.r
        tags = []
        if r.chance(50):
            text = self.text(tags, "argument")
            self.run("_send_str", tags, lambda: self.client._send_str(text))
        else:
            feed = r.pick((b"\x00", b"\x7f", b"\x80\x01", b"\xff\x7f", b"\x80\x80\x01", b"\xff\xff\xff\x7f", b"", b"\x80"))
            self.run("_recv_len", tags, lambda: self.client._recv_len(), feed + b"rest" if r.chance(30) else feed)

    def play(self):
        r = self.r
        net.reset()
        self.tags_of_client = []
        self.new()
        if r.chance(25):
            self.last_will()
        operations = (
            [self.publish] * 8
            + [self.subscribe] * 4
            + [self.receive] * 7
            + [self.ping, self.disconnect, self.connect, self.connect]
            + [self.set_callback, self.last_will, self.assign, self.assign, self.internals]
        )
        for n in range(5 + r.below(8)):
            self.broken = False
            if n == 0 and r.chance(95):
                self.connect()
            else:
                r.pick(operations)()
            if self.broken:
                # A client whose stream broke off or went astray is of no more use before it connects again.
                self.run("connect again", self.tags_of_client, lambda: self.client.connect(), b"\x20\x02\x00\x00")


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


first, count = int(sys.argv[1]), int(sys.argv[2])
for seed in range(first, first + count):
    Script(seed).play()
