# Decides whether umqtt.aio gets along: with a broker ("broker"), or with a scripted peer that hangs up ("lost"), says
# nothing ("silent") or breaks the protocol ("malformed").
#
# Usage: micropython aio.py CASE HOST PORT
import asyncio
import sys
import time

from umqtt.aio import MQTTClient, MQTTException

case, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
got = []


def arrived(topic, message):
    got.append((bytes(topic), bytes(message)))


async def until(count):
    while len(got) < count:
        await asyncio.sleep_ms(5)


async def broker():
    client = MQTTClient("aio", host, port, keepalive=1)
    client.set_callback(arrived)
    print("connected", await client.connect())
    await client.subscribe("aio/#", 2)
    # Several tasks at once, more than fit the window.
    await asyncio.gather(*(client.publish("aio/%d" % n, "m%d" % n, qos=n % 3) for n in range(40)))
    await client.flush()
    await until(40)
    print("all came", sorted(got) == sorted((b"aio/%d" % n, b"m%d" % n) for n in range(40)))
    got.clear()
    big = bytes(range(256)) * 400
    await client.publish("aio/big", big, qos=1)
    await until(1)
    print("big came", got == [(b"aio/big", big)])
    got.clear()
    # Other tasks run while one waits.
    ticks = []

    async def tick():
        while True:
            ticks.append(time.ticks_ms())
            await asyncio.sleep_ms(10)

    ticking = asyncio.create_task(tick())
    # Longer than the broker waits without a PINGREQ.
    await asyncio.sleep_ms(2500)
    ticking.cancel()
    print("others ran", len(ticks) > 10)
    waiting = asyncio.create_task(client.wait_msg())
    await client.publish("aio/last", "x")
    print("wait_msg", await waiting, got)
    got.clear()
    await client.unsubscribe("aio/#")
    await client.publish("aio/none", "x", qos=1)
    print("unsubscribed", got)
    await client.disconnect()
    try:
        await client.publish("aio/none", "x", qos=1)
    except OSError as error:
        print("closed", error.args)


async def lost():
    client = MQTTClient("known", host, port, reconnect=(0.01, 0.02), timeout=5)
    client.set_callback(arrived)
    await client.connect()
    await client.subscribe("t")
    await client.publish("t", "a", qos=1)
    await until(1)
    print("done", got)
    await client.disconnect()


async def silent():
    client = MQTTClient("known", host, port, timeout=0.2)
    client.set_callback(arrived)
    await client.connect()
    begun = time.ticks_ms()
    for call in (client.subscribe("t"), client.publish("t", "a", qos=2)):
        try:
            await call
        except OSError as error:
            print("OSError", error.args)
    print("in time", time.ticks_diff(time.ticks_ms(), begun) < 20_000)


async def malformed():
    client = MQTTClient("known", host, port)
    client.set_callback(arrived)
    await client.connect()
    try:
        await client.wait_msg()
    except MQTTException as error:
        print("MQTTException", error)
    try:
        await client.wait_msg()
    except OSError:
        print("OSError")


asyncio.run(globals()[case]())
