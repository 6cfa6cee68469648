#!/usr/bin/env python3
"""Starts a machine from its flash: flash.py METIC-SYSTEM. Without firmware the code in bank 0 runs first, in machine mode."""

import pathlib
import struct
import subprocess
import sys
import tempfile

CODE = struct.pack("<8I",
                   0x100003B7,  # lui t2, 0x10000: the UART
                   0x04600E13,  # li t3, 'F'
                   0x01C38023,  # sb t3, 0(t2)
                   0x001002B7,  # lui t0, 0x100: the test device
                   0x00005337,  # lui t1, 5
                   0x55530313,  # addi t1, t1, 0x555
                   0x0062A023,  # sw t1, 0(t0): power off
                   0x0000006F)  # j .

with tempfile.TemporaryDirectory() as folder:
    image = pathlib.Path(folder) / "flash"
    image.write_bytes(CODE.ljust(4096, b"\xff"))
    drive = f"if=pflash,file={image},format=raw,unit="
    command = [sys.argv[1], "-M", "virt", "-nographic", "-bios", "none"]
    r = subprocess.run([*command, "-drive", drive + "0,readonly=on"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    wrong = subprocess.run([*command, "-drive", drive + "2"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
if r.returncode or r.stdout != b"F" or wrong.returncode != 1 or b"unit is 0 or 1" not in wrong.stderr:
    sys.exit(f"exit code {r.returncode}, {r.stdout + r.stderr}; unit 2: {wrong.returncode}, {wrong.stderr}")
