# A file system whose only file is case.mpy, with what `content` holds.
import io
import sys
from binascii import a2b_base64

try:
    from vfs import mount
except ImportError:
    from os import mount

content = bytearray()


class File(io.IOBase):
    def __init__(self):
        self.at = 0

    def ioctl(self, request, argument):
        return 0 if request == 4 else -1  # MP_STREAM_CLOSE

    def readinto(self, buffer):
        count = min(len(buffer), len(content) - self.at)
        buffer[:count] = memoryview(content)[self.at : self.at + count]
        self.at += count
        return count


class OneFile:
    def mount(self, readonly, mkfs):
        pass

    def chdir(self, path):
        pass

    def stat(self, path):
        if not path.endswith("/case.mpy"):
            raise OSError(2)  # ENOENT
        return (0x8000, 0, 0, 0, 0, 0, len(content), 0, 0, 0)

    def open(self, path, mode):
        return File()


mount(OneFile(), "/one")
sys.path.insert(0, "/one")
