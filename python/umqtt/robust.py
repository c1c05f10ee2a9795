"""umqtt.robust: a client that connects again when the link is lost.

Works over the native umqtt.simple and over the pure-Python one. A subclass may override `delay`, `log`,
`reconnect`, `connect` and `subscribe`, and set DELAY (seconds between two attempts) and DEBUG.
"""

import time

from . import simple


class MQTTClient(simple.MQTTClient):
    DELAY = 2
    DEBUG = False

    def delay(self, i):
        """Waits before attempt number i + 1 to connect."""
        time.sleep(self.DELAY)

    def log(self, in_reconnect, e):
        """Told of every OSError that is survived."""
        if self.DEBUG:
            print("mqtt reconnect: %r" % e if in_reconnect else "mqtt: %r" % e)

    def reconnect(self):
        """Connects, keeping the session, until it works."""
        attempt = 0
        while True:
            try:
                # Through self, so that an overridden connect() is used.
                return self.connect(False)
            except OSError as e:
                self.log(True, e)
                attempt += 1
                self.delay(attempt)

    def publish(self, topic, msg, retain=False, qos=0):
        """As umqtt.simple's; sends the message again on a new connection if the old one broke."""
        while True:
            try:
                return super().publish(topic, msg, retain, qos)
            except OSError as e:
                self.log(False, e)
            self.reconnect()

    def wait_msg(self):
        """As umqtt.simple's, on a new connection if the old one broke."""
        while True:
            try:
                return super().wait_msg()
            except OSError as e:
                self.log(False, e)
            self.reconnect()

    def check_msg(self, attempts=2):
        """As umqtt.simple's; after `attempts` lost connections returns None."""
        for _ in range(attempts):
            self.sock.setblocking(False)
            try:
                return super().wait_msg()
            except OSError as e:
                self.log(False, e)
            self.reconnect()
