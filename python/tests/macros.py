# What the macros make of Rust functions and classes, through the module `testmodule` (native-module/testmodule).
# Prints one line per check that fails and a last line `N passed, N failed`.

import gc
import io
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
        return type(e).__name__, str(e)
    return None


def churn():
    for _ in range(5):
        [bytearray(100) for _ in range(100)]
        gc.collect()


# The module.

check("constants of the module", (t.LARGEST, t.GREETING), (65535, "¡hola!"))
check("a function of the module itself", (t.multiply(6, 7), t.multiply(6), t.multiply(b=5, a=2)), (42, 12, 10))
check("returns nothing", t.unit(), None)

# How arguments are passed.

check("defaults", t.with_defaults(1), (1, 2, None, "four", 1000, -1))
check("by position", t.with_defaults(1, 3, 4, "x", 5, 6), (1, 3, 4, "x", 5, 6))
check("by keyword", t.with_defaults(a=1, d="ñ", f=7), (1, 2, None, "ñ", 1000, 7))
check("None for an Option", t.with_defaults(1, c=None, e=None), (1, 2, None, "four", None, -1))
check("None otherwise", raised(t.with_defaults, 1, d=None), ("TypeError", "'d' must be str"))
check("missing", raised(t.with_defaults), ("TypeError", "'a' argument required"))
check("too many", raised(t.with_defaults, *range(7))[0], "TypeError")
check("unknown", raised(t.with_defaults, 1, z=2)[0], "TypeError")
check("twice", raised(t.with_defaults, 1, a=2)[0], "TypeError")
check("too many for `/`", raised(t.position_only, 1, 2, 3, 4), ("TypeError", "'position_only' got too many arguments"))
check("unknown for `*`", raised(t.keyword_only, 1, z=2), ("TypeError", "'keyword_only' got an unknown keyword argument"))
check("twice for `*`", raised(t.keyword_only, 1, a=2), ("TypeError", "'a' given twice"))
check("by position only", t.position_only(1, 2, c=3), (1, 2, 3))
check("by position only, by keyword", raised(t.position_only, 1, b=2, c=3)[0], "TypeError")
check("by keyword only", t.keyword_only(1, b=2), (1, 2, True))
check("by keyword only, both", t.keyword_only(1, c=False, b=2), (1, 2, False))
check("by keyword only, missing", raised(t.keyword_only, 1), ("TypeError", "'b' argument required"))
check("by keyword only, by position", raised(t.keyword_only, 1, 2)[0], "TypeError")
check("no rest", t.rest(1), (1, ()))
check("a rest", t.rest(1, 2, "three", *[4] * 20), (1, (2, "three") + (4,) * 20))
check("everything, little", t.everything(1), (1, (), None, {}))
check("everything", t.everything(1, 2, 3, key="k", x=5, **{"y": 6}), (1, (2, 3), "k", {"x": 5, "y": 6}))
check("everything by keyword", t.everything(b=2, a=1), (1, (), None, {"b": 2}))
check("fourteen", t.many(*[1] * 14), 2**14 - 1)
check("fourteen, some by keyword", t.many(*[1] * 12, n=0, m=0), 2**14 - 4)

# Conversions.

for value in (0, 1, -1, 127, -128):
    check("i8 %d" % value, t.i8(value), value)
for value in (128, -129, 1 << 70):
    check("i8 %d" % value, raised(t.i8, value), ("OverflowError", "'value' out of range"))
check("i8 of True", t.i8(True), 1)
check("i8 of a float", raised(t.i8, 1.0)[0], "TypeError")
for value in (0, 65535):
    check("u16 %d" % value, t.u16(value), value)
for value in (-1, 65536, -(1 << 63)):
    check("u16 %d" % value, raised(t.u16, value)[0], "OverflowError")
for value in (0, 1, -1, 1 << 30, 1 << 31, 1 << 32, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, -(1 << 63)):
    check("i64 %d" % value, t.i64(value), value)
for value in (1 << 63, -(1 << 63) - 1, 1 << 64, 1 << 100):
    check("i64 %d" % value, raised(t.i64, value)[0], "OverflowError")
for value in (0, 1, 1 << 31, 1 << 32, 1 << 62, 1 << 63, (1 << 64) - 1):
    check("u64 %d" % value, t.u64(value), value)
for value in (-1, 1 << 64, -(1 << 63), -(1 << 64) + 1):
    check("u64 %d" % value, raised(t.u64, value)[0], "OverflowError")
