#!/usr/bin/env python3
"""Debian's riscv64 kernel under QMP: hotplug.py METIC-SYSTEM [OPTION...].

Networks and disks are plugged in and taken out while it runs; it is stopped, reset, rebooted and powered off, and begins again.
Its kernel has no driver for hot-plug slots, so the guest looks for new devices and lets go of old ones by itself.
"""

import pathlib
import resource
import sys
import tempfile
import time

import boot
import qmp

SCRIPT = """for m in virtio_blk failover net_failover virtio_net; do insmod /lib/$m.ko; done
stty -echo
echo "guest is up"
while read line; do eval "$line"; echo "<end>"; done
"""
PCI = "/sys/bus/pci"


def check(condition, *what):
    if not condition:
        raise AssertionError(what)


class Guest:
    def __init__(self, m):
        self.m = m

    def up(self):
        self.m.wait_for("guest is up")

    def run(self, line):
        """What a shell command prints."""
        self.m.type(line + "\n")
        return self.m.wait_for("<end>").replace("\r", "").strip()


def plug_network(m, guest, number):
    m.command("netdev_add", {"type": "user", "id": f"net{number}"})
    m.command("device_add", {"driver": "virtio-net-pci", "id": "nic", "netdev": f"net{number}", "bus": "port1"})
    guest.run(f"echo 1 > {PCI}/rescan")
    said = guest.run("ip link set eth0 up; udhcpc -i eth0 -n -q -s /bin/true 2>&1")
    check("lease of 10.0.2.15 obtained" in said, said)
    m.command("set_link", {"name": "nic", "up": False})
    check(guest.run("sleep 1; cat /sys/class/net/eth0/carrier") == "0")
    m.command("set_link", {"name": f"net{number}", "up": True})
    check(guest.run("sleep 1; cat /sys/class/net/eth0/carrier") == "1")


def plug_disk(m, guest, path, word):
    m.command("blockdev-add", {"driver": "raw", "node-name": "disk", "file": {"driver": "file", "filename": str(path)}})
    m.command("device_add", {"driver": "virtio-blk-pci", "id": "blk", "drive": "disk", "bus": "port2"})
    guest.run(f"echo 1 > {PCI}/rescan")
    check(guest.run("head -c 12 /dev/vda") == "disk content")
    guest.run(f"echo {word} | dd of=/dev/vda bs=4096 seek=1 conv=fsync 2>/dev/null")
    for sectors in (4096, 2048):  # the guest hears of it
        m.command("block_resize", {"node-name": "disk", "size": 512 * sectors})
        check(guest.run(f"i=0; while [ $(cat /sys/block/vda/size) != {sectors} ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; cat /sys/block/vda/size")
              == str(sectors))
    stats = m.command("query-blockstats")[0]
    check(stats["qdev"] == "/machine/peripheral/blk" and stats["stats"]["wr_operations"] and stats["stats"]["flush_operations"], stats)


def refused(m, command, arguments, kind="GenericError"):
    try:
        m.command(command, arguments)
    except qmp.Error as e:
        check(e.kind == kind, command, e)
        return e.text
    raise AssertionError(f"{command} {arguments} was not refused")


def gone(m, device):
    e = m.event("DEVICE_DELETED")
    check(e["data"] == {"device": device, "path": f"/machine/peripheral/{device}"}, e)


def io_error(m, guest):
    """The host's file may not grow: the guest's writes fail, which it and the client are told."""
    _, most = resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, (64 << 10, most))
    said = guest.run("for n in 1 2 3; do dd if=/dev/zero of=/dev/vda bs=4096 seek=100 count=1 oflag=direct; done 2>&1")
    check(said.count("error") >= 3, said)
    resource.prlimit(m.process.pid, resource.RLIMIT_FSIZE, (most, most))
    data = m.event("BLOCK_IO_ERROR")["data"]
    check(data["qom-path"] == "/machine/peripheral/blk" and data["operation"] == "write" and data["node-name"] == "disk", data)
    check(m.command("query-blockstats")[0]["stats"]["failed_wr_operations"] >= 3)


