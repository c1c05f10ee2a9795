# The first code that runs in a simulated board: it turns a MicroPython process of this computer into
# one that knows only its own folder, its supervisor, and what an ESP32 has. The supervisor is the Rust
# crate board-sim; it gives this process the open files named below and reads `G`, the globals of
# `__main__`, through the commands of `serve`.
#
#   0, 1, 2  what the script reads and prints      4  events from the supervisor
#   3        commands, requests and their answers  5  a page of memory shared with the supervisor
#   6        a Landlock ruleset, or nothing        7  a seccomp program, or nothing
#   8        this code

import builtins, ffi, gc, io, micropython, os, select, struct, sys, uctypes, vfs

# Places in the shared page. The supervisor writes KICK and CTRL_C, this process the others.
KICK, KICK_SEEN, CTRL_C, CTRL_C_SEEN, RUNNING, KBD_INTR, IRQ_OFF, DISPATCHING = 0, 1, 2, 3, 4, 5, 6, 7
EINTR, EAGAIN, ENOENT, EACCES = 4, 11, 2, 13
HIDDEN = "/\x01"  # where the modules of the board are mounted, out of the script's sight

libc = ffi.open(None)
libc_recv = libc.func("l", "recv", "iPLi")
libc_send = libc.func("l", "send", "iPLi")
libc_exit = libc.func("v", "_exit", "i")
libc_poll = libc.func("i", "poll", "PLi")
errno = os.errno
real_open = builtins.open
real_import = builtins.__import__

page = uctypes.bytearray_at(libc.func("P", "mmap", "PLiiil")(0, 4096, 3, 1, 5, 0), 4096)


# --- Messages. Each is one packet: a letter that says what it is, then its content.

MSG_PEEK, MSG_DONTWAIT, MSG_TRUNC = (2, 0x40, 0x20) if sys.platform == "linux" else (2, 0x80, 0x10)


def send(message):
    while libc_send(3, message, len(message), 0) < 0:
        if errno() != EINTR:
            libc_exit(1)


short = bytearray(8)  # what is left of a packet for which there is no memory


def receive(fd):
    """The next packet, or None if there is none. The supervisor's end ends this process too."""
    size = libc_recv(fd, None, 0, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC)
    if size > 0:
        try:
            packet = bytearray(size)
        except MemoryError:
            packet = short
        if packet is short:
            libc_recv(fd, short, 8, MSG_DONTWAIT)
            return short
        if libc_recv(fd, packet, size, MSG_DONTWAIT) == size:
            return packet
    elif size == 0 or errno() not in (EINTR, EAGAIN):
        libc_exit(1)
    return None


waiting = struct.pack("ihh", 3, 1, 0)
early = {}  # answers that another request's wait came upon
commands = []  # commands that a request's wait came upon
last = 0


def request(what, content=b""):
    """Asks the supervisor and returns its answer. A callback may ask while its caller still waits:
    whoever reads an answer that is not its own keeps it for the other."""
    global last
    last = mine = (last + 1) & 0xFF
    send(b"Q" + bytes((mine,)) + what + b"\0" + content)
    while True:
        answer = early.pop(mine, None)
        if answer is None:
            packet = receive(3)
            if packet is None:
                libc_poll(waiting, 1, 50)
                continue
            if packet[0] == 65 and packet is short:  # A, an answer
                raise MemoryError
            if packet[0] != 65:
                commands.append(packet)
                continue
            if packet[1] != mine:
                early[packet[1]] = packet
                continue
            answer = packet
        if answer[2]:
            raise OSError(struct.unpack("<i", answer[3:7])[0])
        return bytes(answer[3:])


def tell(what, content=b""):
    """Tells the supervisor something that wants no answer."""
    send(b"N" + what + b"\0" + content)


# --- Interrupts. One signal, whose handler runs with the heap locked, as an interrupt does on a board.

handlers = {}
interrupt = KeyboardInterrupt()
interrupt_address = id(interrupt)


def dispatch(_):
    """Runs as a scheduled callback of MicroPython, at a moment when the script can be called."""
    global interrupt, interrupt_address
    page[DISPATCHING] = 1
    kick = page[KICK]
    # A used exception carries a traceback: the next Ctrl-C gets a new one.
    interrupt = KeyboardInterrupt()
    interrupt_address = id(interrupt)
    while not page[IRQ_OFF]:
        packet = receive(4)
        if packet is None:
            break
        handler = handlers.get(packet[0])
        if handler is not None:
            try:
                page[DISPATCHING] = 0
                handler(packet)
                page[DISPATCHING] = 1
            except BaseException as e:
                page[DISPATCHING] = 1
                print(trace(e), end="")
    # A Ctrl-C that came during this waits for the next signal.
    if page[CTRL_C_SEEN] == page[CTRL_C]:
        page[KICK_SEEN] = kick
    page[DISPATCHING] = 0


