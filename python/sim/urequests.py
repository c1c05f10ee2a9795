"""The old name of `requests`, as an ESP32's firmware freezes it: all that `requests` has, imported when it is wanted."""


def __getattr__(name):
    if name[0] == "_":
        raise AttributeError(name)
    import requests

    return getattr(requests, name)
