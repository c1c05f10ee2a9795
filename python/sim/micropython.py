"""`micropython`, with a `kbd_intr` that the simulated serial port obeys."""

from _sim import native, page as _page

n = native["micropython"]
for _name in dir(n):
    if _name[0] != "_":
        globals()[_name] = getattr(n, _name)
del n, native, _name


def kbd_intr(char):
    _page[5] = 1 if char == 3 else 0
