# Decides what publishing costs: in one process, in interleaved rounds, ours against a bare write of the same packet (QoS
# 0) and against umqtt.simple 1.3.4 (QoS 1, over a real broker). Prints one JSON line with microseconds per message.
#
# Usage: micropython bench_publish.py HOST SINK_PORT BROKER_PORT
import gc
import json
import socket
import sys
import time

from umqtt import simple, upstream

ROUNDS = 4001
host, sink, broker = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
TOPIC = b"casa/salon/temp"
MESSAGE = b"23.5"
PACKET = b"\x30\x15\x00\x0fcasa/salon/temp23.5"


def bare(sock, n):
    write = sock.write
    begun = time.ticks_us()
    for _ in range(n):
        write(PACKET)
    return time.ticks_diff(time.ticks_us(), begun)


def publish(client, n):
    publish = client.publish
    begun = time.ticks_us()
    for _ in range(n):
        publish(TOPIC, MESSAGE)
    return time.ticks_diff(time.ticks_us(), begun)


def publish_1(client, n):
    begun = time.ticks_us()
    for _ in range(n):
        client.publish(TOPIC, MESSAGE, False, 1)
    return time.ticks_diff(time.ticks_us(), begun)


def heap(function, argument, n):
    # Bytes taken from the heap by one call with n messages less one with none.
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    function(argument, 0)
    nothing = gc.mem_alloc() - before
    before = gc.mem_alloc()
    function(argument, n)
    taken = gc.mem_alloc() - before - nothing
    gc.enable()
    return taken


def median(values):
    return sorted(values)[len(values) // 2]


ours = simple.MQTTClient("ours", host, sink)
ours.connect()
theirs = upstream.MQTTClient("upstream", host, sink)
theirs.connect()
# Rounds are short, so that most of them pass undisturbed by whatever else the computer does, and take turns in who comes
# first, so that what fills up or warms up on the way favours neither.
n = 100
bare(ours.sock, n)
publish(ours, n)
bares, publishes, upstreams = [], [], []
for i in range(ROUNDS):
    if i & 1:
        bares.append(bare(ours.sock, n) / n)
        publishes.append(publish(ours, n) / n)
    else:
        publishes.append(publish(ours, n) / n)
        bares.append(bare(ours.sock, n) / n)
    if i % 20 == 0:
        upstreams.append(publish(theirs, n) / n)
result = {
    "qos_0_bare_write_us": median(bares),
    "qos_0_ours_us": median(publishes),
    "qos_0_upstream_us": median(upstreams),
    "qos_0_ours_to_bare_write": median(publishes) / median(bares),
    "qos_0_ours_heap_bytes": heap(publish, ours, 1000),
    "qos_0_bare_write_heap_bytes": heap(bare, ours.sock, 1000),
    "qos_0_upstream_heap_bytes_per_message": heap(publish, theirs, 100) / 100,
}
ours.disconnect()
theirs.disconnect()

ours = simple.MQTTClient("ours", host, broker)
ours.connect()
theirs = upstream.MQTTClient("upstream", host, broker)
theirs.connect()
publish_1(ours, 100)
publish_1(theirs, 2)
ours_1, theirs_1 = [], []
for _ in range(11):
    ours_1.append(publish_1(ours, 200) / 200)
    theirs_1.append(publish_1(theirs, 5) / 5)
result["qos_1_ours_us"] = median(ours_1)
result["qos_1_upstream_us"] = median(theirs_1)
result["qos_1_upstream_to_ours"] = median(theirs_1) / median(ours_1)
print(json.dumps(result))
