#!/usr/bin/env python3
"""Snapshots of a Debian riscv64 system at work: snapshot-boot.py METIC-SYSTEM [ROUNDS].

The guest writes and reads its disk round after round, and notes on the disk which round it was. The machine is saved and
put back as often as ROUNDS says (20), each time at another point. After that the guest must go on with the round it was in,
find on the disk what it had written by then, and compute what it always computes. At last another process begins with the
snapshot, and one with the state in a file.
"""

import hashlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import boot  # noqa: E402
import roots  # noqa: E402

SCRIPT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t devtmpfs none /dev
insmod /lib/virtio_blk.ko
i=0
echo "round 0" | dd of=/dev/vda bs=512 seek=30000 conv=sync,fsync 2>/dev/null
(while true; do seq 30000 | sort -n | md5sum > /tmp/sum; read sum rest < /tmp/sum; [ $sum = 0a61f0919f546ce04fc119b028b88a2e ] || echo "wrong sum $sum"; done) &
while true; do
    echo 3 > /proc/sys/vm/drop_caches
    mark=$(dd if=/dev/vda bs=512 skip=30000 count=1 2>/dev/null | head -n 1)
    [ "$mark" = "round $i" ] || echo "wrong mark: $mark in round $i"
    i=$((i+1))
    place=$((i % 50))
    seq $((i * 1000)) $((i * 1000 + 9000)) | head -c 49152 > /tmp/data
    dd if=/tmp/data of=/dev/vda bs=49152 seek=$place conv=fsync 2>/dev/null
    echo 3 > /proc/sys/vm/drop_caches
    sum=$(dd if=/dev/vda bs=49152 skip=$place count=1 2>/dev/null | md5sum | head -c 32)
    echo "round $i" | dd of=/dev/vda bs=512 seek=30000 conv=sync,fsync 2>/dev/null
    echo "round $i $sum"
done
"""


def right_sum(i):
    data = "".join(f"{n}\n" for n in range(i * 1000, i * 1000 + 9001)).encode()
    return hashlib.md5(data[:49152]).hexdigest()


class Machine:
    """A running metic-system: its terminal's lines, and its monitor."""

    def __init__(self, command, folder):
        self.path = folder / "qmp"
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen([*command, "-qmp", f"unix:{self.path},server=on,wait=off"], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text, self.said = b"", []
        self.socket = None

    def connect(self):
        for _ in range(600):
            try:
                s = socket.socket(socket.AF_UNIX)
                s.connect(str(self.path))
                break
            except OSError:
                time.sleep(0.05)
        self.socket = s.makefile("rwb")
        json.loads(self.socket.readline())
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        if not self.socket:
            self.connect()
        self.socket.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self.socket.flush()
        while True:
            answer = json.loads(self.socket.readline())
            if "event" not in answer:
                return answer

    def monitor(self, line):
        answer = self.execute("human-monitor-command", **{"command-line": line})
        return answer["return"]

    def read(self):
        """The whole lines that have come."""
        self.text += self.process.stdout.read() or b""
        *lines, self.text = self.text.replace(b"\r", b"").split(b"\n")
        new = [line.decode(errors="replace") for line in lines]
        self.said += new
        return new

    def wait_round(self, at_least, seconds=300):
        """The number of the first round reported from now on that is so late; every report is looked at."""
        end = time.time() + seconds
        while time.time() < end:
            for line in self.read():
                if "wrong" in line:
                    fail(self, line)
                words = line.split()
                if len(words) == 3 and words[0] == "round":
                    number = int(words[1])
                    if words[2] != right_sum(number):
                        fail(self, f"wrong content in {line}")
                    if number >= at_least:
                        return number
            if self.process.poll() is not None:
                fail(self, "it ended")
            time.sleep(0.02)
        fail(self, f"round {at_least} does not come")

    def forget(self):
        """What was said before a snapshot was loaded."""
        self.read()
        self.text = b""

    def end(self):
        self.execute("quit")
        if self.process.wait(60):
            fail(self, "exit code")


def fail(machine, what):
    machine.process.kill()
    sys.exit("\n".join([*machine.said[-40:], what]))


def must(answer):
    if answer:
        sys.exit(answer)


def main():
    metic, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    root = roots.root("riscv64", "kernel", ["linux-image-riscv64", "busybox-static"])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        image, ram, state = folder / "disk.qcow2", folder / "initrd", folder / "state"
        ram.write_bytes(boot.initrd(root, SCRIPT))
        boot.make_qcow2(image, 32 << 20)
        command = [metic, "-M", "virt", "-m", "256", "-smp", "2", "-display", "none", "-serial", "stdio", "-monitor", "none", "-kernel",
                   next(root.glob("boot/vmlinu*")), "-initrd", ram, "-append", "console=ttyS0 quiet", "-drive",
                   f"file={image},if=none,id=disk", "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-rng-pci"]
        m = Machine(command, folder)
        at = m.wait_round(3)
        for k in range(rounds):
            must(m.monitor("savevm here"))
            m.read()
            saved = at
            at = m.wait_round(saved + 2 + k % 3)
            must(m.execute("stop").get("error"))
            time.sleep(0.1)
            m.forget()
            must(m.monitor("loadvm here"))
            must(m.execute("cont").get("error"))
            at = m.wait_round(0)
            if at < saved or at > saved + 2:
                fail(m, f"saved in round {saved}, loaded, then round {at}")
            if k % 2:
                at = m.wait_round(at + 1)
            print(f"saved in round {saved}, loaded, went on with round {at}")
        if "here" not in m.monitor("info snapshots"):
            fail(m, "no snapshot in the list")
        must(m.execute("migrate", uri=f"file:{state}").get("error"))
        m.end()
        for option in (["-incoming", f"file:{state}"], ["-loadvm", "here"]):
            m = Machine([*command, *option], folder)
            at = m.wait_round(0)
            at = m.wait_round(at + 3)
            if any("Linux version" in line for line in m.said):
                fail(m, "it has booted anew")
            print(f"{option[0]}: went on to round {at}")
            if option[0] == "-loadvm":
                must(m.monitor("delvm here"))
            m.end()


if __name__ == "__main__":
    main()
