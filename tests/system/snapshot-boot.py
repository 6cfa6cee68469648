#!/usr/bin/env python3
"""Snapshots of a Debian riscv64 system at work: snapshot-boot.py METIC-SYSTEM [ROUNDS [MACHINE]].

The guest writes and reads its disk round after round, and notes on the disk which round it was. The machine is saved and
put back as often as ROUNDS says (20), each time at another point. After that the guest must go on with the round it was in,
find on the disk what it had written by then, and compute what it always computes. At last another process begins with the
snapshot, and one with the state in a file.
"""

import hashlib
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile
import time

import boot
import qmp

SCRIPT = """insmod /lib/virtio_blk.ko
i=0
echo "round 0" | dd of=/dev/vda bs=512 seek=30000 conv=sync,fsync 2>/dev/null
(while true; do seq 30000 | sort -n | md5sum > /tmp/sum; read sum rest < /tmp/sum; [ $sum = 0a61f0919f546ce04fc119b028b88a2e ] || echo "wrong sum $sum"; done) &
while true; do
    echo 3 > /proc/sys/vm/drop_caches
    mark=$(dd if=/dev/vda bs=512 skip=30000 count=1 2>/dev/null | head -n 1)
    [ "$mark" = "round $i" ] || echo "wrong mark: $mark in round $i"
    i=$((i+1))
    place=$((i % 50))
    seq $((i * 1000 + 100000)) $((i * 1000 + 109000)) | head -c 49152 > /tmp/data
    dd if=/tmp/data of=/dev/vda bs=49152 seek=$place conv=fsync 2>/dev/null
    echo 3 > /proc/sys/vm/drop_caches
    sum=$(dd if=/dev/vda bs=49152 skip=$place count=1 2>/dev/null | md5sum | head -c 32)
    echo "round $i" | dd of=/dev/vda bs=512 seek=30000 conv=sync,fsync 2>/dev/null
    echo "round $i $sum"
done
"""


def right_sum(i):
    data = "".join(f"{n}\n" for n in range(i * 1000 + 100000, i * 1000 + 109001)).encode()
    return hashlib.md5(data[:49152]).hexdigest()


class Guest(qmp.Machine):
    """The machine, and what its system says."""

    def start(self):
        self.text, self.said = b"", []

    def wait_round(self, at_least, seconds=300):
        """The number of the first round reported from now on that is so late; every report is looked at."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.text += self.lines.get(timeout=1)
            except queue.Empty:
                if self.process.poll() is not None:
                    self.fail("it ended")
            *lines, self.text = self.text.replace(b"\r", b"").split(b"\n")
            for i, line in enumerate(lines):
                line = line.decode(errors="replace")
                self.said.append(line)
                words = line.split()
                if "wrong" in line or "panic" in line:
                    self.fail(line)
                if len(words) == 3 and words[0] == "round":
                    if words[2] != right_sum(int(words[1])):
                        self.fail(f"wrong content in {line}")
                    if int(words[1]) >= at_least:
                        self.text = b"\n".join([*lines[i + 1:], self.text])
                        return int(words[1])
        self.fail(f"round {at_least} does not come")

    def forget(self):
        """What was said before a snapshot is loaded; the machine stands still."""
        time.sleep(0.2)
        while not self.lines.empty():
            self.lines.get()
        self.text = b""

    def monitor(self, line):
        return self.command("human-monitor-command", {"command-line": line})

    def must(self, line):
        answer = self.monitor(line)
        if answer:
            self.fail(f"{line}: {answer}")

    def quit(self):
        self.command("quit")
        code, errors = self.end()
        if code or errors:
            self.fail(f"exit code {code} {errors}")

    def fail(self, what):
        sys.exit("\n".join([*self.said[-40:], what]))


def main():
    metic, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    machine = sys.argv[3] if len(sys.argv) > 3 else "virt"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        image, state = folder / "disk.qcow2", folder / "state"
        boot.make_qcow2(image, 32 << 20)
        options = ["-M", machine, "-m", "256", "-smp", "2", *boot.options(SCRIPT, folder), "-drive", f"file={image},if=none,id=disk", "-device", "virtio-blk-pci,drive=disk", "-device",
                   "virtio-rng-pci", "-sandbox", "on"]
        with Guest(metic, *options) as m:
            m.start()
            at = m.wait_round(3)
            for k in range(rounds):
                m.must("savevm here")
                saved = at
                at = m.wait_round(saved + 2 + k % 3)
                m.command("stop")
                m.forget()
                m.must("loadvm here")
                m.command("cont")
                at = m.wait_round(0)
                if at < saved or at > saved + 2:
                    m.fail(f"saved in round {saved}, loaded, then round {at}")
                if k % 2:
                    at = m.wait_round(at + 1)
                print(f"saved in round {saved}, loaded, went on with round {at}", flush=True)
            job = {"job-id": "job", "tag": "other", "vmstate": "disk", "devices": ["disk"]}
            m.command("snapshot-save", job)
            job_state = m.command("query-jobs")[0]
            if job_state["status"] != "concluded" or "error" in job_state:
                m.fail(str(job_state))
            names = [s["name"] for s in m.command("query-block")[0]["inserted"]["image"]["snapshots"]]
            if names != ["here", "other"] or "other" not in m.monitor("info snapshots"):
                m.fail(f"snapshots in the image: {names}")
            at = m.wait_round(at + 1)
            m.command("migrate", {"uri": f"file:{state}"})
            if m.command("query-status")["status"] != "postmigrate" or m.command("query-migrate")["status"] != "completed":
                m.fail("not migrated")
            m.quit()
        for option in (["-incoming", f"file:{state}"], ["-loadvm", "here"]):
            with Guest(metic, *options, *option) as m:
                m.start()
                at = m.wait_round(m.wait_round(0) + 3)
                if any("Linux version" in line or "OpenSBI" in line for line in m.said):
                    m.fail("it has booted anew")
                print(f"{option[0]}: went on to round {at}", flush=True)
                m.must("delvm other" if option[0] == "-incoming" else "delvm here")
                m.quit()
        if shutil.which("qemu-img"):
            subprocess.run(["qemu-img", "check", image], check=True)


if __name__ == "__main__":
    main()
