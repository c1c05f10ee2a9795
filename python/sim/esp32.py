"""`esp32` of a simulated board: its temperature and its non-volatile storage."""

from _sim import request as _request

HEAP_DATA = 4
HEAP_EXEC = 1
WAKEUP_ALL_LOW = False
WAKEUP_ANY_HIGH = True


def raw_temperature():
    """The chip's own temperature in degrees Fahrenheit."""
    return int(_request(b"temperature"))


def mcu_temperature():
    """The chip's own temperature in degrees Celsius."""
    return (raw_temperature() - 32) * 5 // 9


class NVS:
    """Non-volatile storage: what is kept here outlives every reset, as long as the simulation runs."""

    def __init__(self, namespace):
        if len(namespace) > 15:
            raise OSError(-4361, "ESP_ERR_NVS_KEY_TOO_LONG")
        self._namespace = namespace

    def _ask(self, what, key, value=b""):
        if len(key) > 15:
            raise OSError(-4361, "ESP_ERR_NVS_KEY_TOO_LONG")
        name = "%s\n%s\n" % (self._namespace, key)
        answer = _request(what, name.encode() + value)
        if answer[:1] == b"-":
            raise OSError(-4354, "ESP_ERR_NVS_NOT_FOUND")
        return answer[1:]

    def set_i32(self, key, value):
        self._ask(b"nvs-set", key, b"i%d" % value)

    def get_i32(self, key):
        return int(self._ask(b"nvs-get", key, b"i"))

    def set_blob(self, key, value):
        import binascii

        self._ask(b"nvs-set", key, b"b" + binascii.hexlify(value))

    def get_blob(self, key, buffer):
        import binascii

        value = binascii.unhexlify(self._ask(b"nvs-get", key, b"b"))
        if len(value) > len(buffer):
            raise OSError(-4364, "ESP_ERR_NVS_INVALID_LENGTH")
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        self._ask(b"nvs-erase", key)

    def commit(self):
        pass
