"""`machine` of a simulated ESP32. Pins, PWM and ADC are those of the simulation; SPI, I2C and UART are absent."""

from _sim import handlers as _handlers, page as _page, request as _request, tell as _tell
import time as _time

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
SLEEP = 2
DEEPSLEEP = 4
PIN_WAKE = 2
EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4
TOUCHPAD_WAKE = 5
ULP_WAKE = 6

# The GPIO numbers of an ESP32; those from 34 on can only be inputs.
_PINS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 23, 25, 26, 27, 32, 33, 34, 35, 36, 37, 38, 39)
_pins = {}
_state = [240000000, False]


def _noise():
    """What an input reads to which nothing is connected: now this, now that."""
    t = _time.ticks_us()
    return (t ^ t >> 3 ^ t >> 7 ^ t >> 11) & 1


class _PinIRQ:
    def __init__(self, pin):
        self._pin = pin
        self._handler = None

    def __call__(self):
        if self._handler is not None:
            self._handler(self._pin)

    def trigger(self, trigger=None):
        at = self._pin._at + 4
        before = _page[at]
        if trigger is not None:
            _page[at] = trigger & 3
        return before


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    WAKE_LOW = 4
    WAKE_HIGH = 5
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    def __new__(cls, id, *args, **kwargs):
        # One object for each pin, as in the firmware.
        if isinstance(id, Pin):
            return id
        if isinstance(id, bool) or not isinstance(id, int) or id not in _PINS:
            raise ValueError("invalid pin")
        pin = _pins.get(id)
        if pin is None:
            pin = _pins[id] = object.__new__(cls)
            pin._id = id
            pin._at = 64 + 8 * id
            pin._irq = None
        return pin

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=None, hold=None, alt=None):
        self._set_up(mode, pull, value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None, alt=None):
        self._set_up(mode, pull, value)

    def _set_up(self, mode, pull, value):
        at = self._at
        if mode not in (-1, None, 1, 3, 7):
            raise ValueError("invalid mode")
        if mode not in (-1, None, 1) and self._id >= 34:
            raise ValueError("pin can only be input")
        # The value first, so that the pin does not glitch.
        if value is not None:
            _page[at + 2] = 1 if value else 0
        if pull != -1:
            # The pins that are inputs only have no resistors.
            _page[at + 1] = pull or 0 if self._id < 34 else 0
        if mode not in (-1, None):
            _page[at] = 1 if mode == 1 else 2 if mode == 3 else 3
        if mode not in (-1, None) or value is not None or pull != -1:
            self._tell()

    def _tell(self):
        _tell(b"pin", b"%d" % self._id)

    def __repr__(self):
        return "Pin(%d)" % self._id

    def __call__(self, value=None):
        return self.value(value)

    def value(self, value=None):
        at = self._at
        if value is None:
            outside = _page[at + 3]
            mode = _page[at]
            if outside == 0:
                # A resistor outside, or the chip's own; GPIO 0 has one to 3.3 V on every board with a BOOT button.
                pull = _page[at + 5] or _page[at + 1] or (2 if self._id == 0 else 0)
                if pull == 0 and mode == 1:
                    return _noise()
                outside = pull == 2
            else:
                outside = outside == 2
            if mode == 2:
                return _page[at + 2]
            if mode == 3:
                return 1 if _page[at + 2] and (outside or not _page[at + 3]) else 0
            return 1 if outside else 0
        value = 1 if value else 0
        if _page[at + 2] != value:
            _page[at + 2] = value
            self._tell()

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not _page[self._at + 2])

    def irq(self, handler=None, trigger=3, *, wake=None, hard=False):
        if self._irq is None:
            self._irq = _PinIRQ(self)
        if handler is None and wake is None:
            trigger = 0
        self._irq._handler = handler
        _page[self._at + 4] = trigger & 3 if handler is not None else 0
        return self._irq


def _on_pin(packet):
    pin = _pins.get(packet[1])
    if pin is not None and pin._irq is not None and pin._irq._handler is not None:
        pin._irq._handler(pin)


_handlers[73] = _on_pin  # I


class Signal:
    def __init__(self, pin, *args, invert=False, **kwargs):
        self._pin = pin if hasattr(pin, "value") else Pin(pin, *args, **kwargs)
        self._invert = bool(invert)

    def value(self, value=None):
        if value is None:
            return int(bool(self._pin.value()) != self._invert)
        self._pin.value(bool(value) != self._invert)

    def __call__(self, value=None):
        return self.value(value)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


# The frequency of each pin with PWM: an ESP32 has 16 channels, which share 8 timers.
_frequencies = {}


