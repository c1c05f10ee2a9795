"""`builtins` as an ESP32 has it: files are opened by name only."""

from _sim import native, open_file

n = native["builtins"]
for _name in dir(n):
    if _name not in ("__name__", "__class__", "__dict__"):
        globals()[_name] = getattr(n, _name)
open = open_file
del n, native, open_file, _name
