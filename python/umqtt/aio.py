"""umqtt.aio: the same client for asyncio. MQTT itself is done by the native client, which `core` is; here is only who
waits for whom. The callback is an ordinary function; it runs in the task that reads, and may start others.

    client = MQTTClient("id", "broker", keepalive=30, reconnect=True)
    client.set_callback(lambda topic, msg: print(topic, msg))
    await client.connect()
    await client.subscribe("casa/#")
    await client.publish("casa/luz", "on", qos=1)

Attributes of umqtt.simple's client are attributes of `core`: `client.core.timeout = 5`.
"""

import asyncio
import sys
import time

from . import simple
from .simple import MQTTException  # noqa: F401  (programs catch it by this name)


class MQTTClient:
    def __init__(self, client_id, server, *args, reconnect=None, **kwargs):
        self.core = simple.MQTTClient(client_id, server, *args, **kwargs)
        # The native client would wait; here a task does it.
        self.policy = (1, 60) if reconnect is True else reconnect
        self._stream = None
        self._task = None
        self._clean = True
        self._served = _Served()
        # What has ended the task that reads.
        self._error = None
        # Whether there is a connection now.
        self._up = False

    def set_callback(self, f, buffer=None):
        self.core.set_callback(f, buffer)

    def set_last_will(self, topic, msg, retain=False, qos=0):
        self.core.set_last_will(topic, msg, retain, qos)

    async def connect(self, clean_session=True, timeout=None):
        """As umqtt.simple's. The task that reads runs from then on."""
        await self._stop()
        if timeout is not None:
            self.core.timeout = timeout
        self._clean = clean_session
        present = await self._open(False)
        self._error = None
        self._task = asyncio.create_task(self._read())
        return present

    async def disconnect(self):
        await self._stop()
        self.core.disconnect()

    async def publish(self, topic, msg, retain=False, qos=0, wait=True):
        """As umqtt.simple's; at QoS 1 and 2 returns when the broker has taken the message, or with wait=False at once."""
        core = self.core
        if qos:
            await self._until(lambda: core.pending() < core.window)
        else:
            await self._until(self._is_up)
        pid = core.publish(topic, msg, retain, qos, False)
        self._unblock()
        if pid is None or not wait:
            return pid
        await self._until(lambda: not core.pending(pid))

    async def subscribe(self, topic, qos=0):
        await self._request(lambda: self.core.subscribe(topic, qos, False))

    async def unsubscribe(self, topic):
        await self._request(lambda: self.core.unsubscribe(topic, False))

    async def flush(self):
        await self._until(lambda: not self.core.pending())

    async def ping(self):
        await self._until(self._is_up)
        self.core.ping()

    async def wait_msg(self):
        """Returns when the next packet has been served: its first byte."""
        return await self._next()

    # -- below here: who waits for whom ---------------------------------------------------------------------------

    def _is_up(self):
        return self._up

    def _wake(self, op=None, error=None):
        # Those who wait keep the event that they wait for; the next ones get another.
        served, self._served = self._served, _Served()
        served.op, served.error = op, error
        served.set()
        if error is not None and not served.awaited and self._error is None:
            # Nobody to raise it to.
            sys.print_exception(error)

    async def _next(self, limit=None):
        # Waits for the next packet, for so many milliseconds; raises what went wrong with it.
        served = self._served
        if self._error is not None:
            raise self._error
        if self._task is None:
            raise OSError(-1, "not connected")
        served.awaited = True
        await (served.wait() if limit is None else _within(served.wait(), limit))
        if served.error is not None:
            raise served.error
        return served.op

    async def _until(self, done):
        # Returns when `done()` holds, which may change with every packet. One deadline for all of it.
        begun = time.ticks_ms()
        while not (self._up and done()):
            limit = self.core.timeout
            if limit is not None:
                limit = max(int(limit * 1000) - time.ticks_diff(time.ticks_ms(), begun), 0)
            await self._next(limit)

    async def _request(self, send):
        while True:
            await self._until(self._is_up)
            connection = self._stream
            pid = send()
            self._unblock()
            await self._until(lambda: not self.core.pending(pid))
            # A connection that was lost meanwhile has forgotten the request.
            if connection is self._stream:
                return

    def _unblock(self):
        # A large packet may have made the native client wait for the socket, which blocks then.
        self.core.sock.setblocking(False)

    async def _stop(self):
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
        self._up = False

    async def _open(self, again):
        limit = self.core.timeout
        opening = self._open_now(again)
        return await (opening if limit is None else _within(opening, int(limit * 1000)))

    async def _open_now(self, again):
        core = self.core
        if self._stream is not None:
            self._stream.close()
            await self._stream.wait_closed()
            self._stream = None
        ssl = core.ssl or None
        name = {} if ssl is None else {"ssl": ssl, "server_hostname": core.server}
        stream, _ = await asyncio.open_connection(core.server, core.port, **name)
        self._stream = stream
        core._begin(stream.s, self._clean, again)
        while True:
            # Returns when there is something to read, and reads nothing.
            await stream.read(0)
            present = core._connack()
            if present is not None:
                self._up = True
                self._unblock()
                return present

    async def _read(self):
        core = self.core
        while True:
            try:
                due = core._due()
                readable = self._stream.read(0)
                if due < 0:
                    await readable
                else:
                    try:
                        await asyncio.wait_for_ms(readable, due)
                    except asyncio.TimeoutError:
                        pass
                op = core.check_msg()
                if op is not None:
                    self._wake(op)
            except OSError as error:
                self._up = False
                if self.policy is None:
                    return self._fail(error)
                if not await self._open_again():
                    return
            except Exception as error:
                # Of the callback, or of a message over max_size; if the broker broke the protocol, the connection is closed,
                # which the next turn finds.
                self._wake(None, error)

    def _fail(self, error):
        self._up = False
        self._error = error
        self._wake(None, error)

    async def _open_again(self):
        first, longest = self.policy
        delay = first
        while True:
            try:
                await self._open(True)
                self._wake()
                return True
            except OSError:
                pass
            except MQTTException as error:
                # 3: the broker is not available now.
                if error.args[0] != 3:
                    self._fail(error)
                    return False
            # A half to the whole, by chance, so that many boards do not come at once.
            await asyncio.sleep(delay * (512 + time.ticks_us() % 512) / 1024)
            delay = min(delay * 2, longest)


class _Served(asyncio.Event):
    awaited = False


async def _within(waiting, milliseconds):
    try:
        return await asyncio.wait_for_ms(waiting, milliseconds)
    except asyncio.TimeoutError:
        from errno import ETIMEDOUT

        raise OSError(ETIMEDOUT)
