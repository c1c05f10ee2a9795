# Decides what a client does at one place of one exchange where the peer misbehaves: runs each case that its
# arguments list against a scripted peer, and prints one JSON line per case with outcome, time and what arrived.
#
# Usage: micropython faults.py HOST PORT [--timeout-argument] CASE…
# A case is NAME=EXCHANGE=TIMEOUT_MS; the peer plays the matching script on the connection that the case makes.
import json
import sys
import time

from umqtt.simple import MQTTClient


def run(name, exchange, host, port, timeout, timeout_argument):
    calls = []
    client = MQTTClient("faults", host, port)
    client.set_callback(lambda topic, message: calls.append([bytes(topic).hex(), bytes(message).hex()]))
    begun = time.ticks_ms()
    try:
        if exchange == "connect" and timeout_argument:
            result = client.connect(True, timeout / 1000)
        else:
            result = client.connect()
        if exchange != "connect":
            client.sock.settimeout(timeout / 1000)
            begun = time.ticks_ms()
        if exchange == "publish":
            result = client.publish("t", "qos 0")
        elif exchange == "publish-1":
            result = client.publish("t", "qos 1", qos=1)
        elif exchange == "publish-stuck":
            # Until the buffers on the way are full; only the last call counts.
            big = bytes(1000000)
            for _ in range(100):
                begun = time.ticks_ms()
                result = client.publish("t", big)
        elif exchange == "subscribe":
            result = client.subscribe("t")
        elif exchange == "wait":
            result = client.wait_msg()
        elif exchange == "wait-twice":
            result = (client.wait_msg(), client.wait_msg())
        elif exchange == "check":
            # The message may still be on its way; whoever checks checks again.
            result = client.check_msg()
            while not calls and time.ticks_diff(time.ticks_ms(), begun) < timeout:
                result = client.check_msg()
        elif exchange == "ping":
            client.ping()
            result = client.wait_msg()
        elif exchange == "disconnect":
            result = client.disconnect()
        outcome = "returned %r" % (result,)
    except Exception as error:
        outcome = "raised %s" % type(error).__name__
        if isinstance(error, OSError):
            outcome += repr(error.args)
    elapsed = time.ticks_diff(time.ticks_ms(), begun)
    if client.sock:
        client.sock.close()
    print(json.dumps({"case": name, "outcome": outcome, "ms": elapsed, "calls": calls}))


host, port = sys.argv[1], int(sys.argv[2])
cases = sys.argv[3:]
timeout_argument = cases[0] == "--timeout-argument"
if timeout_argument:
    cases = cases[1:]
for case in cases:
    name, exchange, timeout = case.split("=")
    run(name, exchange, host, port, int(timeout), timeout_argument)
