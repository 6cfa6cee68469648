#!/usr/bin/env python3
"""Boots Debian's riscv64 kernel to a busybox shell: boot.py METIC-SYSTEM [OPTION...].

Kernel and busybox are packages of trixie, fetched into the cache folder (METIC_CACHE). The initial RAM disk runs commands
on processors, a disk and a network, whose output is compared, and powers the machine off; then the disk is looked at.
"""

import hashlib
import lzma
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import cpio  # noqa: E402
import roots  # noqa: E402

BEGIN = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
"""
SCRIPT = """echo "machine $(uname -m), processors $(nproc)"
seq 30000 | md5sum
i=0; while [ $i -lt 300 ]; do /bin/busybox true; i=$((i+1)); done; echo "$i processes"
(for n in 1 2 3 4; do seq 20000 | sort -n | tail -n 1 & done; wait)
for m in virtio_blk failover net_failover virtio_net; do insmod /lib/$m.ko; done
sleep 1
echo "disk says $(head -c 12 /dev/vda)"
seq 100000 | dd of=/dev/vda bs=4096 seek=1 conv=fsync 2>/dev/null
ip link set eth0 up
udhcpc -i eth0 -n -q -s /bin/true 2>&1 | grep obtained
ip addr add 10.0.2.15/24 dev eth0
seq 300000 | nc 10.0.2.2 {port} | md5sum
cat /proc/interrupts
sleep 1
echo done
poweroff -f
"""


NUMBERS = "".join(f"{n}\n" for n in range(1, 300001)).encode()
MODULES = ["virtio_blk", "failover", "net_failover", "virtio_net"]


def debian():
    """The folder that the packages are in."""
    return roots.root("riscv64", "kernel", ["linux-image-riscv64", "busybox-static"])


def kernel(root):
    return next(root.glob("boot/vmlinu*"))


def modules(root, names):
    """Kernel modules as files of an initial RAM disk."""
    return [(f"lib/{m}.ko", 0o100644, lzma.decompress(next(root.glob(f"usr/lib/modules/**/{m}.ko.xz")).read_bytes())) for m in names]


def initrd(root, script):
    """With busybox at work under its names, and /proc, /sys and /dev mounted, the script is run."""
    files = [(d, 0o40755, b"") for d in ("bin", "dev", "lib", "proc", "sys", "tmp")]
    files += [("bin/busybox", 0o100755, (root / "usr/bin/busybox").read_bytes()), ("init", 0o100755, (BEGIN + script).encode())]
    return cpio.initrd(files + modules(root, MODULES))


def options(script, folder, line="console=ttyS0 quiet"):
    """A machine's options that start the kernel with this command line, and its system with the script; what that takes is put into the folder."""
    root, ram = debian(), pathlib.Path(folder) / "initrd"
    ram.write_bytes(initrd(root, script))
    return ["-kernel", kernel(root), "-initrd", ram, "-append", line]


def make_qcow2(path, size):
    """An empty image: header, reference counts, L1 table (The Qcow2 Image Format, version 3, clusters of 64 KiB)."""
    cluster = 1 << 16
    header = struct.pack(">IIQIIQIIQQIIQQQQII", 0x514649FB, 3, 0, 0, 16, size, 0, max(1, -(-size // (cluster // 8 * cluster))), 3 * cluster,
                         cluster, 1, 0, 0, 0, 0, 0, 4, 104)
    table = struct.pack(">Q", 2 * cluster)
    counts = struct.pack(">HHHH", 1, 1, 1, 1)
    path.write_bytes(b"".join(part.ljust(cluster, b"\0") for part in (header, table, counts, b"")))


def exchange(server, got):
    """Sends numbers to whoever connects, and keeps what comes."""
    s, _ = server.accept()
    threading.Thread(target=s.sendall, args=[NUMBERS]).start()
    while data := s.recv(65536):
        got.append(data)
    s.close()


def main():
    machine, *more = sys.argv[1:]
    processors = more[more.index("-smp") + 1] if "-smp" in more else "2"
    messages = any("aplic-imsic" in o for o in more)
    with tempfile.TemporaryDirectory() as folder:
        disk = pathlib.Path(folder) / "disk"
        server, got = socket.create_server(("127.0.0.1", 0)), []
        threading.Thread(target=exchange, args=[server, got], daemon=True).start()
        disk.write_bytes(b"disk content".ljust(16 << 20, b"\0"))
        command = [machine, "-M", "virt", "-m", "512", "-smp", processors, "-nographic", "-no-reboot",
                   *options(SCRIPT.replace("{port}", str(server.getsockname()[1])), folder), "-drive", f"file={disk},format=raw", "-device", "virtio-rng-pci",
                   "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net", *more]
        r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
        numbers = "".join(f"{n}\n" for n in range(1, 100001)).encode()
        written = disk.read_bytes()[4096:4096 + len(numbers)] == numbers
    out = r.stdout.replace(b"\r", b"").decode(errors="replace")
    print(out)
    wanted = [f"machine riscv64, processors {processors}", "0a61f0919f546ce04fc119b028b88a2e  -", "300 processes", "20000\n20000\n20000\n20000",
              "disk says disk content", "lease of 10.0.2.15 obtained", hashlib.md5(NUMBERS).hexdigest(), "done"]
    if messages: # a disk's and a network's queues; the UART
        wanted += ["PCI-MSIX", "virtio2-req.0", "virtio1-input.0", "APLIC-MSI"]
    missing = [w for w in wanted if w not in out]
    sent = b"".join(got) == NUMBERS
    if r.returncode or missing or not written or not sent:
        sys.exit(f"exit code {r.returncode}; not in the output: {missing}; disk written: {written}; came by TCP: {sent}\n{r.stderr.decode(errors='replace')}")


if __name__ == "__main__":
    main()