check("i64 of a str", raised(t.i64, "1")[0], "TypeError")
for value in (0.0, 1.0, -2.5, 1e10):
    check("f32 %r" % value, t.f32_half(value), value / 2)
    check("f64 %r" % value, t.f64_half(value), value / 2)
check("f64 keeps all digits", t.f64_half(0.1), 0.05)
check("f32 does not", abs(t.f32_half(0.1) - 0.05) < 1e-8, True)
check("float of an int", t.f64_half(3), 1.5)
check("float of a str", raised(t.f64_half, "3")[0], "TypeError")
check("infinity", t.f64_half(float("inf")), float("inf"))
check("bool", [t.boolean(x) for x in (True, False, 0, [], "x")], [False, True, True, True, False])
check("str", t.string("¿añb?"), (5, "¿añb?"))
check("empty str", t.string(""), (0, ""))
check("str of bytes", raised(t.string, b"a"), ("TypeError", "'value' must be str"))
check("bytes", t.bytes(b"abc"), bytes([3, 0x61 ^ 0x62 ^ 0x63]))
check("bytes of a bytearray", raised(t.bytes, bytearray(b"abc")), ("TypeError", "'value' must be bytes"))
check("bytes or None", (t.bytes_or_none(), t.bytes_or_none(None), t.bytes_or_none(b"ab")), (None, None, 2))
for value in (b"", b"abc", bytearray(range(100)), memoryview(b"abc"), "añb"):
    check("buffer %r" % value, t.sum(value), sum(value.encode() if isinstance(value, str) else value))
check("buffer of an int", raised(t.sum, 5)[0], "TypeError")
array = bytearray(b"abc")
check("writable buffer", (t.set_first(array, 0x78), array), (1, bytearray(b"xbc")))
check("writable buffer of bytes", raised(t.set_first, b"abc", 0)[0], "TypeError")
numbers = [1, 2]
check("list", (t.list_twice(numbers) is numbers, numbers), (True, [1, 2, 1, 2]))
check("list of a tuple", raised(t.list_twice, (1, 2)), ("TypeError", "'list' must be list"))
check("tuple", t.swap((1, "b")), ("b", 1))
check("tuple of three", raised(t.swap, (1, 2, 3)), ("ValueError", "two items are needed"))
check("tuple of a list", raised(t.swap, [1, 2]), ("TypeError", "'pair' must be tuple"))
check("dict", sorted(t.pairs({"a": 1, "b": 2})), [("a", 1), ("b", 2)])
check("dict and an iterator", t.dict_sum({"a": 1, "b": 2, 3: 10}, iter(["a", 3, "z"])), 11)
check("dict and a key without hash", raised(t.dict_sum, {1: 2}, [[]])[0], "TypeError")
check("next", (t.next_or_none(iter([5])), t.next_or_none([])), (5, None))
check("next of no iterable", raised(t.next_or_none, 5)[0], "TypeError")

# Catching.


def fail(e):
    raise e


check("nothing to catch", t.caught(lambda: 5), (True, 5))
error = ValueError("v")
check("caught", t.caught(lambda: fail(error)), (False, error))
check("kinds", [t.caught_kind(lambda e=e: fail(e)) for e in (ValueError(), OSError(5), UnicodeError())], [1, 2, 1])
check("no exception", t.caught_kind(lambda: 0), 0)
check("raised again", raised(t.caught_kind, lambda: fail(KeyError("k"))), ("KeyError", "k"))
check("nested", t.nested_catch(lambda: fail(error), lambda: 0), (111, True, True))
check("nested, outer", t.nested_catch(lambda: 0, lambda: fail(error)), (11, False, True))
check("caught in the layer", t.caught_within(), True)
check("StopIteration", type(t.caught(lambda: next(iter([])))[1]), StopIteration)


def deep(n):
    return t.caught(lambda: deep(n - 1) if n else fail(error))


answer = deep(6)
for _ in range(6):
    answer = answer[1]
check("deep", answer, (False, error))
for i in range(1000):
    t.caught(lambda: fail(error))
check("often", t.caught(lambda: fail(error)), (False, error))


def generator():
    try:
        yield 1
    finally:
        yield t.caught(lambda: fail(error))[0]


check("in a generator", list(generator()), [1, False])
check("globals after catching", t.caught(lambda: fail)[1] is fail, True)

# Classes.

