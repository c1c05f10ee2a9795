"""Sends and receives through a broker with paho-mqtt 1.6 or 2, in every way there is; any surprise is an exception.

Arguments: transport (tcp or websockets), port, the authority's certificate or "-" for no TLS.
"""

import sys
import threading

import paho.mqtt.client as mqtt

TRANSPORT, PORT, AUTHORITY = sys.argv[1], int(sys.argv[2]), sys.argv[3]
WAIT = 60


class Client:
    """A connected client that keeps what it got."""

    def __init__(self, name, clean=True, will=None):
        arguments = {"client_id": name, "clean_session": clean, "transport": TRANSPORT}
        if hasattr(mqtt, "CallbackAPIVersion"):
            # paho 2 wants to be told which of its two interfaces is meant.
            client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, **arguments)
        else:
            client = mqtt.Client(**arguments)
        if TRANSPORT == "websockets":
            client.ws_set_options(path="/mqtt")
        if AUTHORITY != "-":
            client.tls_set(AUTHORITY)
        if will:
            client.will_set(*will)
        self.client, self.got, self.present = client, [], None
        self.changed = threading.Condition()
        client.on_connect = self.on_connect
        client.on_subscribe = lambda *_: self.note("subscribed")
        client.on_message = self.on_message
        client.connect("localhost", PORT, keepalive=30)
        client.loop_start()
        self.wait(lambda: self.present is not None)

    def note(self, what):
        with self.changed:
            self.got.append(what)
            self.changed.notify_all()

    def on_connect(self, _client, _data, flags, code):
        assert code == 0, code
        with self.changed:
            self.present = bool(flags["session present"])
            self.changed.notify_all()

    def on_message(self, _client, _data, message):
        self.note((message.topic, message.payload, message.qos, bool(message.retain)))

    def wait(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, WAIT), self.got

    def expect(self, *wanted):
        self.wait(lambda: len(self.got) >= len(wanted))
        assert self.got == list(wanted), self.got
        self.got.clear()

    def subscribe(self, topic, qos):
        self.client.subscribe(topic, qos)
        self.expect("subscribed")

    def publish(self, *arguments, **more):
        info = self.client.publish(*arguments, **more)
        info.wait_for_publish()
        assert info.is_published()

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()

    def vanish(self):
        """Ends the connection without DISCONNECT."""
        self.client._sock_close()
        self.client.loop_stop()


for qos in (0, 1, 2):
    reader, writer = Client("r"), Client("w")
    reader.subscribe("aula/#", qos)
    large = b"x" * 100_000
    for payload in ("23,5 °C".encode(), b"", large):
        writer.publish("aula/ñ", payload, qos=qos)
        reader.expect(("aula/ñ", payload, qos, False))
    writer.stop()
    reader.stop()

# Retained.
writer = Client("w")
writer.publish("kept", b"1", qos=1, retain=True)
reader = Client("r")
reader.client.subscribe("kept", 2)
reader.wait(lambda: len(reader.got) == 2)
assert sorted(map(str, reader.got)) == sorted(map(str, ["subscribed", ("kept", b"1", 1, True)])), reader.got
writer.publish("kept", b"", qos=1, retain=True)
reader.stop()

# A will.
reader = Client("r")
reader.subscribe("will", 1)
Client("gone", will=("will", b"adios", 1, False)).vanish()
reader.expect(("will", b"adios", 1, False))
reader.stop()

# A persistent session.
lasting = Client("lasting", clean=False)
assert not lasting.present
lasting.subscribe("later", 2)
lasting.stop()
for qos in (1, 2):
    writer.publish("later", str(qos).encode(), qos=qos)
writer.stop()
lasting = Client("lasting", clean=False)
assert lasting.present
lasting.expect(("later", b"1", 1, False), ("later", b"2", 2, False))
lasting.stop()
Client("lasting").stop()
print("all of it,", mqtt.__name__)
