#!/usr/bin/env python3
"""Runs Debian's UEFI firmware for the virt machine: uefi.py METIC-SYSTEM [OPTION...].

EDK II starts in flash bank 0, keeps its variables in bank 1, finds the EFI system partition of a virtio disk and, by a script
there, starts Debian's kernel, whose initial RAM disk powers the machine off. Then bank 1 is looked at.
"""

import pathlib
import struct
import subprocess
import sys
import tempfile

import boot  # and where its modules are
import cpio
import roots

SECTOR, CLUSTER, ROOT_ENTRIES, START = 512, 4096, 512, 2048
SCRIPT = "FS0:\r\nlinux.efi console=ttyS0 quiet initrd=initrd\r\n"
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t sysfs none /sys
echo "firmware of $(cat /sys/firmware/efi/fw_platform_size) bits"
poweroff -f
"""


def fat16(files):
    """A file system with files {8.3 name: content} in its root (Microsoft FAT Specification)."""
    clusters = 4096 + sum(-(-len(content) // CLUSTER) for content in files.values())
    fat_sectors = -(-(clusters + 2) * 2 // SECTOR)
    data_start = 1 + 2 * fat_sectors + ROOT_ENTRIES * 32 // SECTOR
    total = data_start + clusters * CLUSTER // SECTOR
    boot = struct.pack("<3s8sHBHBHHBHHHIIBBBI11s8s", b"\xeb\x3c\x90", b"METIC   ", SECTOR, CLUSTER // SECTOR, 1, 2, ROOT_ENTRIES, 0, 0xF8,
                       fat_sectors, 63, 255, START, total, 0x80, 0, 0x29, 1, b"EFI        ", b"FAT16   ")
    fat, entries, data = [0xFFF8, 0xFFFF], [], b""
    for name, content in files.items():
        first, n = len(fat), -(-len(content) // CLUSTER)
        fat += [*range(first + 1, first + n), 0xFFFF]
        stem, _, suffix = name.partition(".")
        entries.append(struct.pack("<8s3sB8xHHHHI", stem.ljust(8).encode(), suffix.ljust(3).encode(), 0x20, 0, 0, 0x5A21, first, len(content)))
        data += content.ljust(n * CLUSTER, b"\0")
    table = struct.pack(f"<{len(fat)}H", *fat).ljust(fat_sectors * SECTOR, b"\0")
    image = boot.ljust(510, b"\0") + b"\x55\xaa" + 2 * table + b"".join(entries).ljust(ROOT_ENTRIES * 32, b"\0") + data
    return image.ljust(total * SECTOR, b"\0")


def disk(files):
    """The same as the EFI system partition of a disk with a master boot record."""
    image = fat16(files)
    entry = struct.pack("<B3sB3sII", 0, b"\xff\xff\xff", 0xEF, b"\xff\xff\xff", START, len(image) // SECTOR)
    return (bytes(446) + entry.ljust(64, b"\0") + b"\x55\xaa").ljust(START * SECTOR, b"\0") + image


def main():
    machine, *options = sys.argv[1:]
    where = roots.cache() / "roots/uefi-riscv64"
    firmware = roots.fetch(["--extract", "riscv64", roots.SUITE, where, "qemu-efi-riscv64"], where) / "usr/share/qemu-efi-riscv64"
    root = boot.debian()
    initrd = cpio.initrd([(d, 0o40755, b"") for d in ("bin", "dev", "sys")] + [("init", 0o100755, INIT.encode()),
                         ("bin/busybox", 0o100755, (root / "usr/bin/busybox").read_bytes())])
    files = {"LINUX.EFI": boot.kernel(root).read_bytes(), "INITRD": initrd, "STARTUP.NSH": SCRIPT.encode()}
    with tempfile.TemporaryDirectory() as folder:
        image, variables = pathlib.Path(folder) / "disk", pathlib.Path(folder) / "variables"
        image.write_bytes(disk(files))
        fresh = (firmware / "RISCV_VIRT_VARS.fd").read_bytes()
        variables.write_bytes(fresh)
        command = [machine, "-M", "virt", "-m", "1024", "-nographic", "-no-reboot",
                   "-drive", f"if=pflash,unit=0,file={firmware}/RISCV_VIRT_CODE.fd,format=raw,readonly=on",
                   "-drive", f"if=pflash,unit=1,file={variables},format=raw", "-drive", f"file={image},format=raw", *options]
        r = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=500)
        written = variables.read_bytes() != fresh
    out = r.stdout.replace(b"\r", b"").decode(errors="replace")
    print(out)
    if r.returncode or "firmware of 64 bits" not in out or not written:
        sys.exit(f"exit code {r.returncode}; variables written: {written}\n{r.stderr.decode(errors='replace')}")


if __name__ == "__main__":
    main()
