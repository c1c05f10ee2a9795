"""`socket` of a simulated board: this computer's own sockets, reached by the names the board knows.

Names of public brokers lead where the simulation says. Sockets work whether or not the script has
connected its Wi-Fi; a board without Wi-Fi would not get that far.
"""

from _sim import native, request as _request

n = native["socket"]
for _name in dir(n):
    if _name[0] != "_":
        globals()[_name] = getattr(n, _name)
del AF_UNIX, sockaddr, _name
IPPROTO_IP = 0
IPPROTO_TCP = 6
IPPROTO_UDP = 17
TCP_NODELAY = 1


def make(native_socket, native_getaddrinfo, to_bytes):
    families = (AF_INET, AF_INET6)

    def socket(family=AF_INET, type=SOCK_STREAM, proto=0):
        # Other families are the private services of this computer.
        if family not in families:
            raise OSError(97)  # EAFNOSUPPORT
        return native_socket(family, type, proto)

    def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
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
            host, port = _request(b"resolve", b"%s\0%d" % (host.encode(), port)).decode().split(" ")
            port = int(port)
        return native_getaddrinfo(host, port, family, type or SOCK_STREAM)

    return socket, getaddrinfo


socket, getaddrinfo = make(n.socket, n.getaddrinfo, n.inet_pton)
del n, native, make
