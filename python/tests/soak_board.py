# Decides whether messages survive a link that is lost again and again on a board without network: the client `case`
# against the broker of board_broker.py, which has run before this. MESSAGES, the number for each QoS, is set before.
# Prints a line for each QoS.
import gc

PAD = b"abcdefghijklmnopqrstuvwxyz" * 2
for qos in (0, 1, 2):
    broker = Broker()
    seen = bytearray(MESSAGES)  # noqa: F821
    damaged = 0

    def arrived(topic, message):
        global damaged
        number = int.from_bytes(message[:3], "big")
        if message[3:] != PAD[: number % 40]:
            damaged += 1
        seen[number] = min(255, seen[number] + 1)

    client = case.MQTTClient("soak", "memory", reconnect=(0.01, 0.1))  # noqa: F821
    client.set_callback(arrived)
    client.connect(False)
    client.subscribe("s", qos)
    free = None
    for number in range(MESSAGES):  # noqa: F821
        client.publish("s", number.to_bytes(3, "big") + PAD[: number % 40], False, qos, False)
        client.check_msg()
        if number == 100:
            gc.collect()
            free = gc.mem_free()
    client.flush()
    for _ in range(1000):
        client.check_msg()
    client.sock.close()
    gc.collect()
    kept = gc.mem_free()
    missing = sum(1 for n in seen if n == 0)
    doubled = sum(1 for n in seen if n > 1)
    print("qos", qos, "missing", missing, "doubled", doubled, "damaged", damaged, "lost", broker.lost, "heap", kept - free)
    client = broker = seen = None
    gc.collect()
