"""`io` as an ESP32 has it: files are opened by name only."""

from _sim import native, open_file as open

n = native["io"]
BytesIO = n.BytesIO
IOBase = n.IOBase
StringIO = n.StringIO
del n, native
