"""`upip` for lessons that still install `umqtt` with it: the module is already on the board."""

# What upip installed in its time, and the module each package brings.
_HERE = {"umqtt.simple": "umqtt.simple", "umqtt.robust": "umqtt.robust"}


def _bare(package):
    name = package.split("==")[0].strip()
    return name[12:] if name.startswith("micropython-") else name


def _show(name):
    module = __import__(name, None, None, ("MQTTClient",))
    version = getattr(module, "__version__", None)
    place = getattr(module, "__file__", None) or "el firmware"
    text = name + (" " + version if version else "")
    print(text, "ya está en la placa, en", place)


def install(to_install, install_path=None):
    """Says where the module is. Other packages raise ImportError: their way onto a board is `mip`."""
    if isinstance(to_install, str):
        to_install = [to_install]
    for package in to_install:
        name = _bare(package)
        if name not in _HERE:
            raise ImportError(
                "upip ya no existe; para %s usa: import mip; mip.install('%s')" % (package, name)
            )
        _show(_HERE[name])


def help():
    print("upip.install('micropython-umqtt.simple') dice dónde está umqtt; para lo demás, mip")
