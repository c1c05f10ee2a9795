# Decides whether messages of every size survive both ways on a small heap: what the peer sends is checked against the
# hash in its topic, sent back, and checked by the peer again; the collector runs at moments that chance picks.
#
# Usage: micropython -X heapsize=128k soak.py HOST PORT
import gc
import hashlib
import sys

from umqtt.simple import MQTTClient

state = 12345
waiting = []


def chance(n):
    global state
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    return (state >> 16) % n == 0


def arrived(topic, message):
    if chance(50):
        gc.collect()
    if topic == b"end":
        waiting.append(None)
        return
    # The topic is "QOS/HASH", the hash 16 hexadecimal digits of the message's SHA-256.
    if hashlib.sha256(message).digest()[:8].hex() != str(topic[2:], "ascii"):
        raise ValueError("message changed on its way in: %d bytes" % len(message))
    waiting.append((topic, message))


client = MQTTClient("soak", sys.argv[1], int(sys.argv[2]))
client.set_callback(arrived)
client.connect()
while True:
    if not waiting:
        client.wait_msg()
        continue
    item = waiting.pop(0)
    if item is None:
        break
    if chance(50):
        gc.collect()
    client.publish(item[0], item[1], False, item[0][0] - 48)
    item = None
client.disconnect()
print("done", gc.mem_free() > 0)
