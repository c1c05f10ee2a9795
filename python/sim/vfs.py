"""`vfs` as an ESP32 has it: without the filesystem of this computer."""

from _sim import native

n = native["vfs"]
mount = n.mount
umount = n.umount
VfsFat = n.VfsFat
VfsLfs2 = n.VfsLfs2
del n, native
