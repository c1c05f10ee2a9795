"""`time` as an ESP32 has it: seconds count from 2000, there are no time zones, and the clock is the board's own, which
starts in 2000 with the power and is right only once somebody has set it."""

from _sim import native, request as _request

n = native["time"]
for _name in dir(n):
    if _name[0] != "_" and _name != "clock":
        globals()[_name] = getattr(n, _name)
_native = (n.time, n.time_ns, n.gmtime)

# Seconds from 1970, where this computer's count begins, to 2000.
_EPOCH = 946684800


def time():
    return int(_native[0]()) + int(_request(b"rtc")) - _EPOCH


def time_ns():
    return _native[1]() + (int(_request(b"rtc")) - _EPOCH) * 1000000000


def gmtime(seconds=None):
    if seconds is None:
        seconds = time()
    return tuple(_native[2](int(seconds) + _EPOCH)[:8])


localtime = gmtime


def mktime(when):
    year, month, day, hour, minute, second = when[:6]
    # Months and all that is smaller may be too many or too few; months that count from March end with the leap day.
    months = year * 12 + month - 3
    year, month = months // 12, months % 12
    days = year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 + day - 1
    return ((days - 730425) * 24 + hour) * 3600 + minute * 60 + second


del n, native, _name
