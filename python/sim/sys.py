"""`sys` of a simulated ESP32. `implementation._mpy` stays that of this computer, whose native code runs here."""

from _sim import native, request as _request

n = native["sys"]
argv = n.argv
byteorder = n.byteorder
exit = n.exit
maxsize = n.maxsize
modules = n.modules
path = n.path
platform = "esp32"
print_exception = n.print_exception
stderr = n.stderr
version = n.version
version_info = n.version_info


def make_implementation():
    import collections

    fields = ["name", "version", "_machine", "_mpy", "_build"]
    values = [
        n.implementation.name,
        n.implementation.version,
        "Simulated ESP32 module with ESP32",
        n.implementation._mpy,
        "ESP32_GENERIC",
    ]
    return collections.namedtuple("implementation", fields)(*values)


implementation = make_implementation()


def make_streams(real_in, real_out, base):
    # Requests of ioctl (MP_STREAM_* in py/stream.h): 4 is close, 10 asks for the number to poll.
    def part(data, where):
        """What of `data` is to be written: all, the first n bytes, or n bytes from an offset."""
        if len(where) == 1:
            return data[: where[0]]
        if where:
            return data[where[0] : where[0] + where[1]]
        return data

    class Raw(base):
        """sys.stdout.buffer: bytes that reach the serial port unchanged."""

        def write(self, data, *where):
            data = bytes(part(data, where))
            for at in range(0, len(data), 4096):
                _request(b"raw", data[at : at + 4096])
            return len(data)

        def ioctl(self, request, arg):
            return 1 if request == 10 else 0

        def flush(self):
            pass

    class Out(base):
        buffer = Raw()

        def write(self, text, *where):
            return real_out.write(part(text, where))

        def ioctl(self, request, arg):
            return 1 if request == 10 else 0

        def flush(self):
            pass

    class In(base):
        buffer = real_in.buffer

        def read(self, size=-1):
            return real_in.read(size).replace("\r", "\n")

        def readinto(self, where, *size):
            size = self.buffer.readinto(where, *size)
            for i in range(size or 0):
                if where[i] == 13:
                    where[i] = 10
            return size

        def readline(self, size=-1):
            line = ""
            while not line.endswith("\n") and len(line) != size:
                line += self.read(1)
            return line

        def ioctl(self, request, arg):
            return 0

    return In(), Out()


stdin, stdout = make_streams(n.stdin, n.stdout, native["io"].IOBase)
del n, native, make_streams, make_implementation