Account = t.Account
account = Account("Ana", 10)
check("state", (account.pay(), account.pay(5), account.pay(amount=-6)), (11, 16, 10))
check("getter", (account.balance, account.owner), (10, "Ana"))
check("read-only", raised(setattr, account, "balance", 5)[0], "AttributeError")
account.owner = ["Eva"]
check("setter", account.owner, ["Eva"])
check("class constant", (Account.UNIT, account.UNIT), ("céntimos", "céntimos"))
check("static method", (Account.total(1, 2, 1 << 70), account.total()), (3, 0))
check("class method", Account.empty("Luz").owner, "Luz")
check("repr", repr(account), "Account(['Eva'], 10)")
check("name", getattr(account, "import")(), True)
check("skipped", hasattr(account, "rusts_own"), False)
check("constructor's error", raised(Account, "x", -1), ("ValueError", "balance below 0"))
check("constructor's arguments", raised(Account), ("TypeError", "'owner' argument required"))
half = account.half()
check("made by Rust", (type(half) is Account, half.balance, account.balance, half.owner), (True, 5, 5, ["Eva"]))
half.pay(1)
check("of its own", (half.balance, account.balance), (6, 5))
check("as an argument", (half.richer_than(account), account.richer_than(half)), (True, False))
check("itself as an argument", account.richer_than(account), False)
check("another class", raised(half.richer_than, 5)[0], "TypeError")
check("another class's state", raised(half.richer_than, t.Meters(5))[0], "TypeError")
account.note = "free attributes"
check("attributes", account.note, "free attributes")
check("without an object", raised(Account.pay), ("TypeError", "a method needs its object"))
check("with a wrong object", raised(Account.pay, 5)[0], "TypeError")
check("unbound", Account.pay(half, 4), 10)

check("lent", raised(account.while_lent, account.pay)[0], "RuntimeError")
check("given back after an exception", (account.balance, account.pay(0)), (6, 6))
check("lent shared", account.while_shared(lambda: account.balance), 6)
check("lent shared, wanted exclusively", raised(account.while_shared, account.pay)[0], "RuntimeError")
check("other objects may", account.while_lent(half.pay), 8)
check("exceptions pass", raised(account.while_lent, lambda: fail(KeyError("k"))), ("KeyError", "k"))
check("and give back", account.pay(), 10)
check("deep in Python", raised(account.while_lent, lambda: t.caught(lambda: account.pay())), None)
check("not lent", account.around(account.pay), (12, 1013))
check("nested lending", account.while_shared(lambda: account.while_shared(lambda: account.balance)), 1013)
check("still whole", account.pay(), 1014)


class Loud(Account):
    def __init__(self, owner):
        super().__init__(owner, 100)
        self.calls = 0

    def pay(self, amount=1):
        self.calls += 1
        return super().pay(amount * 10)


loud = Loud("Pía")
check("subclass", (loud.pay(2), loud.balance, loud.calls), (120, 120, 1))
check("overridden", (loud.pay_virtually(), loud.calls), (130, 2))
check("isinstance", isinstance(loud, Account), True)
check("class method of a subclass", type(Loud.empty("x")) is Loud, True)
check("a subclass as an argument", loud.richer_than(half), True)


class Lazy(Account):
    def __init__(self):
        pass


lazy = Lazy()
check("not initialised", raised(lazy.pay)[0], "TypeError")
lazy.__init__ = None
Account.__init__(lazy, "late")
check("initialised late", lazy.pay(), 1)
lazy._state = 5
check("state replaced", raised(lazy.pay)[0], "TypeError")
lazy._state = t.Meters(1)._state
check("state of another class", raised(lazy.pay)[0], "TypeError")
lazy._state = half._state
check("state of another object", lazy.balance, half.balance)
check("anew while lent", account.while_lent(lambda: account.__init__("anew", 1)), 1016)
check("is new", (account.owner, account.balance), ("anew", 1))


class Both(Account, t.Stateless):
    pass


check("two bases", Both("x").pay(), 1)

accounts = [Account([i], i) for i in range(60)]
for i, a in enumerate(accounts):
    a.note({i: "x" * 20})
churn()
check("the collector sees states", [a.owner[0] for a in accounts], list(range(60)))
check("and what is in them", all(a.notes == [{i: "x" * 20}] for i, a in enumerate(accounts)), True)
del accounts

# Operators.

