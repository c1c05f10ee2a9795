# Makes calls of the client between two marks that a trace of system calls shows: files that are not there.
#
# Usage: micropython system_calls.py CASE HOST PORT
import select
import sys

from umqtt.simple import MQTTClient

case, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
MESSAGES = 10


def mark(name):
    try:
        open("/umqtt-no-such-folder/" + name)
    except OSError:
        pass


keepalive = 40000 if case == "keepalive" else 0
client = MQTTClient("known", host, port, keepalive=keepalive)
got = []
client.set_callback(lambda topic, message: got.append(len(message)))
client.connect()
if case == "timeout":
    client.timeout = 3600
if not case.startswith("publish") and case != "nothing":
    # The peer sends all of it at once.
    poll = select.poll()
    poll.register(client.sock, select.POLLIN)
    poll.poll()
calls = {
    "publish": lambda: [client.publish("t", "sixteen bytes   ") for _ in range(MESSAGES)],
    "check": client.check_msg,
    "nothing": client.check_msg,
}
call = calls.get(case, lambda: [client.wait_msg() for _ in range(MESSAGES)])
mark("begin")
call()
mark("end")
print(len(got))
