"""umqtt.robust: a client that connects again when the link is lost.

It asks for the same session as the last connect(), subscribes again to what the broker does not know any more, and sends
again what was not acknowledged. A subclass may override `delay`, `log`, `reconnect`, `connect` and `subscribe`, and set
DELAY (seconds between two attempts) and DEBUG. Set `timeout`, so that no attempt takes for ever.
"""

import time

from . import simple


class MQTTClient(simple.MQTTClient):
    DELAY = 2
    DEBUG = False

    # Tells the native client to call log() and reconnect() where a connection is lost.
    _robust = True
    # What is known of the link by check_msg: when connecting failed last.
    _failed = None

    def delay(self, i):
        """Waits before attempt number i + 1 to connect."""
        time.sleep(self.DELAY)

    def log(self, in_reconnect, e):
        """Told of every OSError that is survived."""
        if self.DEBUG:
            print("mqtt reconnect: %r" % e if in_reconnect else "mqtt: %r" % e)

    def reconnect(self):
        """Connects, as the last time, until it works."""
        attempt = 0
        while True:
            try:
                # Through self.connect, so that an overridden one is used.
                return self._again()
            except OSError as e:
                self.log(True, e)
                attempt += 1
                self.delay(attempt)

    def check_msg(self, attempts=2):
        """As umqtt.simple's; does not wait for the link. Connects again at most `attempts` times, and after a failure not
        before DELAY seconds have passed; meanwhile returns None."""
        for _ in range(attempts):
            if self._failed is None:
                try:
                    return super().check_msg()
                except OSError as e:
                    self.log(False, e)
                    # The first attempt is made at once.
                    self._failed = time.ticks_ms()
            if time.ticks_diff(time.ticks_ms(), self._failed) < 0:
                return None
            try:
                if type(self).reconnect is MQTTClient.reconnect:
                    self._again()
                else:
                    self.reconnect()
                self._failed = None
            except OSError as e:
                self.log(True, e)
                self._failed = time.ticks_add(time.ticks_ms(), int(self.DELAY * 1000))
        return None
