"""`os` as an ESP32 has it: without the environment and the programs of this computer."""

from _sim import native, request

n = native["os"]
chdir = n.chdir
getcwd = n.getcwd
ilistdir = n.ilistdir
listdir = n.listdir
mkdir = n.mkdir
mount = n.mount
remove = unlink = n.remove
rename = n.rename
rmdir = n.rmdir
sep = "/"
stat = n.stat
statvfs = n.statvfs
umount = n.umount
urandom = n.urandom
VfsFat = n.VfsFat
VfsLfs2 = n.VfsLfs2


def sync():
    pass


def uname():
    import collections

    fields = ("sysname", "nodename", "release", "version", "machine")
    version = ".".join(str(number) for number in native_version)
    return collections.namedtuple("uname_result", fields)(
        "esp32", "esp32", version, "v" + version + " on this computer", "Simulated ESP32 module with ESP32"
    )


native_version = native["sys"].implementation.version[:3]
del n, native, request
