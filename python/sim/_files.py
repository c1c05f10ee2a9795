# The board's filesystem: a folder of this computer that looks like a board's flash, and its walls.

from _sim import libc, native, request

io, vfs = native["io"], native["vfs"]
EACCES, EEXIST, ENOENT, ENOSPC = 13, 17, 2, 28
DIRECTORY, REGULAR = 0x4000, 0x8000


def mount(root):
    inner = vfs.VfsPosix(root)
    realpath = libc.func("s", "realpath", "sP")
    readlink = libc.func("l", "readlink", "sPL")
    host_rename = libc.func("i", "rename", "ss")
    errno = native["os"].errno
    buffer = libc.func("P", "malloc", "L")(4097)
    cwd = "/"

    def absolute(path):
        """The path from the board's root, without `.`, `..` and doubled slashes."""
        if path[:1] != "/":
            path = cwd + "/" + path
        parts = []
        for part in path.split("/"):
            if part == "..":
                if parts:
                    parts.pop()
            elif part and part != ".":
                parts.append(part)
        return "/" + "/".join(parts)

    def inside(path):
        """The same, refused if a symbolic link on the way leads out of the folder."""
        path = absolute(path.split("\0")[0])
        host = root + path
        real = realpath(host, buffer)
        if real is None:
            if readlink(host, buffer, 4096) >= 0:
                raise OSError(ENOENT)
            # Something new: the folder it is to be in counts.
            real = realpath(root + path[: path.rindex("/") + 1], buffer)
            if real is None:
                raise OSError(ENOENT)
        if real != root and not real.startswith(root + "/"):
            raise OSError(EACCES)
        return path

    def room():
        """Bytes that still fit; none is an error."""
        free = int(request(b"room"))
        if free <= 0:
            raise OSError(ENOSPC)
        return free

    class Limited(io.IOBase):
        """A file being written, as far as the flash has room for it."""

        def __init__(self, file):
            self._left = 0
            self.read = file.read
            self.readline = file.readline
            self.readinto = file.readinto
            self.seek = file.seek
            self.tell = file.tell
            self.flush = file.flush
            self.close = file.close
            self._write = file.write
            self._next = file.readline

        def write(self, data, *part):
            size = part[-1] if part else len(data.encode() if isinstance(data, str) else data)
            if size > self._left:
                self._left = room()
                if size > self._left:
                    raise OSError(ENOSPC)
            # Others may write too: what is known of the room is used up soon.
            self._left = min(self._left, 65536) - size
            return self._write(data, *part)

        def ioctl(self, what, argument):
            if what == 4:  # MP_STREAM_CLOSE
                self.close()
            return 0

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.close()

        def __iter__(self):
            return self

        def __next__(self):
            line = self._next()
            if not line:
                raise StopIteration
            return line

    class Flash:
        def mount(self, readonly, mkfs):
            pass

        def umount(self):
            pass

        def open(self, path, mode):
            path = inside(path)
            if "w" in mode or "a" in mode or "+" in mode:
                room()
                return Limited(inner.open(path, mode))
            return inner.open(path, mode)

        def chdir(self, path):
            nonlocal cwd
            path = inside(path)
            if not inner.stat(path)[0] & DIRECTORY:
                raise OSError(ENOENT)
            cwd = path

        def getcwd(self):
            return cwd

        def stat(self, path):
            s = inner.stat(inside(path))
            kind = DIRECTORY if s[0] & 0xF000 == DIRECTORY else REGULAR
            size = 0 if kind == DIRECTORY else s[6]
            return (kind, 0, 0, 0, 0, 0, size, s[8], s[8], s[8])

        def statvfs(self, path):
            blocks, used = [int(n) for n in request(b"statvfs").split()]
            free = max(blocks - used, 0)
            return (4096, 4096, blocks, free, free, 0, 0, 0, 0, 255)

        def ilistdir(self, path):
            path = inside(path)
            for entry in inner.ilistdir(path):
                name = entry[0]
                try:
                    s = self.stat(path + "/" + name)
                except OSError:
                    continue  # A link that leads out, or to nothing.
                yield (name, s[0], 0, s[6])

        def mkdir(self, path):
            path = inside(path)
            room()
            inner.mkdir(path)

        def remove(self, path):
            inner.remove(inside(path))

        def rmdir(self, path):
            inner.rmdir(inside(path))

        def rename(self, old, new):
            # VfsPosix.rename keeps one buffer for both paths, so with a root it renames nothing.
            if host_rename(root + inside(old), root + inside(new)) != 0:
                raise OSError(errno())

    vfs.umount("/")
    vfs.mount(Flash(), "/")
    native["os"].chdir("/")
