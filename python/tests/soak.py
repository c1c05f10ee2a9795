# Decides whether messages of every size survive both ways on a small heap: what the peer sends is checked against the
# hash in its topic, sent back, and checked by the peer again; the collector runs at moments that chance picks.
#
# Usage: micropython -X heapsize=128k soak.py HOST PORT
import gc
import hashlib
import sys
from collections import deque

from umqtt.simple import MQTTClient

state = 12345
# A deque, whose memory stays where it is: a list's moves as it grows and shrinks, and once it comes to lie in the middle
# of the heap, no large message has room on either side.
waiting = deque((), 16)


def chance(n):
    global state
    state = (state * 1103515245 + 12345) & 0x7FFFFFFF
    return (state >> 16) % n == 0


def arrived(topic, message):
    if chance(50):
        gc.collect()
    if topic == b"end":
        waiting.append((None, None))
        return
    # The topic is "QOS/HASH", the hash 16 hexadecimal digits of the message's SHA-256.
    if hashlib.sha256(message).digest()[:8].hex() != str(topic[2:], "ascii"):
        raise ValueError("message changed on its way in: %d bytes" % len(message))
    waiting.append((topic, message))


# In a function of its own: a running function's stack keeps what it passed on until it passes something else, and the
# heap has no room for the last message beside the next.
def send_back():
    topic, message = waiting.popleft()
    if topic is None:
        return None
    client.publish(topic, message, False, topic[0] - 48)
    return len(message)


retries = short = 0
client = MQTTClient("soak", sys.argv[1], int(sys.argv[2]))
client.set_callback(arrived)
client.connect()
while True:
    if not waiting:
        # The collector takes whatever looks like an address for one, so that a large message may outlive its use for
        # a moment and leave no room. The packet must wait in the client until there is: nothing may be lost.
        try:
            client.wait_msg()
            short = 0
        except MemoryError:
            retries += 1
            short += 1
            if short == 10:
                raise
            gc.collect()
    else:
        if chance(50):
            gc.collect()
        size = send_back()
        if size is None:
            break
        if size > 10000:
            # What is large must go before anything small settles behind it: no heap can join what is then left.
            gc.collect()
client.disconnect()
print("done,", retries, "times short of memory")