class PWM:
    def __init__(self, pin, freq=None, duty=None, *, duty_u16=None, duty_ns=None, invert=False, lightsleep=False):
        self._pin = Pin(pin)
        if self._pin._id >= 34:
            raise ValueError("invalid pin")
        self._freq = 5000
        self._duty = 32768
        self._invert = False
        self._set_up(freq, duty, duty_u16, duty_ns, invert)

    def init(self, freq=None, duty=None, *, duty_u16=None, duty_ns=None, invert=None, lightsleep=None):
        self._set_up(freq, duty, duty_u16, duty_ns, invert)

    def _set_up(self, freq, duty, duty_u16, duty_ns, invert=None):
        if freq is not None and not 1 <= freq <= 40000000:
            raise ValueError("frequency must be from 1Hz to 40MHz")
        wanted = self._freq if freq is None else freq
        if duty is not None:
            self._check(duty, 1023, "duty must be from 0 to 1023")
        if duty_u16 is not None:
            self._check(duty_u16, 65535, "duty_u16 must be from 0 to 65535")
        if duty_ns is not None:
            self._check(duty_ns, 1000000000 // wanted, "duty_ns must be from 0 to %d ns" % (1000000000 // wanted))
        self._claim(wanted)
        if invert is not None:
            self._invert = bool(invert)
        if duty is not None:
            self._duty = 65536 * duty // 1024 if duty < 1023 else 65536
        if duty_u16 is not None:
            self._duty = duty_u16 if duty_u16 < 65535 else 65536
        if duty_ns is not None:
            self._duty = duty_ns * self._freq * 65536 // 1000000000
        self._tell()

    def _claim(self, freq):
        """Takes a channel, and a timer that runs at this frequency."""
        pin = self._pin._id
        if pin not in _frequencies and len(_frequencies) == 16:
            raise RuntimeError("out of PWM channels:16")
        others = [_frequencies[other] for other in _frequencies if other != pin]
        if freq not in others and len(set(others)) == 8:
            raise RuntimeError("out of PWM timers:8")
        _frequencies[pin] = self._freq = freq

    def _check(self, value, top, message):
        if not 0 <= value <= top:
            raise ValueError(message)

    def _active(self):
        if self._pin._id not in _frequencies:
            raise RuntimeError("PWM is inactive")

    def _real(self):
        """The duty of 65536 that the chip makes of it: the faster the wave, the fewer steps its 80 MHz clock leaves."""
        steps, bits = 80000000 // self._freq, 0
        while steps > 1 and bits < 16:
            steps >>= 1
            bits += 1
        return self._duty >> (16 - bits) << (16 - bits)

    def _tell(self):
        on = self._real()
        if self._invert:
            on = 65536 - on
        _tell(b"pwm", b"%d %d %d" % (self._pin._id, self._freq, min(on, 65535)))

    def __repr__(self):
        if self._pin._id not in _frequencies:
            return "PWM(Pin(%d))" % self._pin._id
        inverted = ", invert=True" if self._invert else ""
        return "PWM(Pin(%d), freq=%d, duty_u16=%d%s)" % (self._pin._id, self._freq, self.duty_u16(), inverted)

    def deinit(self):
        if _frequencies.pop(self._pin._id, None) is not None:
            _tell(b"pwm", b"%d 0 0" % self._pin._id)

    def freq(self, freq=None):
        self._active()
        if freq is None:
            return self._freq
        self._set_up(freq, None, None, None)

    def duty(self, duty=None):
        if duty is None:
            return self.duty_u16() >> 6
        self._active()
        self._set_up(None, duty, None, None)

    def duty_u16(self, duty=None):
        self._active()
        if duty is None:
            return min(self._real(), 65535)
        self._set_up(None, None, duty, None)

    def duty_ns(self, duty=None):
        self._active()
        if duty is None:
            return self._real() * 1000000000 // (65536 * self._freq)
        self._set_up(None, None, None, duty)


class ADC:
    ATTN_0DB = 0
    ATTN_2_5DB = 1
    ATTN_6DB = 2
    ATTN_11DB = 3
    WIDTH_9BIT = 9
    WIDTH_10BIT = 10
    WIDTH_11BIT = 11
    WIDTH_12BIT = 12
    # For each attenuation, the least and the most it measures, in microvolts (docs/esp32/quickref.rst).
    _RANGE = ((100000, 950000), (100000, 1250000), (150000, 1750000), (150000, 2450000))

    def __init__(self, pin, *, sample_ns=None, atten=3):
        pin = Pin(pin)
        if pin._id not in (0, 2, 4, 12, 13, 14, 15, 25, 26, 27, 32, 33, 34, 35, 36, 37, 38, 39):
            raise ValueError("invalid pin")
        self._pin = pin
        self._bits = 12
        self.init(atten=atten)

    def init(self, *, sample_ns=None, atten=3):
        self.atten(atten)

    def atten(self, atten):
        if atten not in (0, 1, 2, 3):
            raise ValueError("invalid attenuation")
        self._atten = atten

    def width(self, bits):
        # Older firmware numbered the widths from 0.
        self._bits = bits if bits >= 9 else bits + 9

    def _measure(self):
        """The voltage at the pin, as far as it can be measured: below the least it is nothing, and there is a most."""
        if self._pin._id < 32 and _request(b"wifi", b"active\n0") == b"1":
            # The radio has the second converter.
            raise OSError(110, "ESP_ERR_TIMEOUT")
        at = 512 + 4 * self._pin._id
        microvolts = _page[at] | _page[at + 1] << 8 | _page[at + 2] << 16 | _page[at + 3] << 24
        least, most = self._RANGE[self._atten]
        return 0 if microvolts <= least else min(microvolts, most)

    def read_uv(self):
        return self._measure() // 1000 * 1000

    def read(self):
        top = (1 << self._bits) - 1
        return self._measure() * top // self._RANGE[self._atten][1]

    def read_u16(self):
        return self._measure() * 65535 // self._RANGE[self._atten][1]

    def __repr__(self):
        return "ADC(Pin(%d), atten=%d)" % (self._pin._id, self._atten)


_timers = {}


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __new__(cls, id=-1, **kwargs):
        if not -1 <= id <= 3:
            raise ValueError("invalid Timer number")
        timer = _timers.get(id)
        if timer is None:
            timer = _timers[id] = object.__new__(cls)
            timer._id = id
            timer._callback = None
            timer._period = timer._start = 0
        return timer

    def __init__(self, id=-1, **kwargs):
        if kwargs:
            self.init(**kwargs)

    def init(self, *, mode=1, callback=None, period=-1, tick_hz=1000, freq=None):
        self.deinit()
        if freq is not None:
            milliseconds = 1000 / freq
        elif period < 0:
            raise ValueError("period or freq wanted")
        else:
            milliseconds = period * 1000 / tick_hz
        self._callback = callback
        self._period = milliseconds
        self._start = _time.ticks_ms()
        _tell(b"timer", b"%d %d %d" % (self._id, int(milliseconds * 1000), 1 if mode else 0))

    def deinit(self):
        self._callback = None
        _tell(b"timer", b"%d 0 0" % self._id)

    def value(self):
        elapsed = _time.ticks_diff(_time.ticks_ms(), self._start)
        return elapsed % int(self._period) if self._period >= 1 else 0

    def __repr__(self):
        return "Timer(%d, period=%d)" % (self._id, self._period)


def _on_timer(packet):
    timer = _timers.get(packet[1] - 1)
    if timer is not None and timer._callback is not None:
        timer._callback(timer)


_handlers[84] = _on_timer  # T


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        self._timeout = timeout
        self.feed()

    def feed(self):
        _tell(b"wdt", b"%d" % self._timeout)


class RTC:
    """The board's clock: it starts in 2000 with the power, and runs from what the script sets."""

    def __init__(self, id=0):
        pass

    def datetime(self, value=None):
        if value is None:
            now = _time.time() + int(_request(b"rtc"))
            t = _time.gmtime(now)
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], _time.time_ns() // 1000 % 1000000)
        year, month, day, _, hour, minute, second, _ = value
        wanted = _time.mktime((year, month, day, hour, minute, second, 0, 0))
        # mktime takes local time; the clock keeps what it is given.
        here = _time.mktime(_time.gmtime(_time.time()))
        _tell(b"rtc", b"%d" % (wanted - here))

    def init(self, value):
        self.datetime(value)

    def memory(self, data=None):
        """2048 bytes that outlive deep sleep and soft reset."""
        import binascii

        if data is None:
            return binascii.unhexlify(_request(b"rtc-memory"))
        if len(data) > 2048:
            raise ValueError("buffer too long")
        _tell(b"rtc-memory", binascii.hexlify(data))


