"""`network` of a simulated ESP32: a radio that sees the networks of the simulation.

Connecting takes a moment. A wrong password ends in status 202, an unknown network in 201, and the
radio keeps trying, as an ESP32 does. Sockets work without it (see `socket`).
"""

from _sim import request as _request

STA_IF = 0
AP_IF = 1
MODE_11B = 1
MODE_11G = 2
MODE_11N = 4
AUTH_OPEN = 0
AUTH_WEP = 1
AUTH_WPA_PSK = 2
AUTH_WPA2_PSK = 3
AUTH_WPA_WPA2_PSK = 4
AUTH_WPA2_ENTERPRISE = 5
AUTH_WPA3_PSK = 6
AUTH_WPA2_WPA3_PSK = 7
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_CONNECT_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204

_names = ["mpy-esp32", "XX"]


def _ask(*words):
    return _request(b"wifi", "\n".join(words).encode()).decode()


def _text(value):
    return value if isinstance(value, str) else str(value, "utf-8")


def hostname(name=None):
    if name is None:
        return _names[0]
    if len(name) > 32:
        raise ValueError
    _names[0] = name


def country(code=None):
    if code is None:
        return _names[1]
    if len(code) != 2:
        raise ValueError
    _names[1] = code


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF
    SEC_OPEN = 0
    SEC_WEP = 1
    SEC_WPA = 2
    SEC_WPA2 = 3
    SEC_WPA_WPA2 = 4
    SEC_WPA3 = 6
    SEC_WPA2_WPA3 = 7
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __init__(self, interface=STA_IF):
        if interface not in (STA_IF, AP_IF):
            raise ValueError("invalid WLAN interface identifier")
        self._if = str(interface)

    def _need(self, interface):
        if self._if != str(interface):
            raise OSError("STA required" if interface == STA_IF else "AP required")

    def active(self, on=None):
        if on is not None:
            _ask("activate", self._if, "1" if on else "0")
        return _ask("active", self._if) == "1"

    def connect(self, ssid=None, key=None, *, bssid=None, password=None):
        self._need(STA_IF)
        if not self.active():
            raise OSError("Wifi Not Started")
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        key = password if key is None else key
        if ssid is None:
            answer = _ask("reconnect")
        else:
            answer = _ask("connect", _text(ssid), "" if key is None else _text(key))
        if answer != "ok":
            raise OSError(answer)

    def disconnect(self):
        if not self.active():
            raise OSError("Wifi Not Started")
        _ask("disconnect")

    def isconnected(self):
        return self._if == "0" and _ask("status") == str(STAT_GOT_IP)

    def status(self, what=None):
        if what is None:
            return int(_ask("status")) if self._if == "0" else None
        if what == "rssi":
            self._need(STA_IF)
            if not self.isconnected():
                raise OSError("Wifi Not Connected")
            return int(_ask("get", "rssi"))
        if what == "stations":
            self._need(AP_IF)
            return []
        raise ValueError("unknown status param")

    def scan(self):
        if not WLAN(STA_IF).active():
            raise OSError("STA must be active")
        import time, binascii

        time.sleep_ms(300)
        found = []
        for line in _ask("scan").split("\n"):
            if line:
                channel, rssi, auth, bssid, ssid = line.split(" ", 4)
                found.append(
                    (ssid.encode(), binascii.unhexlify(bssid), int(channel), int(rssi), int(auth), False)
                )
        return found

    def ifconfig(self, settings=None):
        if settings is None:
            return tuple(_ask("ifconfig", self._if).split(" "))
        if isinstance(settings, str):
            if self._if != "0" or settings != "dhcp":
                raise ValueError("invalid arguments")
            _ask("ifconfig", self._if, "dhcp")
        else:
            _ask("ifconfig", self._if, " ".join([_text(part) for part in settings]))

    def ipconfig(self, what=None, **settings):
        address, mask, gateway, _ = self.ifconfig()
        if what == "addr4":
            return (address, mask)
        if what == "gw4":
            return gateway
        if what == "dhcp4":
            return self._if == "0"
        if what == "has_dhcp4":
            return self.isconnected()
        raise ValueError("unexpected key")

    def config(self, *names, **values):
        if names and values:
            raise TypeError("either pos or kw args are allowed")
        if values:
            for name, value in values.items():
                self._set(name, value)
            return None
        if len(names) != 1:
            raise TypeError("can query only one param")
        name = names[0]
        if name == "mac":
            import binascii

            return binascii.unhexlify(_ask("get", "mac" + self._if))
        if name in ("ssid", "essid"):
            return _ask("get", "ssid" + self._if)
        if name in ("hostname", "dhcp_hostname"):
            return hostname()
        if name in ("channel", "max_clients", "reconnects", "pm", "protocol"):
            return int(_ask("get", name))
        if name in ("security", "authmode", "hidden"):
            self._need(AP_IF)
            value = int(_ask("get", name))
            return bool(value) if name == "hidden" else value
        if name == "txpower":
            return float(_ask("get", name))
        raise ValueError("unknown config param")

    def _set(self, name, value):
        if name in ("ssid", "essid", "key", "password", "hidden", "security", "authmode", "max_clients"):
            self._need(AP_IF)
        elif name == "reconnects":
            self._need(STA_IF)
        if name in ("hostname", "dhcp_hostname"):
            hostname(value)
        elif name == "mac":
            if len(value) != 6:
                raise ValueError("invalid buffer length")
            import binascii

            _ask("set", "mac" + self._if, binascii.hexlify(value).decode())
        elif name in ("ssid", "essid"):
            _ask("set", "ssid1", _text(value))
        elif name in ("key", "password"):
            _ask("set", "key", _text(value))
        elif name in ("hidden", "security", "authmode", "max_clients", "channel", "reconnects", "pm", "protocol"):
            _ask("set", "security" if name == "authmode" else name, str(int(value)))
        elif name == "txpower":
            _ask("set", name, str(float(value)))
        else:
            raise ValueError("unknown config param")
