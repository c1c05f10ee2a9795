# What the safe layer does inside a real interpreter, through the module `testmodule` (native-module/testmodule).
# Prints one line per check that fails and a last line `N passed, N failed`.

import gc
import io
import sys
import testmodule as t

passed = failed = 0


def check(name, got, expected):
    global passed, failed
    if got == expected and type(got) is type(expected):
        passed += 1
    else:
        failed += 1
        print("FAILED %s: got %r, expected %r" % (name, got, expected))


def raised(f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except Exception as e:
        return type(e).__name__, e.args
    return None


check("constants", t.constants(), (None, True, False))
for value in (None, 0, 1, "", "x", b"", [], [0], {}, 0.0, 1.5, 1 << 80):
    check("truth of %r" % value, t.is_true(value), bool(value))
for value in (0, 1, -1, 1 << 29, -(1 << 29), sys.maxsize, -sys.maxsize - 1, True):
    check("int %r" % value, t.int(value), int(value))
check("int of a str", raised(t.int, "1")[0], "TypeError")
check("int of a big int", raised(t.int, 1 << 80)[0], "OverflowError")
check("low byte of a big int", t.truncated((1 << 80) + 0x123), 0x23)
check("low byte of -1", t.truncated(-1), 0xFF)
check("static strs", [t.text(i) for i in range(3)], ["cero", "uno", "dos"])
check("error without argument", raised(t.text, 3), ("IndexError", ()))

check("required arguments", t.arguments(1, 2), (1, 2, 30, None))
check("optional arguments", t.arguments(1, 2, 3, 4), (1, 2, 3, 4))
check("keywords", t.arguments(b=2, a=1), (1, 2, 30, None))
check("mixed", t.arguments(1, d=4, b=2), (1, 2, 30, 4))
check("missing", raised(t.arguments, 1)[0], "TypeError")
check("too many", raised(t.arguments, 1, 2, 3, 4, 5)[0], "TypeError")
check("unknown keyword", raised(t.arguments, 1, 2, e=5)[0], "TypeError")
check("given twice", raised(t.arguments, 1, 2, a=5)[0], "TypeError")


class Thing:
    value = 1

    def method(self, *args, **kwargs):
        return args, sorted(kwargs.items())


thing = Thing()
check("load attribute", t.swap_attribute(thing, 5), 1)
check("store attribute", thing.value, 5)
check("no attribute", raised(t.swap_attribute, 3, 5)[0], "AttributeError")
check("method", t.call_method(thing, 8), ((8,), []))
check("no method", t.call_method(3, 8), None)
check("keywords out", t.call_keywords(thing, {"x": 1, "ñ": 2}), ((1,), [("x", 1), ("ñ", 2)]))
many = {"k%d" % i: i for i in range(30)}
check("many keywords out", t.call_keywords(thing, many), ((1,), sorted(many.items())))
check("keywords that are no names", raised(t.call_keywords, thing, {1: 2})[0], "TypeError")
check("keywords of no dict", raised(t.call_keywords, thing, [1])[0], "AttributeError")
check("join", t.join(", ", ["a", "b"]), "a, b")
check("exception through Rust", raised(t.join, ", ", [1])[0], "TypeError")

check("class only", raised(t.fail, 0), ("KeyError", ()))
check("message", raised(t.fail, 1), ("ValueError", ("a message with ñ",)))
check("number", raised(t.fail, 2), ("OSError", (-7,)))
check("own class", raised(t.fail, 3), ("OwnError", ("of this module",)))
check("own class is a subclass", issubclass(t.OwnError, ValueError), True)
check("instance", raised(t.fail, 4), ("OwnError", (4,)))
check("globals after a raise inside the module", (raised(t.fail, 5)[0], Thing.value), ("ImportError", 1))
check("no failure", t.fail(9), None)

check("no panic", [t.panic(i) for i in range(3)], [0, 1, 4])
name, (text,) = raised(t.panic, 3)
check("a panic is a RuntimeError", name, "RuntimeError")
check("with file and line", text.startswith("Rust panic at native-module/testmodule/src/layer.rs:"), True)
line = text.split(":")[1]
check("and the line is a number", int(line.split(":")[0]) > 50, True)
check("with its message", raised(t.panic, -1)[1][0].endswith(": asked for"), True)
check("and the module still works", t.panic(2), 4)

check("bss and data", [t.count() for _ in range(3)], [(0, 7), (1, 8), (2, 9)])
for _ in range(20):
    [bytearray(1000) for _ in range(50)]
    gc.collect()
check("a static keeps its object", t.kept(), ("kept", b"bytes"))
check("and it is the same", t.kept() is t.kept(), True)

data = bytes(range(256)) * 3
target = io.BytesIO()
check("native streams", (t.copy_stream(io.BytesIO(data), target), target.getvalue() == data), (768, True))


class Slow:
    def __init__(self, data):
        self.data = data
        self.out = b""

    def read(self, n):
        part, self.data = self.data[:1], self.data[1:]
        return part

    def write(self, b):
        self.out += b[:3]
        return min(3, len(b))


slow = Slow(b"one byte at a time")
target = Slow(b"")
check("Python streams", (t.copy_stream(slow, target), target.out), (18, b"one byte at a time"))


class Busy(Slow):
    def read(self, n):
        return None


class Greedy(Slow):
    def read(self, n):
        return b"x" * (n + 1)


class Silent(Slow):
    def write(self, b):
        self.out += b


check("nothing to read", t.copy_stream(Busy(b""), target), -11)
check("more than asked for", raised(t.copy_stream, Greedy(b""), target)[0], "ValueError")
silent = Silent(b"")
check("write without an answer", (t.copy_stream(io.BytesIO(b"abc"), silent), silent.out), (3, b"abc"))
check("no stream", raised(t.copy_stream, 3, 4)[0], "AttributeError")

for value in (b"", b"abc", bytearray(b"abc"), memoryview(b"abc"), "añb"):
    plain = value.encode() if isinstance(value, str) else bytes(value)
    check("bytes of %r" % value, t.reversed_bytes(value), bytes(reversed(plain)))
made = t.reversed_bytes(b"cba")
check("hash of a made object", ({made: 1}[b"abc"], hash(made) == hash(b"abc")), (1, True))
check("no buffer", raised(t.reversed_bytes, 3)[0], "TypeError")
array = bytearray(b"abc")
check("writing", (t.set_byte(array, 1, 0x78), t.set_byte(array, 3, 0), array), (True, False, bytearray(b"axc")))
check("read-only", raised(t.set_byte, b"abc", 0, 0)[0], "TypeError")

counter = t.Counter(5)
check("method binds self", (counter.add(), counter.add(step=3), counter.n), (6, 9, 9))
check("class attribute", t.Counter.UNIT, "pulses")
counter.note = "free attributes"
check("instance attribute", counter.note, "free attributes")


class Loud(t.Counter):
    def __init__(self):
        super().__init__(100)
        self.calls = 0

    def add(self, step=1):
        self.calls += 1
        return super().add(step * 10)


loud = Loud()
check("native code calls the override", (loud.twice(), loud.calls, loud.n), (120, 2, 120))
check("isinstance", isinstance(loud, t.Counter), True)
check("unbound call", t.Counter.add(loud, 1), 121)

print("%d passed, %d failed" % (passed, failed))
