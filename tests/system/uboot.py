#!/usr/bin/env python3
"""Runs Debian's U-Boot for the virt machine: uboot.py METIC-SYSTEM [OPTION...].

As OpenSBI's payload by -kernel it comes to its prompt, finds the flash, programs bank 1, and powers off. Then the content
of that bank's drive is looked at.
"""

import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import roots  # noqa: E402

PROMPT = b"=> "
COMMANDS = ["protect off all", "erase 22000000 +40000", "mw.l 84000000 12345678 40", "cp.b 84000000 22000000 100",
            "cmp.b 84000000 22000000 100", "poweroff"]


def talk(command):
    """What the machine says; a command is typed at each prompt. Its exit code."""
    p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out, seen, typed, begin = b"", 0, 0, time.monotonic()
    try:
        while data := p.stdout.read1(4096):
            out += data
            if b"Hit any key" in out and not typed:
                p.stdin.write(b"\r")
                typed = 1
            while PROMPT in out[seen:] and typed <= len(COMMANDS):
                seen = out.index(PROMPT, seen) + len(PROMPT)
                p.stdin.write(COMMANDS[typed - 1].encode() + b"\r")
                typed += 1
            p.stdin.flush()
            if time.monotonic() - begin > 240:
                break
    finally:
        if p.poll() is None:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
    return out.decode(errors="replace"), p.wait()


def main():
    machine, *options = sys.argv[1:]
    where = roots.cache() / "roots/uboot-riscv64"
    uboot = roots.fetch(["--extract", "riscv64", roots.SUITE, where, "u-boot-qemu"], where) / "usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"
    with tempfile.TemporaryDirectory() as folder:
        disk = pathlib.Path(folder) / "disk"
        disk.write_bytes(bytes(1 << 20))
        out, end = talk([machine, "-M", "virt", "-m", "256", "-nographic", "-no-reboot", "-kernel", uboot,
                         "-drive", f"if=pflash,unit=1,file={disk},format=raw", *options])
        content = disk.read_bytes()
    print(out)
    missing = [w for w in ("Model: riscv-virtio", "Flash: ", "256 byte(s) were the same") if w not in out]
    if end or missing or content[:0x100] != bytes.fromhex("78563412") * 64 or set(content[0x100:0x40000]) != {255}:
        sys.exit(f"exit code {end}; not in the output: {missing}; bank 1 begins with {content[:16]}")


if __name__ == "__main__":
    main()