def hot_plug(m, guest, disk):
    for number in range(2):
        word = f"written{number}"
        plug_network(m, guest, number)
        plug_disk(m, guest, disk, word)
        check("in use" in refused(m, "blockdev-del", {"node-name": "disk"}))
        check("in use" in refused(m, "netdev_del", {"id": f"net{number}"}))
        io_error(m, guest)
        # Asked first, then the guest lets go.
        m.command("device_del", {"id": "blk"})
        check("already" in refused(m, "device_del", {"id": "blk"}))
        guest.run(f"echo 1 > {PCI}/devices/0000:02:00.0/remove")
        gone(m, "blk")
        m.command("blockdev-del", {"node-name": "disk"})
        check(disk.read_bytes()[4096:].startswith(word.encode()))
        # The guest has let go before it is asked.
        guest.run(f"echo 1 > {PCI}/devices/0000:01:00.0/remove")
        m.command("device_del", {"id": "nic"})
        gone(m, "nic")
        m.command("netdev_del", {"id": f"net{number}"})
        refused(m, "device_del", {"id": "nic"}, "DeviceNotFound")
    refused(m, "device_add", {"driver": "virtio-rng-pci", "bus": "pcie.0"})
    refused(m, "device_add", {"driver": "virtio-rng-device"})
    refused(m, "device_add", {"driver": "virtio-rng-pci", "bus": "port9"})


def looks(m, guest, folder):
    functions = m.command("query-pci")[0]["devices"]
    check([f["qdev_id"] for f in functions] == ["port1", "port2"] and all("pci_bridge" in f for f in functions), functions)
    human = lambda line: m.command("human-monitor-command", {"command-line": line})  # noqa: E731
    check("rwx" in human("info mem") or "r-x" in human("info mem"))
    check("sp " in human("info registers"))
    check(human("xp/1wx 0x1000").split() == ["0000000000001000:", "0x00000297"])
    address = int(guest.run("grep ' linux_banner$' /proc/kallsyms").split()[0], 16)
    m.command("memsave", {"val": address, "size": 4096, "filename": str(folder / "memory")})
    check((folder / "memory").read_bytes().startswith(b"Linux version"))
    check("Invalid" in refused(m, "memsave", {"val": 16, "size": 4, "filename": str(folder / "memory")}))


def stop_and_go(m, guest):
    before = float(guest.run("cat /proc/uptime").split()[0])
    m.command("stop")
    m.event("STOP")
    check(m.command("query-status") == {"running": False, "status": "paused"})
    time.sleep(3)
    m.command("cont")
    m.event("RESUME")
    after = float(guest.run("cat /proc/uptime").split()[0])
    check(after - before < 2.5, "time has gone on", before, after)


def power_cycle(m, guest):
    m.type("reboot -f\n")
    check(m.event("RESET")["data"] == {"guest": True, "reason": "guest-reset"})
    guest.up()
    m.command("system_reset")
    check(m.event("RESET")["data"] == {"guest": False, "reason": "host-qmp-system-reset"})
    guest.up()
    m.command("system_powerdown")
    m.event("POWERDOWN")
    m.type("poweroff -f\n")
    check(m.event("SHUTDOWN")["data"] == {"guest": True, "reason": "guest-shutdown"})
    m.event("STOP")
    check(m.command("query-status")["status"] == "shutdown")
    refused(m, "cont", {})
    m.command("system_reset")
    m.event("RESET")
    check(m.command("query-status")["status"] == "prelaunch")
    m.command("cont")
    guest.up()
    m.command("set-action", {"shutdown": "poweroff"})
    m.type("poweroff -f\n")
    m.event("SHUTDOWN")
    check(m.end() == (0, ""))


def main():
    machine, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        disk = folder / "disk"
        disk.write_bytes(b"disk content".ljust(1 << 20, b"\0"))
        with qmp.Machine(machine, "-M", "virt", "-m", "512", "-smp", "2", "-no-shutdown", *boot.options(SCRIPT, folder), "-device",
                         "pcie-root-port,id=port1,addr=1,multifunction=on", "-device", "pcie-root-port,id=port2,slot=1,addr=1.1", *options) as m:
            guest = Guest(m)
            guest.up()
            hot_plug(m, guest, disk)
            looks(m, guest, folder)
            stop_and_go(m, guest)
            power_cycle(m, guest)
    print("plugged, stopped, reset and powered off as it should be")


main()
