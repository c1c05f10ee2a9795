# Decides what the client of a scripted conversation is: it runs the lines of Python that it is told, one after the
# other, and reports what each returned or raised, how long it took and with what the callback was called.
#
# Usage: micropython scripted.py HOST CONTROL_PORT
import gc
import json
import select
import socket
import sys
import time

from umqtt import simple

host = sys.argv[1]
calls = []
sockets = []


def shown(value):
    # Long runs of one byte, and long values, in short.
    if isinstance(value, memoryview):
        return "view:" + shown(bytes(value))
    if isinstance(value, (bytes, bytearray)) and len(value) > 80 and value == value[:1] * len(value):
        return "%r*%d" % (bytes(value[:1]), len(value))
    return repr(value)


def callback(*arguments):
    calls.append(" ".join(shown(one) for one in arguments))


class Case:
    def __init__(self, port):
        self.clients = []
        self.names = {
            "MQTTClient": simple.MQTTClient,
            "MQTTException": simple.MQTTException,
            "callback": callback,
            "calls": calls,
            "client": self.client,
            "gc": gc,
            "globals": lambda: self.names,
            "host": host,
            "port": port,
            "ready": self.ready,
            "select": select,
            "simple": simple,
            "socket": socket,
            "time": time,
            "until": self.until,
        }

    def client(self, client_id="id", kind=simple.MQTTClient, **options):
        # A client whose callback reports what it gets.
        made = kind(client_id, host, self.names["port"], **options)
        made.set_callback(callback)
        self.clients.append(made)
        return made

    def ready(self, client):
        # Waits until there is something to read.
        poll = select.poll()
        poll.register(client.sock, select.POLLIN)
        return bool(poll.poll(60000))

    def until(self, done, step):
        # Calls `step` until `done` is true; what it returned last.
        begun = time.ticks_ms()
        while True:
            value = step()
            if done():
                return value
            if time.ticks_diff(time.ticks_ms(), begun) > 60000:
                raise RuntimeError("it does not become true")

    def run(self, code):
        calls.clear()
        report = {"value": None, "error": None}
        begun = time.ticks_ms()
        try:
            try:
                value = eval(code, self.names)
            except SyntaxError:
                value = exec(code, self.names)
            report["value"] = shown(value)
        except Exception as error:
            report["error"] = [type(error).__name__, repr(error.args), str(error)]
        report["ms"] = time.ticks_diff(time.ticks_ms(), begun)
        report["calls"] = list(calls)
        return report

    def close(self):
        for client in self.clients:
            for name in ("sock", "_raw"):
                sock = getattr(client, name, None)
                if sock is not None:
                    try:
                        sock.close()
                    except (OSError, ValueError):
                        pass


control = socket.socket()
control.connect(socket.getaddrinfo(host, int(sys.argv[2]))[0][-1])
while True:
    line = control.readline()
    if not line:
        break
    told = json.loads(line)
    case = Case(told["port"])
    for code in told["lines"]:
        control.write(json.dumps(case.run(code)) + "\n")
    control.readline()
    case.close()
    case = None
    gc.collect()
    control.write("ended\n")
