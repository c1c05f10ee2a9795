# Connects over TLS with a limit, against a broker that does to the handshake what the test's name says, and prints what
# came of it; in the case `poll` also what `select.poll` says afterwards.
#
# Usage: micropython handshake.py CASE PORT CA_FILE SECONDS
import errno
import select
import sys

import tls
from umqtt.simple import MQTTClient

case, port, authority, limit = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])


def context():
    made = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    made.verify_mode = tls.CERT_REQUIRED
    with open(authority, "rb") as file:
        made.load_verify_locations(file.read())
    return made


class Wrapper:
    # A context of a program's own, as umqtt.simple calls it.
    def wrap_socket(self, sock, server_hostname=None):
        return context().wrap_socket(sock, server_hostname=server_hostname)


class Ssl:
    # Stands in for MicroPython's module `ssl`, which is Python over `tls` and not part of Debian's interpreter.
    in_one_go = []

    @classmethod
    def wrap_socket(cls, sock, server_hostname=None, do_handshake=True):
        cls.in_one_go.append(do_handshake)
        return context().wrap_socket(sock, server_hostname=server_hostname, do_handshake_on_connect=do_handshake)


options = {"ssl": Wrapper() if case == "wrapper" else context()}
if case == "module":
    sys.modules["ssl"] = Ssl
    options = {"ssl": True, "ssl_params": {"server_hostname": "localhost"}}
client = MQTTClient("known", "127.0.0.1", port, **options)
client.set_callback(lambda topic, message: print(topic, message))
try:
    client.connect(timeout=limit)
    # Reads wait again, and for no longer than they may.
    client.wait_msg()
    if case == "poll":
        poll = select.poll()
        poll.register(client.sock, select.POLLIN)
        print("more is there:", bool(poll.poll(60_000)))
        client.wait_msg()
        print("nothing is there:", not poll.poll(0))
        client.publish("t", "send more")
        print("more is there:", bool(poll.poll(60_000)))
        client.check_msg()
        print("nothing is there:", not poll.poll(0))
    client.timeout = 1
    client.publish("t", "never acknowledged", qos=1)
except OSError as error:
    print("ETIMEDOUT" if error.args[0] == errno.ETIMEDOUT else "OSError")
except ValueError as error:
    print("ValueError")
if case == "module":
    print(Ssl.in_one_go, options["ssl_params"])