Meters = t.Meters
two, three = Meters(2), Meters(3)
check("add", (two + three).n, 5.0)
check("add something else", raised(lambda: two + "x")[0], "TypeError")
check("mul", (two * 1.5).n, 3.0)
check("neg", (-two).n, -2.0)
check("eq", (two == Meters(2), two == three, two != three), (True, False, True))
check("lt", (two < three, three < two), (True, False))
check("hash", {two: 1}[Meters(2)], 1)
check("bool", (bool(Meters(0)), bool(two)), (False, True))
check("len", len(three), 3)
check("in", (1.5 in two, 2.5 in two), (True, False))
check("getitem", (three[0], three[1]), (3.0, 0.003))
check("getitem out of range", raised(lambda: three[3]), ("IndexError", ""))
three[0] = 7
check("setitem", three.n, 7.0)
check("call", three(3), 21.0)
both = three
three += two
check("iadd", (three.n, both is three), (9.0, True))
check("iadd with itself", raised(lambda: two.__iadd__(two)), None)

# Bases.

check("exception class", issubclass(t.Problem, ValueError), True)
check("raised and caught", raised(fail, t.Problem("no")), ("Problem", "no"))
check("in Rust", t.caught_kind(lambda: fail(t.Problem())), 1)
check("stateless", (t.Stateless(4).twice(), t.Stateless(value=5).twice()), (8, 10))
tagged = t.TaggedDict([("b", 1), ("a", 2)])
tagged["c"] = 3
check("over a library's class", (tagged.tag, tagged.items_and_tag()), (2, ([("b", 1), ("a", 2), ("c", 3)], 2)))

# Iteration and `with`.

check("iteration", list(t.Countdown(4)), [3, 2, 1, 0])
check("next", raised(next, t.Countdown(0))[0], "StopIteration")
check("native iteration", sum(t.Countdown(5)), 10)
check("iteration from Rust", t.next_or_none(t.Countdown(9)), 8)
session = t.Session()
with session as s:
    check("enter", (s is session, session.state), (True, (True, None)))
check("exit", session.state, (False, None))
with session:
    fail(ValueError())
check("swallowed", session.state, (False, ValueError))


def with_key_error():
    with session:
        fail(KeyError("k"))


check("not swallowed", (raised(with_key_error), session.state), (("KeyError", "k"), (False, KeyError)))

# Buffers.

pixels = t.Pixels(8)
view = memoryview(pixels)
check("buffer's size", (len(view), bytes(pixels)), (8, b"\0" * 8))
pixels.fill(7)
check("Rust writes", bytes(view), b"\7" * 8)
view[2] = 9
check("Python writes", bytes(pixels), b"\7\7\11\7\7\7\7\7")
check("as an argument", t.sum(pixels), 58)
check("writable", (t.set_first(pixels, 1), pixels.fill(0), t.sum(pixels)), (1, None, 0))
check("no buffer while lent", raised(pixels.while_lent, lambda: bytes(memoryview(pixels)))[0], "TypeError")


class Image(t.Pixels):
    def __init__(self):
        super().__init__(4)
        self.name = "image"


image = Image()
image.fill(2)
check("buffer of a subclass", (t.sum(image), bytes(memoryview(image)), image.name), (8, b"\2\2\2\2", "image"))
view = memoryview(t.Pixels(1000))
churn()
view[999] = 5
check("memory outlives its object", sum(view), 5)
io.BytesIO().write(pixels)

# Streams.

pipe = t.Pipe()
check("write", pipe.write(b"hello\nworld"), 11)
check("read", pipe.read(3), b"hel")
check("readline", pipe.readline(), b"lo\n")
target = bytearray(3)
check("readinto", (pipe.readinto(target), target), (3, bytearray(b"wor")))
check("waiting", pipe.waiting, 2)
check("read all there is", pipe.read(9), b"ld")
check("nothing there", pipe.read(1), None)
pipe.write(b"all of it")
check("read all", pipe.read(20), b"all of it")
try:
    import select
except ImportError:
    print("skipped: poll: this board has no module select")
else:
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    check("poll, nothing", [event for _, event in poller.poll(0)], [])
    pipe.write("ñ")
    check("poll, something", [event for _, event in poller.poll(0)], [select.POLLIN])
    poller.unregister(pipe)
    check("and read", pipe.read(9), "ñ".encode())
check("layer's own stream", t.copy_stream(pipe, io.BytesIO()), -11)
pipe.close()
check("end", pipe.read(1), b"")
check("write when closed", raised(pipe.write, b"x")[0], "OSError")


class Shout(t.Pipe):
    def write(self, b):
        return super().write(bytes(b).upper())


shout = Shout()
check("stream of a subclass", (shout.write(b"abc"), shout.read(3)), (3, b"ABC"))
check("the layer calls what is overridden", (t.copy_stream(io.BytesIO(b"def"), shout), shout.read(3)), (3, b"DEF"))

print("%d passed, %d failed" % (passed, failed))
