# Decides whether one of the known failures of umqtt.simple and umqtt.robust 1.3.4 is there: plays the client's part of the
# case that its first argument names, against a scripted peer, and prints "fixed" if all is as it should be.
#
# Usage: micropython known_failures.py CASE HOST PORT
import select
import sys
import time

case, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
got = []


def arrived(topic, message):
    got.append((topic, message))


def client(module="simple", **options):
    made = getattr(__import__("umqtt." + module), module).MQTTClient("known", host, port, **options)
    made.set_callback(arrived)
    return made


def connected(module="simple", **options):
    made = client(module, **options)
    made.connect()
    return made


def arrives(c):
    # Waits until there is something to read.
    poll = select.poll()
    poll.register(c.sock, select.POLLIN)
    poll.poll()


def lengths_count_bytes():
    c = connected()
    c.publish("t/ñ", "23.5°C")
    c.disconnect()
    return True


def packet_identifiers_wrap():
    c = connected()
    c.pid = 65534
    c.publish("t", "a", qos=1)
    c.publish("t", "b", qos=1)
    return c.pid == 1


def acknowledgements_are_matched():
    c = connected()
    c.subscribe("t")
    c.publish("t", "a", qos=1)
    return True


def robust_sends_again():
    c = connected("robust")
    c.DELAY = 0
    c.publish("t", "a", qos=1)
    return True


def pings_are_sent_in_time():
    c = connected(keepalive=1)
    while not got:
        c.wait_msg()
    return got == [(b"t", b"alive")]


def waits_have_a_limit():
    c = connected()
    c.timeout = 0.3
    begun = time.ticks_ms()
    for call in (lambda: c.subscribe("t"), lambda: c.publish("t", "a", qos=1), c.disconnect):
        try:
            call()
        except OSError as error:
            if error.args[0] != 110:
                return False
    return time.ticks_diff(time.ticks_ms(), begun) < 20_000


def disconnect_does_not_stall():
    c = client()
    c.timeout = 0.3
    c.connect()
    try:
        while True:
            c.publish("t", bytes(1000000))
    except OSError:
        pass

    for work in (c.ping, c.disconnect):
        try:
            work()
        except OSError:
            pass
    return True


def check_msg_does_not_wait():
    c = connected()
    # Parts of a packet, of which each is sent when the client is back from looking at the one before.
    for _ in range(2):
        arrives(c)
        c.check_msg()
        c.ping()
    # The rest and three more messages come together.
    arrives(c)
    c.check_msg()
    return [message for _, message in got] == [b"slow", b"1", b"2", b"3"]


class Ssl:
    # This port has TLS itself, but not the module of this name that ssl=True asks for.
    @staticmethod
    def wrap_socket(sock):
        import tls

        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_NONE
        return context.wrap_socket(sock)


def check_msg_over_tls():
    sys.modules["ssl"] = sys.modules["ussl"] = Ssl
    c = connected(ssl=True)
    # Nothing is there.
    c.check_msg()
    c.ping()
    # Then part of a packet, then part of a TLS record; each is sent when the client is back from looking at the one before.
    for _ in range(2):
        arrives(c)
        c.check_msg()
        c.ping()
    while not got:
        arrives(c)
        c.check_msg()
    return got == [(b"t", b"slow")]


def robust_check_msg_returns():
    c = connected("robust")
    c.DELAY = 0
    c.timeout = 0.2
    # The end of the stream.
    arrives(c)
    c.check_msg()
    c.check_msg()
    return True


def robust_keeps_what_connect_was_told():
    c = connected("robust")
    c.DELAY = 0
    while not got:
        c.wait_msg()
    return True


def subscriptions_are_renewed():
    c = connected("robust")
    c.DELAY = 0
    c.subscribe("t")
    while not got:
        c.wait_msg()
    return got == [(b"t", b"after")]


def a_closed_connection_is_an_oserror():
    try:
        connected()
    except OSError:
        return True
    return False


def qos_2():
    c = connected()
    c.publish("t", "a", qos=2)
    while len(got) < 2:
        c.wait_msg()
    c.ping()
    c.wait_msg()
    return got == [(b"t", b"once"), (b"t", b"last")]


def no_recursion():
    c = client()
    depth = [0, 0]

    def answer(topic, message):
        depth[0] += 1
        depth[1] = max(depth)
        got.append(message)
        c.publish("answer", message, qos=1)
        depth[0] -= 1

    c.set_callback(answer)
    c.connect()
    while len(got) < 3:
        c.wait_msg()
    return depth == [0, 1] and got == [b"1", b"2", b"3"]


def a_missing_pingresp_is_noticed():
    c = connected(keepalive=1)
    try:
        while True:
            c.wait_msg()
    except OSError as error:
        return "PINGRESP" in str(error)


def a_payload_has_a_limit():
    c = client()
    c.max_size = 1000
    c.connect()
    refused = 0
    while not got:
        try:
            c.wait_msg()
        except Exception as error:
            refused += "max_size" in str(error)
    return refused == 1 and got == [(b"t", b"small")]


def malformed_packets_are_refused():
    c = connected()
    try:
        c.wait_msg()
    except Exception as error:
        return not got and type(error).__name__ == "MQTTException" and str(error) == "bad length"
    return False


def a_packet_is_one_write():
    class Counting:
        writes = 0

        def write(self, data, n=None):
            self.writes += 1
            return len(data)

    c = connected()
    c.sock = Counting()
    c.publish("topic", "message")
    return c.sock.writes == 1


print("fixed" if globals()[case]() else "failed: %r" % got)
