"""`ntptime` of a simulated board: what it asks is this computer's clock, which is right."""

from _sim import native as _native, request as _request, tell as _tell

host = "pool.ntp.org"
timeout = 1

_now = _native["time"].time


def time():
    """Seconds since 2000, which is where an ESP32 begins to count."""
    if _request(b"cut-off") == b"1":
        raise OSError(-202)
    return int(_now()) - 946684800


def settime():
    time()
    _tell(b"rtc", b"0")
