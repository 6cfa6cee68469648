#!/usr/bin/env python3
"""All that QMP does, at once: everything.py METIC-SYSTEM [ROUNDS [SEED]].

A Debian riscv64 kernel whose processors, disk and network have work. In each of the ROUNDS (20) it is saved and put back while random and
damaged requests come in, 1000 in all; devices are plugged in and out in some rounds, in others it is reset or powered off and begins
again. What the guest computes, finds on its disk and gets from the network must be right all the time.
"""

import hashlib
import importlib
import pathlib
import random
import socket
import sys
import tempfile
import threading

import boot
import monitor
import qmp

snapshot_boot = importlib.import_module("snapshot-boot")
DATA = random.Random(1).randbytes(200_000)
REQUESTS = 1000
# The network is asked again and again, lines from the serial line are done: both beside the work on the disk.
BESIDE = """for m in failover net_failover virtio_net; do insmod /lib/$m.ko; done
stty -F /dev/ttyS0 -echo
(while read -r line; do eval "$line"; done < /dev/ttyS0) &
ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
(n=0
while true; do
    sum=$(nc -w 20 10.0.2.2 {port} < /dev/null | md5sum | head -c 32)
    case $sum in {sum}) n=$((n+1)); echo "net $n";; d41d8cd98f00b204e9800998ecf8427e) sleep 1;; *) echo "cut $sum"; sleep 1;; esac
done) &
"""
# What would take the machine from under the test, or a port that it needs.
LEFT_OUT = {"system_reset", "snapshot-load", "snapshot-delete", "loadvm", "delvm", "device_add", "device_del", "set_link"}


class Guest(snapshot_boot.Guest):
    def net(self, seconds=120):
        """Data come whole from now on."""
        self.wait_line(lambda line: line.startswith("net "), seconds)

    def wait_line(self, wanted, seconds=120):
        end = snapshot_boot.time.monotonic() + seconds
        seen = len(self.said)
        while snapshot_boot.time.monotonic() < end:
            self.wait_round(0)
            if any(wanted(line) for line in self.said[seen:]):
                return
        self.fail("what is waited for does not come")

    def begin(self):
        self.forget()
        self.start()
        return self.wait_round(2)


def serve(server):
    while True:
        s, _ = server.accept()
        try:
            s.settimeout(20)
            s.sendall(DATA)
        except OSError:
            pass
        s.close()


def plug(m, folder, number):
    """A network and a disk come and go."""
    (folder / "more").write_bytes(f"more{number}".encode().ljust(1 << 20, b"\0"))
    m.command("netdev_add", {"type": "user", "id": "net2"})
    m.command("device_add", {"driver": "virtio-net-pci", "id": "nic2", "netdev": "net2", "bus": "port1"})
    m.command("blockdev-add", {"driver": "raw", "node-name": "more", "file": {"driver": "file", "filename": str(folder / "more")}})
    m.command("device_add", {"driver": "virtio-blk-pci", "id": "blk2", "drive": "more", "bus": "port2"})
    if not m.monitor("loadvm here").startswith("Error: "):
        m.fail("a snapshot of another machine has been loaded")
    m.type(f'echo 1 > /sys/bus/pci/rescan; ls /sys/class/net | grep -q eth1 && [ "$(head -c {len("more") + len(str(number))} /dev/vdb)" = more{number} ] && '
           f'echo "plugged {number}"\n')
    m.wait_line(lambda line: line == f"plugged {number}")
    for device, back_end in (("nic2", ("netdev_del", {"id": "net2"})), ("blk2", ("blockdev-del", {"node-name": "more"}))):
        m.command("device_del", {"id": device})
        address = "0000:01:00.0" if device == "nic2" else "0000:02:00.0"
        m.type(f"echo 1 > /sys/bus/pci/devices/{address}/remove\n")
        while m.event("DEVICE_DELETED")["data"].get("device") != device:
            pass
        m.command(*back_end)


def power(m, k):
    """Begins again in one of three ways."""
    if k % 3 == 0:
        m.command("system_reset")
        m.event("RESET")
    elif k % 3 == 1:
        m.type("reboot -f\n")
        m.event("RESET")
    else:
        m.type("poweroff -f\n")
        m.event("SHUTDOWN")
        m.command("system_reset")
        m.command("cont")
    return m.begin()


def settle(m):
    """What random requests may have changed, as it was."""
    if m.command("query-status")["status"] != "running":
        m.command("cont")


def rounds_of(m, folder, rounds, rng):
    counts, at = {}, m.wait_round(3)
    for k in range(rounds):
        m.must("savevm here")
        saved = at
        for name, n in monitor.storm(m.qmp, rng, -(-REQUESTS // rounds), LEFT_OUT).items():
            counts[name] = counts.get(name, 0) + n
        settle(m)
        at = m.wait_round(saved + 1)
        if k % 4 == 1:
            plug(m, folder, k)
        m.command("stop")
        m.forget()
        m.must("loadvm here")
        m.command("cont")
        at = m.wait_round(0)
        if not saved <= at <= saved + 2:
            m.fail(f"saved in round {saved}, loaded, then round {at}")
        m.net()
        at = power(m, k // 4) if k % 4 == 3 else m.wait_round(0)
        print(f"round {k + 1}: the guest is in its round {at}", flush=True)
    return counts


def main():
    machine, *rest = sys.argv[1:]
    rounds, seed = int(rest[0]) if rest else 20, int(rest[1]) if rest[1:] else random.randrange(1 << 32)
    print("seed", seed)
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=[server], daemon=True).start()
    beside = BESIDE.format(port=server.getsockname()[1], sum=hashlib.md5(DATA).hexdigest())
    with tempfile.TemporaryDirectory(prefix="metic-everything-") as name:
        folder = pathlib.Path(name)
        start = boot.options(snapshot_boot.SCRIPT.replace("i=0\n", beside + "i=0\n", 1), folder)
        boot.make_qcow2(folder / "disk.qcow2", 32 << 20)
        with Guest(machine, "-M", "virt", "-m", "256", "-smp", "2", "-no-shutdown", *start, "-drive", f"file={folder}/disk.qcow2,if=none,id=disk", "-device",
                   "virtio-blk-pci,drive=disk", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net", "-device",
                   "pcie-root-port,id=port1", "-device", "pcie-root-port,id=port2,slot=1") as m:
            m.start()
            counts = rounds_of(m, folder, rounds, random.Random(seed))
            m.command("set-action", {"shutdown": "poweroff"})
            m.quit()
    print("answers:", counts)


if __name__ == "__main__":
    try:
        main()
    except qmp.Error as e:
        sys.exit(f"not expected: {e}")
