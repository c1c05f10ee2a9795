# Decides whether messages survive a link that is lost again and again on a board without network: the client `case`
# against the broker of board_broker.py, which has run before this. For each QoS the test calls `begin`, then `go_on` as
# often as it likes, which prints what became of a round of messages, then `end`, which prints what became of the heap.
import gc

ROUND = 1000  # messages each way
PAD = b"abcdefghijklmnopqrstuvwxyz" * 2
seen = bytearray(ROUND)
client = broker = free = None
sent = damaged = late = 0


def arrived(topic, message):
    global damaged, late
    number = int.from_bytes(message[:3], "big")
    if message[3:] != PAD[: number % 40]:
        damaged += 1
    elif number < sent:
        late += 1  # for the second time, since no round ends with one missing
    else:
        seen[number - sent] = min(255, seen[number - sent] + 1)


def begin():
    global client, broker, sent, damaged, free
    client = broker = free = None
    gc.collect()
    broker = Broker()  # noqa: F821
    sent = damaged = 0
    client = case.MQTTClient("soak", "memory", reconnect=(0.01, 0.1))  # noqa: F821
    client.set_callback(arrived)
    client.connect(False)


def go_on(qos):
    global sent, late, free
    if free is None:
        client.subscribe("s", qos)
    late = 0
    for i in range(ROUND):
        seen[i] = 0
    for number in range(sent, sent + ROUND):
        client.publish("s", number.to_bytes(3, "big") + PAD[: number % 40], False, qos, False)
        client.check_msg()
        if number == 100:
            gc.collect()
            free = gc.mem_free()
    client.flush()
    for _ in range(ROUND):
        client.check_msg()
    missing = sum(1 for n in seen if n == 0)
    doubled = sum(1 for n in seen if n > 1)
    sent += ROUND
    print("missing", missing, "doubled", doubled + late, "damaged", damaged, "lost", broker.lost)


def end():
    client.sock.close()
    gc.collect()
    print("heap", gc.mem_free() - free)
