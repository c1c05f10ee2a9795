# Decides what one of many simulated boards does to load a broker. The computer sends this text behind a line that sets
# HOST, PORT, TLS, USER, PASSWORD and NAME, then calls `ready`, on all boards, `load` and `leave`. `load` prints
# "@ microseconds lost doubled" and then lines of "#" with latencies in microseconds.
import array
import select
import time

from umqtt.simple import MQTTClient

# A message that is not back after so long is lost.
LOST_AFTER = 10_000


def context():
    import ssl

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The broker is under load here, not under suspicion.
    made.verify_mode = ssl.CERT_NONE
    return made


def connected(name):
    made = MQTTClient(name, HOST, PORT, USER, PASSWORD, ssl=context() if TLS else None)
    made.set_callback(got)
    made.connect()
    return made


def ready(qos, count):
    # Beside the client that loads the broker come `count` that say nothing and get nothing, as most of a class do most of
    # the time: each wants a topic of its own, one with a wildcard, and one that is the same for all.
    global client, silent, poll
    silent = []
    for number in range(count):
        name = NAME + b"/silent/%d" % number
        silent.append(connected(name))
        for topic in (name, name + b"/+/led", b"bench/silent/all"):
            silent[-1].subscribe(topic)
    client = connected(NAME)
    client.subscribe(NAME, qos)
    poll = select.poll()
    poll.register(client.sock, select.POLLIN)


def got(topic, message):
    global back, doubled
    number = int.from_bytes(message[:4], "big")
    if each[number] < 0:
        each[number] = time.ticks_diff(time.ticks_us(), sent[number])
        back += 1
    else:
        doubled += 1


def load(count, size, qos, window):
    # At most `window` messages are on their way.
    global each, sent, back, doubled
    each = array.array("i", [-1] * count)
    # No array of "q": MicroPython makes large integers of what is in it, and ticks_diff takes small ones.
    sent = [0] * count
    back = doubled = given_up = 0
    filling = b"m" * max(0, size - 4)
    begun = time.ticks_us()
    for number in range(count):
        sent[number] = time.ticks_us()
        client.publish(NAME, number.to_bytes(4, "big") + filling, False, qos)
        while number + 1 - back - given_up >= window:
            if poll.poll(LOST_AFTER):
                client.wait_msg()
            else:
                given_up = number + 1 - back
    while back + given_up < count and poll.poll(LOST_AFTER):
        client.wait_msg()
    taken = time.ticks_diff(time.ticks_us(), begun)
    print("@", taken, count - back, doubled)
    # As many as the distribution needs.
    times = sorted(taken for taken in each if taken >= 0)
    step = max(1, len(times) // 1000)
    for begin in range(0, len(times), 100 * step):
        print("#", *times[begin : begin + 100 * step : step])


def leave():
    for one in silent + [client]:
        one.disconnect()
