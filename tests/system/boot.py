#!/usr/bin/env python3
"""Boots Debian's riscv64 kernel to a busybox shell: boot.py METIC-SYSTEM [OPTION...].

Kernel and busybox are packages of trixie, fetched into the cache folder (METIC_CACHE). The initial RAM disk runs commands,
whose output is compared, and powers the machine off.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import roots  # noqa: E402

SCRIPT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
echo "machine $(uname -m), processors $(nproc)"
seq 30000 | md5sum
i=0; while [ $i -lt 300 ]; do /bin/busybox true; i=$((i+1)); done; echo "$i processes"
(for n in 1 2 3 4; do seq 20000 | sort -n | tail -n 1 & done; wait)
sleep 1
echo done
poweroff -f
"""


def record(number, name, mode, body=b"", device=(0, 0)):
    """A file of a cpio archive in the kernel's form ("newc"; Documentation/driver-api/early-userspace/buffer-format.rst)."""
    fields = [number, mode, 0, 0, 1, 0, len(body), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + body + b"\0" * (-len(body) % 4)


def initrd(busybox):
    files = [(d, 0o40755, b"") for d in ("bin", "dev", "proc", "sys", "tmp")]
    files += [("bin/busybox", 0o100755, busybox.read_bytes()), ("init", 0o100755, SCRIPT.encode())]
    archive = b"".join(record(i, *f) for i, f in enumerate(files))
    archive += record(len(files), "dev/console", 0o20600, device=(5, 1)) + record(0, "TRAILER!!!", 0)
    return gzip.compress(archive)


def main():
    machine, *options = sys.argv[1:]
    root = roots.root("riscv64", "kernel", ["linux-image-riscv64", "busybox-static"])
    kernel = next(root.glob("boot/vmlinu*"))
    with tempfile.NamedTemporaryFile() as disk:
        disk.write(initrd(root / "usr/bin/busybox"))
        disk.flush()
        command = [machine, "-M", "virt", "-m", "512", "-smp", "2", "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", disk.name,
                   "-append", "console=ttyS0 quiet", *options]
        r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    out = r.stdout.replace(b"\r", b"").decode(errors="replace")
    print(out)
    wanted = ["machine riscv64, processors 2", "0a61f0919f546ce04fc119b028b88a2e  -", "300 processes", "20000\n20000\n20000\n20000", "done"]
    missing = [w for w in wanted if w not in out]
    if r.returncode or missing:
        sys.exit(f"exit code {r.returncode}; not in the output: {missing}\n{r.stderr.decode(errors='replace')}")


main()
