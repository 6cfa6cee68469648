#!/usr/bin/env python3
"""Counted time: count-boot.py METIC-SYSTEM. Debian's riscv64 kernel to a shell, some work there and power-off: two runs say the same to the byte, the
kernel's time stamps and counts of interrupts among it, with one processor, two and four."""

import subprocess
import sys
import tempfile

import boot

SCRIPT = """echo "processors $(nproc)"
(for n in 1 2 3 4; do seq 2000 | sort -n | md5sum & done; wait)
date
sleep 3
cat /proc/interrupts /proc/stat
poweroff -f
"""


def main():
    machine = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        start = boot.options(SCRIPT, folder, "console=ttyS0")
        for processors in "1", "2", "4":
            command = [machine, "-M", "virt", "-m", "256", "-smp", processors, "-nographic", "-no-reboot", *start, "-icount", "shift=4,sleep=off", "-rtc", "base=2026-01-02T03:04:05,clock=vm"]
            said = [subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=300) for _ in range(2)]
            text = said[0].stdout.decode(errors="replace")
            if said[0].returncode or f"processors {processors}" not in text or "2026-01-02T03:04" not in text or "Power down" not in text:
                sys.exit(f"{processors} processors: exit code {said[0].returncode}\n{text}{said[0].stderr.decode()}")
            lines = [r.stdout.split(b"\n") for r in said]
            for a, b in zip(*lines):
                if a != b:
                    sys.exit(f"{processors} processors: two runs differ:\n{a}\n{b}")
            if said[0].stdout != said[1].stdout:
                sys.exit(f"{processors} processors: one run says more than the other")
            print(f"{processors} processors: {len(lines[0])} lines, the same")


main()