def unique_id():
    import binascii

    return binascii.unhexlify(_request(b"unique-id"))


def freq(hz=None):
    if hz is None:
        return _state[0]
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _state[0] = hz


def reset_cause():
    return int(_request(b"reset-cause").split()[0])


def wake_reason():
    return int(_request(b"reset-cause").split()[1])


def _never_returns():
    while True:
        _time.sleep(1)


def reset():
    _tell(b"reset")
    _never_returns()


def soft_reset():
    raise SystemExit


def deepsleep(time_ms=None):
    _tell(b"deepsleep", b"" if time_ms is None else b"%d" % time_ms)
    _never_returns()


def lightsleep(time_ms=None):
    if time_ms is None:
        _never_returns()
    _time.sleep_ms(time_ms)


sleep = lightsleep


def idle():
    _time.sleep_ms(1)


def disable_irq():
    before = not _page[6]
    _page[6] = 1
    return before


def enable_irq(state=True):
    _page[6] = 0 if state else 1


def time_pulse_us(pin, pulse_level, timeout_us=1000000):
    """Length of a pulse in microseconds; -2 if none began in time, -1 if it did not end in time."""
    start = _time.ticks_us()
    while pin.value() != pulse_level:
        if _time.ticks_diff(_time.ticks_us(), start) >= timeout_us:
            return -2
    start = _time.ticks_us()
    while pin.value() == pulse_level:
        if _time.ticks_diff(_time.ticks_us(), start) >= timeout_us:
            return -1
    return _time.ticks_diff(_time.ticks_us(), start)
