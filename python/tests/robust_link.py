# Decides whether umqtt.robust's pattern works over umqtt.simple: a subclass that overrides publish, wait_msg and
# reconnect and calls super(), over a link that is lost again and again. The peer plays the matching script.
#
# Usage: micropython robust_link.py HOST PORT
import sys

from umqtt.robust import MQTTClient


class Client(MQTTClient):
    DELAY = 0
    reconnects = 0

    def delay(self, i):
        pass

    def reconnect(self):
        self.reconnects += 1
        return super().reconnect()


got = []
client = Client("robust", sys.argv[1], int(sys.argv[2]))
client.set_callback(lambda topic, message: got.append((topic, message)))
print("connect", client.connect())
client.subscribe("t")
# The peer sends one message, then closes; the second comes on the next connection, and so on.
while len(got) < 3:
    client.wait_msg()
print("messages", got)
print("reconnects", client.reconnects)
# On the last connection the link holds: QoS 0 and 1.
client.publish("out", "zero")
client.publish("out", "one", qos=1)
client.disconnect()
print("done")
