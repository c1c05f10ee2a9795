# Decides whether a client gets along with a real broker: connects as its arguments say, subscribes, publishes with
# QoS 0 and 1, receives what another client sends, and prints what happened.
#
# Usage: micropython broker.py HOST PORT PLAIN|USER|TLS [USER PASSWORD | CA_FILE]
import select
import sys
import time

from umqtt.simple import MQTTClient

host, port, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
options = {}
if mode == "USER":
    options = {"user": sys.argv[4], "password": sys.argv[5]}
elif mode == "TLS":
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED
    with open(sys.argv[4], "rb") as file:
        context.load_verify_locations(file.read())
    options = {"ssl": context}

got = []


def arrived(topic, message):
    got.append((topic, message))


client = MQTTClient("umqtt-test", host, port, keepalive=30, **options)
client.set_callback(arrived)
client.set_last_will("test/will", "gone", qos=1)
try:
    print("connected", client.connect())
except Exception as error:
    print("refused", type(error).__name__, error.args)
    sys.exit(0)
client.subscribe("test/loop")
print("subscribed")
for size in (0, 1, 100, 127, 128, 16383, 16384, 50000):
    message = bytes([size & 255]) * size
    for qos in (0, 1):
        client.publish("test/loop", message, qos=qos)
        while not got:
            client.wait_msg()
        assert got.pop() == (b"test/loop", message), size
    assert not got
print("loop works")
# Beyond ASCII, lengths count bytes.
client.publish("test/loop", "23.5 °C, año, 雪")
while not got:
    client.wait_msg()
assert got.pop() == (b"test/loop", "23.5 °C, año, 雪".encode())
# Packet identifiers wrap and are never 0.
client.pid = 65534
for pid in (65535, 1, 2):
    client.publish("test/elsewhere", "wraps", qos=1)
    assert client.pid == pid, client.pid
print("identifiers wrap")
# Two messages that arrived together are read one at a time, so that select still sees the second.
client.publish("test/loop", "first")
client.publish("test/loop", "second")
time.sleep(0.2)
poller = select.poll()
poller.register(client.sock, select.POLLIN)
while not got:
    client.wait_msg()
assert len(got) == 1 and poller.poll(0), got
while len(got) < 2:
    client.wait_msg()
assert not poller.poll(0)
print("reads one message at a time", got)
got.clear()
# check_msg serves what is there and comes back at once where nothing is.
begun = time.ticks_ms()
assert client.check_msg() is None and time.ticks_diff(time.ticks_ms(), begun) < 100
client.publish("test/loop", "checked")
while not got:
    client.check_msg()
print("check_msg", got.pop())
client.unsubscribe("test/loop")
client.publish("test/loop", "nobody listens", qos=1)
client.ping()
assert client.wait_msg() is None and not got
print("unsubscribed")
client.publish("test/out", "con QoS 0")
client.publish(b"test/out", b"con QoS 1", qos=1)
client.publish("test/out", "retenido", retain=True, qos=1)
# Another client has left a message there.
client.subscribe(b"test/in", 1)
while not got:
    client.wait_msg()
print("received", got.pop())
client.ping()
print("ping", client.wait_msg())
client.disconnect()
print("disconnected")
