"""`dht` of a simulated board: sensors that show what the simulation says.

A sensor measures at most every two seconds (the DHT11 every second); asked sooner it repeats itself. A
pin with no sensor times out.
"""

from _sim import request as _request


class DHTBase:
    def __init__(self, pin):
        self.pin = pin
        self._values = None

    def measure(self):
        answer = _request(b"dht", b"%d %d" % (self.pin._id, self._seconds)).decode()
        if not answer:
            raise OSError(110)  # ETIMEDOUT
        self._values = [int(part) for part in answer.split(" ")]

    def _value(self, index):
        # A sensor that was never asked reads as nothing but zeros.
        return self._values[index] if self._values else 0


class DHT11(DHTBase):
    _seconds = 1

    def temperature(self):
        return self._value(0) // 10

    def humidity(self):
        return self._value(1) // 10


class DHT22(DHTBase):
    _seconds = 2

    def temperature(self):
        return self._value(0) / 10

    def humidity(self):
        return self._value(1) / 10
