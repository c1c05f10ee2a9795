# Connects with a limit while names take their time to resolve, and prints what came of it and after how many seconds.
# The limit is 8 s, and the broker accepts the connection but says nothing.
#
# Usage: micropython resolver.py PORT SECONDS
import errno
import socket
import sys
import time

import umqtt.simple

port, takes = int(sys.argv[1]), int(sys.argv[2])


class Slow:
    # What the client knows as the module `socket`.
    socket = socket.socket

    @staticmethod
    def getaddrinfo(*arguments):
        time.sleep(takes)
        return socket.getaddrinfo(*arguments)


umqtt.simple.socket = Slow
client = umqtt.simple.MQTTClient("known", "127.0.0.1", port)
begun = time.ticks_ms()
try:
    client.connect(timeout=8)
except OSError as error:
    print("ETIMEDOUT" if error.args[0] == errno.ETIMEDOUT else error)
print(time.ticks_diff(time.ticks_ms(), begun))
