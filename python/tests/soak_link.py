# Decides whether messages survive a link that is lost again and again: publishes numbered messages to a topic that it is
# subscribed to, counts what comes back, and compares the free heap of the end with that of the start.
#
# Usage: micropython soak_link.py HOST PORT QOS MESSAGES
import gc
import sys

from umqtt.simple import MQTTClient

host, port, qos, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
AHEAD = 24  # messages that may be on their way at once
PAD = bytes(range(97, 97 + 26)) * 3

seen = bytearray(count // 8 + 1)
tally = [0, 0, 0, 0]  # arrived for the first time, doubled, damaged, the last mark
payload = bytearray(4 + 60)
view = memoryview(payload)


def arrived(topic, piece, offset, total):
    # Called with views into one buffer, so that receiving takes no heap.
    number = piece[0] << 24 | piece[1] << 16 | piece[2] << 8 | piece[3]
    if total == 5:
        if number == count:
            tally[3] = 1
        return
    size = number % 53
    if total != 4 + size + 2 or number >= count or piece[4 : 4 + size] != PAD[number % 26 : number % 26 + size]:
        tally[2] += 1
        return
    bit = 1 << (number & 7)
    if seen[number >> 3] & bit:
        tally[1] += 1
    else:
        seen[number >> 3] |= bit
        tally[0] += 1


# Rounds of connecting anew are short: the network is back at once.
client = MQTTClient("soak%d" % qos, host, port, keepalive=30, timeout=20, reconnect=(0.002, 0.02))
client.set_callback(arrived, bytearray(512))
client.connect(False)
client.subscribe("soak/%d" % qos, qos)


def send(number):
    size = number % 53
    payload[0] = number >> 24
    payload[1] = number >> 16 & 255
    payload[2] = number >> 8 & 255
    payload[3] = number & 255
    payload[4 : 4 + size] = PAD[number % 26 : number % 26 + size]
    client.publish(TOPIC, bytes(view[: 6 + size]), False, qos, False)


TOPIC = "soak/%d" % qos
free = None
lost = 0
for number in range(count):
    send(number)
    client.check_msg()
    if qos:
        while number - tally[0] > AHEAD:
            client.wait_msg(1)
    elif number % AHEAD == 0:
        # What does not come back soon went with a connection.
        while number >= tally[0] + lost and client.wait_msg(0.02) is not None:
            pass
        lost = number + 1 - tally[0]
    if number == 200:
        gc.collect()
        free = gc.mem_free()
client.flush()
if qos:
    while tally[0] < count:
        client.wait_msg(1)
# A mark behind everything, until it comes back: at QoS 0 it may be lost as well.
while not tally[3]:
    client.publish(TOPIC, count.to_bytes(4, "big") + b".", False, qos)
    for _ in range(50):
        if client.wait_msg(0.01) is None:
            break
while client.wait_msg(0.3) is not None:
    pass
gc.collect()
print(
    "arrived %d doubled %d damaged %d heap %d" % (tally[0], tally[1], tally[2], gc.mem_free() - free)
)
client.disconnect()
