"""`socket` of a simulated board: this computer's own sockets, reached by the names the board knows.

Names of public brokers lead where the simulation says. A script that connects the Wi-Fi itself has no
network before it is connected; one that does not is taken for one whose boot.py has done it.
"""

from _sim import libc, native, request as _request

n = native["socket"]
_methods = []
for _name in dir(n):
    if _name[0] != "_":
        globals()[_name] = getattr(n, _name)
del AF_UNIX, sockaddr, _name
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
TCP_NODELAY = 1


def make(native_socket, native_getaddrinfo, to_bytes, to_text, parse, poll):
    families = (AF_INET, AF_INET6)
    methods = {name: getattr(native_socket, name) for name in ("accept", "bind", "connect", "recvfrom", "sendto")}

    def socket(family=AF_INET, type=SOCK_STREAM, proto=0):
        # Other families are the private services of this computer.
        if family not in families:
            raise OSError(97)  # EAFNOSUPPORT
        return native_socket(family, type, proto)

    def lookup(host, port, family=0, kind=SOCK_STREAM):
        """What the computer's own getaddrinfo says of the address that the name leads to."""
        if not isinstance(host, str):
            host = str(host, "utf-8")
        port = int(port)
        for numeric in families:
            try:
                to_bytes(numeric, host)
                break
            except OSError:
                pass
        else:
            if host == "":
                host = "0.0.0.0"
            else:
                content = b"%s\0%d" % (host.encode(), port)
                host, port = _request(b"resolve", content).decode().split(" ")
        return native_getaddrinfo(host, int(port), family, kind)

    def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
        found = lookup(host, port, family, type or SOCK_STREAM)
        if not _methods:
            return found
        return [(f[0], f[1], f[2], f[3] or "", as_tuple(f[4])) for f in found]

    # An ESP32's sockets take and give addresses as (host, port); this computer's want them packed.

    def packed(address):
        if isinstance(address, (tuple, list)):
            host, port = address
            return lookup(host, port)[0][-1]
        return address

    def as_tuple(address):
        family, host, port = parse(address)[:3]
        return (to_text(family, host), port)

    def accept(self):
        connection, address = methods["accept"](self)
        return connection, as_tuple(address)

    def bind(self, address):
        return methods["bind"](self, packed(address))

    def connect(self, address):
        address = packed(address)
        if _request(b"cut-off") == b"1":
            raise OSError(113)  # EHOSTUNREACH
        try:
            return methods["connect"](self, address)
        except OSError as e:
            # A signal that comes while it waits leaves the connection under way: EALREADY.
            if e.errno != 114:
                raise
        waiting = poll()
        waiting.register(self, 4)
        waiting.poll()
        try:
            methods["connect"](self, address)
        except OSError as e:
            if e.errno != 106:  # EISCONN: it is done.
                raise

    def recvfrom(self, size):
        data, address = methods["recvfrom"](self, size)
        return data, as_tuple(address)

    def sendto(self, data, *rest):
        return methods["sendto"](self, data, *rest[:-1], packed(rest[-1]))

    return socket, getaddrinfo, methods, {
        "accept": accept,
        "bind": bind,
        "connect": connect,
        "recvfrom": recvfrom,
        "sendto": sendto,
    }


def replace_methods(kind, old, new):
    """Puts Python functions in the place of methods of the built-in socket type, so that sockets stay
    built-in objects. Nothing is written unless the type looks as py/obj.h says."""
    import struct, uctypes

    word = struct.calcsize("P")

    def words(address, n):
        return struct.unpack(str(n) + "P", uctypes.bytes_at(address, n * word))

    # mp_obj_type_t: base, flags, name, twelve slot numbers (locals_dict the last), the slots.
    slot = uctypes.bytes_at(id(kind) + word + 15, 1)[0]
    if words(id(kind), 1)[0] != id(type) or not 1 <= slot <= 12:
        return
    table_dict = words(id(kind) + word + 16 + (slot - 1) * word, 1)[0]
    # mp_obj_dict_t: base; the map's flags and size, allocation, table of keys and values.
    base, used, _, table = words(table_dict, 4)
    used >>= 3
    if base != id(dict) or not 5 <= used <= 40:
        return
    entries = words(table, 2 * used)
    values = [entries[i] for i in range(1, 2 * used, 2)]
    places = {}
    for name in old:
        # A method taken from its type comes in a wrapper (mp_obj_checked_fun_t) whose third word it is.
        method = words(id(old[name]), 3)[2]
        if method not in values:
            return
        places[name] = table + (2 * values.index(method) + 1) * word
    protect = libc.func("i", "mprotect", "PLi")
    first = min(places.values()) & ~4095
    size = max(places.values()) + word - first
    if protect(first, size, 3) != 0:
        return
    for name, place in places.items():
        struct.pack_into("P", uctypes.bytearray_at(place, word), 0, id(new[name]))
    protect(first, size, 1)
    # The type holds no reference that the collector sees.
    _methods.append(new)


socket, getaddrinfo, old, new = make(
    n.socket, n.getaddrinfo, n.inet_pton, n.inet_ntop, n.sockaddr, native["select"].poll
)
replace_methods(n.socket, old, new)
del n, native, make, replace_methods, libc, old, new