def interrupts():
    """Sets up the signal; returns how to forget a Ctrl-C that came too late."""
    specific = libc.func("P", "pthread_getspecific", "I")
    word = struct.calcsize("P")
    here = id(globals())
    pending = None
    for key in range(64):
        # MicroPython keeps mp_state_thread_t (py/mpstate.h) under a key of its own. It is the one whose
        # dict_locals and dict_globals are the dictionary this code runs in; the word after nlr_top and
        # nlr_jump_callback_top is mp_pending_exception.
        address = specific(key)
        if not address:
            continue
        try:
            words = struct.unpack("8P", uctypes.bytes_at(address, 8 * word))
        except ValueError:
            continue
        if words[3] == here and words[4] == here and words[7] == 0:
            pending = uctypes.bytearray_at(address + 7 * word, word)
            break
    if pending is None:
        raise RuntimeError("this MicroPython keeps its state where the simulated board does not find it")
    pack_into, schedule = struct.pack_into, micropython.schedule

    def on_signal(_):
        # MicroPython raises a pending exception at the next jump, which could be one of this function:
        # until its end there must be none. Four bytes tell whether there was one, without a jump.
        held = pending[0] + pending[1] + pending[2] + pending[3]
        pack_into("P", pending, 0, 0)
        try:
            schedule(dispatch, None)
        except RuntimeError:
            pass  # The queue is full: the supervisor sends the signal again.
        # Before the script runs, and while events are handed out, a Ctrl-C waits for a later signal.
        if page[CTRL_C_SEEN] != page[CTRL_C] and page[RUNNING] and not page[DISPATCHING]:
            page[CTRL_C_SEEN] = page[CTRL_C]
            held = 1
        if held:
            pack_into("P", pending, 0, interrupt_address)

    callback = ffi.callback("v", on_signal, "i", lock=True)
    signal = 12 if sys.platform == "linux" else 31  # SIGUSR2
    libc.func("P", "signal", "iC")(signal, callback)
    # System calls must stop for it: their callers then look for what is pending.
    libc.func("i", "siginterrupt", "ii")(signal, 1)
    keep.append(callback)
    return lambda: pack_into("P", pending, 0, 0)


keep = []


# --- Running code.

def trace(exception):
    """The traceback as a board would print it: without the lines of the simulation itself."""
    text = io.StringIO()
    sys.print_exception(exception, text)
    text = text.getvalue()
    if "\x01" not in text:
        return text
    return "\n".join([line for line in text.split("\n") if "\x01" not in line])


def run(source, name, mode):
    """Runs code in G. Returns b"0" if it ended well, b"1" and the traceback, or b"x" for SystemExit."""
    try:
        try:
            page[RUNNING] = 1
            code = compile(source, name, mode)
            source = None
            exec(code, G)
            page[RUNNING] = 0
            return b"0"
        except BaseException as e:
            page[RUNNING] = 0
            if isinstance(e, SystemExit):
                return b"x"
            code = None
            return b"1" + describe(e)
    except KeyboardInterrupt as e:
        # The second Ctrl-C came while the first exception was on its way here.
        page[RUNNING] = 0
        return b"1" + describe(e)


def describe(exception):
    try:
        return trace(exception).encode()
    except MemoryError:
        gc.collect()
        return b"MemoryError: \n"


def joined(parts):
    """The pieces as one, or None if there was no memory for one of them or for the whole."""
    try:
        return None if parts is None else b"".join(parts)
    except MemoryError:
        gc.collect()
        return None


def read_file(name):
    try:
        with real_open(name, "rb") as f:
            return f.read()
    except OSError:
        return None
    except MemoryError:
        return b"raise MemoryError"


def serve(forget):
    """Does what the supervisor says until it goes."""
    parts, result, kind = [], None, 0
    while True:
        try:
            if result is not None:
                # Long tracebacks go in parts, so that each fits a packet.
                while len(result) > 8000:
                    send(b"T" + result[1:8000])
                    result = result[:1] + result[8000:]
                send(b"E" + result)
                result = None
            packet = commands.pop(0) if commands else receive(3)
            if packet is None:
                libc_poll(waiting, 1, 1000)
                continue
            kind = packet[0]
            if kind == 67:  # C: a piece of code
                if packet is short:
                    parts = None
                elif parts is not None:
                    parts.append(bytes(memoryview(packet)[1:]))
            elif kind == 88:  # X: run what came; s single, e whole
                mode = "single" if packet[1] == 115 else "exec"
                packet = None
                code, parts = joined(parts), []
                if code is None:
                    result = b"1MemoryError: the code is too long for the board\n"
                else:
                    result = run(code, "<stdin>", mode)
            elif kind == 70:  # F: run a file if there is one
                name = packet[1:].decode()
                code = read_file(name)
                result = b"0" if code is None else run(code, name, "exec")
            else:
                continue  # The answer to a request that a Ctrl-C ended.
            forget()
            code = None
        except KeyboardInterrupt:
            page[RUNNING] = 0
        except MemoryError:
            parts = packet = code = None
            gc.collect()
            if kind != 67:
                parts, result = [], b"1MemoryError: \n"


