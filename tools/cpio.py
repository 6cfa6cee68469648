"""Initial RAM disks for Linux: cpio archives in the kernel's form ("newc"; Documentation/driver-api/early-userspace/buffer-format.rst)."""

import gzip


def record(number, name, mode, body=b"", device=(0, 0)):
    """A file of an archive."""
    fields = [number, mode, 0, 0, 1, 0, len(body), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + body + b"\0" * (-len(body) % 4)


def initrd(files):
    """A compressed archive of the (name, mode, content), with a console."""
    archive = b"".join(record(i, *f) for i, f in enumerate(files))
    archive += record(len(files), "dev/console", 0o20600, device=(5, 1)) + record(0, "TRAILER!!!", 0)
    return gzip.compress(archive, 1)
