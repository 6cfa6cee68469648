#!/usr/bin/env python3
"""What a guest has flushed survives kill -9 of the machine: powerloss.py METIC-SYSTEM METIC-IMG [ROUNDS [SEED]].

A Debian riscv64 kernel with a program that writes records into an ext4 file system, flushes them in several ways, and says which are
safe. The machine is killed at a random moment, ROUNDS times (10) on each kind of disk; then the image must be sound, e2fsck must not
find more than a journal to replay, and the next boot must find every record that was said to be safe.
"""

import lzma
import pathlib
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import boot  # and where its modules are
import cpio
import qmp
import roots

HERE = pathlib.Path(__file__).resolve().parent

SIZE = "256M"
SCRIPT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs none /dev
for m in {modules}; do insmod /lib/$m.ko; done
mount -t ext4 -o {options} /dev/vda /mnt || echo "failed: mount"
/bin/powerloss /mnt
echo "failed: it ended"
"""
KINDS = [  # name, format, options of the drive, of the device, of mount
    ("qcow2", "qcow2", "", "virtio-blk-pci", "rw"),
    ("qcow2, discard, two queues", "qcow2", ",discard=unmap", "virtio-blk-pci,num-queues=2", "discard"),
    ("qcow2, written through", "qcow2", ",cache=writethrough", "virtio-blk-device", "rw,nobarrier"),
    ("qcow2 over qcow2", "over", ",discard=unmap", "virtio-blk-pci", "discard,data=journal"),
    ("raw, split rings", "raw", "", "virtio-blk-pci,packed=off", "rw"),
    ("raw, discard", "raw", ",discard=unmap", "virtio-blk-device", "discard"),
]


def modules(root, names):
    """The modules and what they need, in the order of loading: [(name, content)]."""
    found = []

    def add(name):
        if any(n == name for n, _ in found):
            return
        path = next(root.glob(f"usr/lib/modules/**/{name.replace('_', '[-_]')}.ko.xz"))
        data = lzma.decompress(path.read_bytes())
        for needed in re.search(rb"\0depends=([^\0]*)\0", data)[1].decode().split(","):
            if needed:
                add(needed.replace("-", "_"))
        found.append((name, data))

    for name in names:
        add(name)
    return found


def initrd(root, program, options):
    kernel_modules = modules(root, ["crc32c_generic", "ext4", "virtio_mmio", "virtio_blk"])
    script = SCRIPT.format(modules=" ".join(n for n, _ in kernel_modules), options=options)
    files = [(d, 0o40755, b"") for d in ("bin", "dev", "lib", "mnt")]
    files += [("bin/busybox", 0o100755, (root / "usr/bin/busybox").read_bytes()), ("bin/powerloss", 0o100755, program.read_bytes()),
              ("init", 0o100755, script.encode())]
    files += [(f"lib/{n}.ko", 0o100644, data) for n, data in kernel_modules]
    return cpio.initrd(files)


class Guest(qmp.Machine):
    def follow(self, safe, until, timeout=300):
        """Reads what the guest says up to the time, or until it has said what it found; keeps the numbers that are safe."""
        found, end, text = None, time.monotonic() + timeout, self.output
        while time.monotonic() < (end if until is None else until):
            try:
                text += self.lines.get(timeout=0.05)
            except queue.Empty:
                continue
            *lines, text = text.replace(b"\r", b"").split(b"\n")
            for line in lines:
                words = line.decode(errors="replace").split()
                if words[:1] == ["failed:"] or b"EXT4-fs error" in line or b"I/O error" in line or b"panic" in line:
                    raise AssertionError(line)
                if words[:1] == ["safe"] and len(words) == 3:
                    safe[words[1]] = int(words[2])
                if words[:1] == ["found"] and len(words) == 4:
                    found = dict(zip(("log", "ring", "one"), map(int, words[1:])))
            if found and until is None:
                break
        else:
            if until is None:
                raise AssertionError(f"the guest does not come so far; its last words: {text!r}")
        self.output = text
        return found


def make_disk(img, folder, kind):
    """The image with an empty file system; what is to be read of it as files of the host."""
    raw = folder / "disk.raw"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", raw, SIZE], check=True, stdout=subprocess.DEVNULL)
    if kind == "raw":
        return raw
    disk = folder / "disk.qcow2"
    subprocess.run([img, "convert", "-f", "raw", "-O", "qcow2", raw, disk], check=True)
    raw.unlink()
    if kind == "over":
        disk.rename(folder / "under.qcow2")
        subprocess.run([img, "create", "-f", "qcow2", "-b", "under.qcow2", disk], check=True)
    return disk


def check(img, disk, folder):
    """A copy's journal can be replayed, and nothing else is wrong; the image is sound."""
    copy = folder / "copy.raw"
    if disk.suffix == ".qcow2":
        r = subprocess.run([img, "check", disk], capture_output=True, text=True)
        if r.returncode not in (0, 3):
            raise AssertionError(r.stdout + r.stderr)
        if shutil.which("qemu-img") and subprocess.run(["qemu-img", "check", disk], stdout=subprocess.DEVNULL).returncode not in (0, 3):
            raise AssertionError("qemu-img check")
    subprocess.run([img, "convert", disk, copy], check=True)
    r = subprocess.run(["e2fsck", "-f", "-p", copy], capture_output=True, text=True)
    copy.unlink()
    if r.returncode not in (0, 1):
        raise AssertionError(f"e2fsck: exit code {r.returncode}\n{r.stdout}{r.stderr}")