# --- Modules of the board. They come from the supervisor and stand in sys.modules before any script
# runs. An import hook could bring them when they are first wanted, but would break relative imports,
# which look at the globals of whoever calls the import.

native = {m.__name__: m for m in (builtins, gc, io, micropython, os, select, struct, sys, uctypes, vfs)}
for name in ("machine", "socket", "time"):
    native[name] = real_import(name)

# Each also answers to its name with a `u` before it, as the built-in ones do.
MODULES = ("builtins", "dht", "esp32", "io", "machine", "micropython", "neopixel", "network", "ntptime", "os", "socket", "ssl", "sys", "time", "urequests", "vfs")
# What only the unix port has; an empty module hides it.
ABSENT = ("ffi", "jni", "termios")
# On an ESP32 these are frozen or extend a built-in one: a file of the script's own wins.
YIELDING = ("dht", "io", "machine", "neopixel", "ntptime", "os", "socket", "ssl", "time", "urequests", "vfs")


class Sim:
    """What the modules of the board are made of; they get it as the module `_sim`."""


class HiddenModules:
    """The folder of the board's modules, as far as importing needs one. They are imported under
    another name, since some built-in ones cannot be hidden by a file."""

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def stat(self, path):
        if path.startswith("/sim_") and path.endswith(".py"):
            return (0x8000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(ENOENT)

    def open(self, path, mode):
        return io.BytesIO(request(b"module", path[5:-3].encode()))


def own_file(name):
    """True if the script's own folder has a module of that name."""
    for ending in (".py", ".mpy", ""):
        try:
            os.stat("/" + name + ending)
            return True
        except OSError:
            pass
    return False


def load(names):
    """Imports modules of the board; returns them."""
    vfs.mount(HiddenModules(), HIDDEN)
    sys.path.insert(0, HIDDEN)
    sys.modules["_sim"] = Sim
    loaded = []
    for name in names:
        module = real_import("sim_" + name)
        del sys.modules["sim_" + name]
        module.__name__ = name
        loaded.append(module)
    del sys.modules["_sim"]
    sys.path.remove(HIDDEN)
    vfs.umount(HIDDEN)
    return loaded


def open_file(file, *rest, **named):
    # A number would be an open file of this process.
    if not isinstance(file, (str, bytes)):
        raise TypeError("can't convert '%s' object to str implicitly" % type(file).__name__)
    return real_open(file, *rest, **named)


def enclose(rules, program):
    """The kernel's own walls, for whatever the walls here forget. Both must hold before code runs."""
    libc.func("i", "prctl", "iLLLL")(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    syscall = libc.func("l", "syscall", "lLLLL")
    if rules and syscall(446, 6, 0, 0, 0) < 0:  # landlock_restrict_self
        raise OSError(errno())
    if program:
        code = read_file_descriptor(7)
        header = struct.pack("HP", len(code) // 8, uctypes.addressof(code))
        if libc.func("i", "prctl", "iLPLL")(22, 2, header, 0, 0) < 0:  # PR_SET_SECCOMP
            raise OSError(errno())


def read_file_descriptor(number):
    with real_open(number, "rb") as f:
        return f.read()


def start():
    forget = interrupts()
    for name, value in (
        ("native", native),
        ("request", request),
        ("tell", tell),
        ("page", page),
        ("handlers", handlers),
        ("open_file", open_file),
        ("libc", libc),
    ):
        setattr(Sim, name, value)
    (files,) = load(["_files"])
    settings = request(b"settings").decode().split("\n")
    files.mount(settings[0])
    del files
    names = [name for name in MODULES if not (name in YIELDING and own_file(name))]
    modules = dict(zip(names, load(names)))
    modules.update(zip(ABSENT, load(["_absent"] * len(ABSENT))))
    del Sim.libc
    for name, module in modules.items():
        sys.modules[name] = sys.modules["u" + name] = module
    builtins.open = open_file
    sys.path[:] = ["", ".frozen", "/lib"]
    sys.argv[:] = []
    enclose(settings[1] == "1", settings[2] == "1")
    G.pop("__file__", None)
    page[KBD_INTR] = 1
    gc.collect()
    send(b"R%d" % libc.func("i", "getpid", "")())
    serve(forget)


start()