def rounds_of(kind, machine, img, kernel, ram, folder, rounds):
    name, format_, drive, device, _ = kind
    disk, safe = make_disk(img, folder, format_), {}
    # One processor: OpenSBI 1.1 starts a second one now and then before it is told where (docs/system.rst), and this boots very often.
    options = ["-M", "virt", "-m", "256", "-kernel", kernel, "-initrd", ram, "-append", "console=ttyS0 quiet", "-drive",
               f"file={disk},format={'raw' if format_ == 'raw' else 'qcow2'},if=none,id=disk{drive}", "-device", f"{device},drive=disk"]
    for n in range(rounds + 1):
        with Guest(machine, *options) as m:
            found = m.follow({}, None)
            lost = {k: (v, found[k]) for k, v in safe.items() if found[k] < v}
            if lost:
                raise AssertionError(f"{name}, round {n}: {{place: (safe, found)}}: {lost}")
            if n == rounds:
                break
            m.follow(safe, time.monotonic() + random.uniform(0.2, 3))
            m.process.kill()
            m.process.wait()
            time.sleep(0.1)
            m.follow(safe, time.monotonic() + 0.2)
        check(img, disk, folder)
    if not safe:
        raise AssertionError(f"{name}: the guest has written too little: {safe}")
    print(f"{name}: killed {rounds} times; the last that were safe: {safe}", flush=True)


def main():
    machine, img, *rest = sys.argv[1:]
    rounds = int(rest[0]) if rest else 10
    seed = int(rest[1]) if rest[1:] else random.randrange(1 << 32)
    random.seed(seed)
    print(f"seed {seed}")
    root = boot.debian()
    with tempfile.TemporaryDirectory(prefix="metic-powerloss-") as name:
        program = pathlib.Path(name) / "powerloss"
        subprocess.run([roots.GUESTS["riscv64"][1], "-static", "-O2", "-o", program, HERE / "powerloss-guest.c"], check=True)
        for kind in KINDS:
            with tempfile.TemporaryDirectory(dir=name) as place:
                folder = pathlib.Path(place)
                (folder / "initrd").write_bytes(initrd(root, program, kind[4]))
                rounds_of(kind, machine, img, boot.kernel(root), folder / "initrd", folder, rounds)


if __name__ == "__main__":
    main()
