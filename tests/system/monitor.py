#!/usr/bin/env python3
"""QMP and the human monitor on a machine without a guest: monitor.py METIC-SYSTEM [ROUNDS [METIC-IMG]].

The protocol's rules; its commands; then random requests (1000 of them), made from what query-qmp-schema says and damaged on the way:
the machine must answer each in the right form and live.
"""

import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import qmp

BARE = ["-M", "virt", "-m", "16", "-bios", "none"]
CLASSES = {"GenericError", "CommandNotFound", "DeviceNotFound", "DeviceNotActive", "KVMMissingCap"}


def check(condition, *what):
    if not condition:
        raise AssertionError(what)


def error(client, raw, kind, text, more=1):
    """Sends bytes; `more` answers must come, the last being this error."""
    client.send(raw)
    for _ in range(more):
        answer = client.answer()
    check(answer.get("error", {}).get("class") == kind and text in answer["error"]["desc"], raw, answer)
    return answer


def protocol(machine):
    with qmp.Machine(machine, *BARE, "-S", negotiate=False) as m:
        c = m.qmp
        check(c.greeting["QMP"]["capabilities"] == [] and "metic" in c.greeting["QMP"]["version"]["package"])
        error(c, b'{"execute":"query-status"}', "CommandNotFound", "qmp_capabilities")
        error(c, b'{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}', "GenericError", "not offered")
        check(m.command("qmp_capabilities") == {})
        error(c, b'{"execute":"qmp_capabilities"}', "CommandNotFound", "already complete")
        c.send(b'{"execute":"query-st')
        c.send(b'atus","id":{"a":[1,null]}}{"execute":"query-name","id":2}')
        check(c.answer() == {"return": {"running": False, "status": "prelaunch"}, "id": {"a": [1, None]}})
        check(c.answer() == {"return": {}, "id": 2})
        error(c, b'[]', "GenericError", "must be a JSON object")
        check(error(c, b'{"execute":"none","id":"x"}', "CommandNotFound", "none")["id"] == "x")
        error(c, b'{"execute":5}', "GenericError", "must be a string")
        error(c, b'{"id":1}', "GenericError", "lacks")
        error(c, b'{"execute":"stop","argument":{}}', "GenericError", "unexpected")
        error(c, b'{"execute":"stop","arguments":[]}', "GenericError", "must be an object")
        error(c, b'{"exec-oob":"stop"}', "GenericError", "out-of-band")
        c.send(b'{"execute": "sto\xff{"execute":"query-status"}')
        check("parse error" in c.answer()["error"]["desc"])
        check("return" in c.answer())
        c.close()
        m.qmp = c = qmp.Client(pathlib.Path(m.folder.name) / "qmp")  # a new client negotiates again
        error(c, b'{"execute":"query-status"}', "CommandNotFound", "qmp_capabilities")
        c.command("qmp_capabilities")
        c.command("quit")
        check(c.event("SHUTDOWN")["data"] == {"guest": False, "reason": "host-qmp-quit"})
        check(m.end() == (0, ""))


def commands(machine):
    uuid = "00112233-4455-6677-8899-aabbccddeeff"
    with qmp.Machine(machine, *BARE, "-S", "-name", "guest=box", "-uuid", uuid, "-smp", "2", "-device", "pcie-root-port,id=p",
                     "-chardev", "ringbuf,id=ring") as m:
        folder = pathlib.Path(m.folder.name)
        check(m.command("query-name") == {"name": "box"} and m.command("query-uuid") == {"UUID": uuid})
        check([c["cpu-index"] for c in m.command("query-cpus-fast")] == [0, 1])
        check(all(os.path.exists(f"/proc/{m.process.pid}/task/{c['thread-id']}") for c in m.command("query-cpus-fast")))
        check(m.command("query-memory-size-summary") == {"base-memory": 16 << 20, "plugged-memory": 0})
        check(m.command("query-target") == {"arch": "riscv64"} and m.command("query-kvm") == {"enabled": False, "present": False})
        check("virt" in [x["name"] for x in m.command("query-machines")])
        check("virtio-blk-pci" in [x["name"] for x in m.command("qom-list-types", {"implements": "device"})])
        check({"mac", "netdev"} <= {x["name"] for x in m.command("device-list-properties", {"typename": "virtio-net-pci"})})
        names = {c["name"] for c in m.command("query-commands")}
        schema = m.command("query-qmp-schema")
        check(names == {s["name"] for s in schema if s["meta-type"] == "command"})
        check({e["name"] for e in m.command("query-events")} == {s["name"] for s in schema if s["meta-type"] == "event"})
        for refused in "query-hotpluggable-cpus", "inject-nmi", "system_wakeup":
            try:
                m.command(refused)
                check(False, refused)
            except qmp.Error as e:
                check(e.kind == "GenericError")
        # Devices before the machine starts come and go at once.
        m.command("device_add", {"driver": "virtio-rng-pci", "id": "r", "addr": "5.0"})
        check(m.command("qom-get", {"path": "/machine/peripheral/r", "property": "type"}) == "virtio-rng-pci")
        m.command("device_del", {"id": "/machine/peripheral/r"})
        check(m.event("DEVICE_DELETED")["data"]["device"] == "r")
        # Memory and the human monitor.
        m.command("pmemsave", {"val": 0x1000, "size": 8, "filename": str(folder / "memory")})
        check((folder / "memory").read_bytes() == bytes.fromhex("9702000013868202"))
        human = lambda line: m.command("human-monitor-command", {"command-line": line})  # noqa: E731
        check(human("print/x (2+3)*0x10") == "0x50\n" and human("print 1/0").startswith("division by zero"))
        code = human("xp/3i 0x1000")
        check(code.count("\n") == 3 and "auipc" in code or "capstone lacks" in code, code)
        check("usage" in human("device_del") and "unknown command" in human("nonsense") and "RISC" not in human("info version"))
        for line in human("info").splitlines():
            check(not human(line.split(" -- ")[0]).startswith("Error") or "snapshots" in line, line)  # there is no disk
        check(human("info status") == "VM status: paused (prelaunch)\n" and human("c") == "" and human("info status") == "VM status: running\n")
        check(human("netdev_add user,id=n") == "" and "n: used by no device" in human("info network") and human("netdev_del n") == "")
        # Character devices.
        m.command("chardev-add", {"id": "s", "backend": {"type": "socket", "data": {"addr": {"type": "unix", "data": {
            "path": str(folder / "sock")}}}}})
        check("pty" in m.command("chardev-add", {"id": "t", "backend": {"type": "pty", "data": {}}}))
        check({"s", "t", "ring"} <= {c["label"] for c in m.command("query-chardev")})
        m.command("device_add", {"driver": "virtio-serial-pci", "id": "con", "chardev": "s", "bus": "p"}) \
            if "virtio-serial-pci" in [x["name"] for x in m.command("qom-list-types")] else None
        m.command("chardev-remove", {"id": "t"})
        check(m.command("ringbuf-read", {"device": "ring", "size": 10}) == "")
        m.command("quit")
        check(m.end() == (0, ""))


def sizes(machine):
    """block_resize, and the commands that answer with nothing."""
    with tempfile.TemporaryDirectory() as folder:
        disks = [pathlib.Path(folder) / name for name in ("raw", "flash")]
        for d in disks:
            d.write_bytes(b"x" * 1024)
        with qmp.Machine(machine, *BARE, "-S", "-drive", f"file={disks[0]},format=raw,id=a", "-drive",
                         f"file={disks[1]},format=raw,if=pflash,id=f") as m:

            def refused(text, **arguments):
                try:
                    m.command("block_resize", arguments)
                    check(False, arguments)
                except qmp.Error as e:
                    check(e.kind == "GenericError" and text in e.text, e)

            m.command("block_resize", {"device": "a", "size": 4096})
            check(m.command("query-block")[0]["inserted"]["image"]["virtual-size"] == 4096 and disks[0].read_bytes() == (b"x" * 1024).ljust(4096, b"\0"))
            m.command("human-monitor-command", {"command-line": "block_resize a 512"})
            check(disks[0].stat().st_size == 512)
            refused("whole sectors", **{"node-name": "a", "size": 100})
            refused("whole sectors", device="a", size=-512)
            refused("Cannot find device='b'", device="b", size=512)
            refused("Cannot find", size=512)
            refused("cannot change its size", device="f", size=512)
            for empty in "query-block-jobs", "query-migrate-capabilities", "query-memory-devices":
                check(m.command(empty) == [])
            options = {o["option"] for o in m.command("query-command-line-options")}
            check({"device", "drive", "smp", "rtc"} <= options)
            check(m.command("query-command-line-options", {"option": "smp"}) == [{"option": "smp", "parameters": []}])
            m.command("quit")
            check(m.end() == (0, ""))


def nodes(machine, img):
    """-blockdev and blockdev-add: formats over files, described at once or one after the other, and files alone."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        image, raw = folder / "a, b.qcow2", folder / "raw"
        raw.write_bytes(b"y" * 2048)
        subprocess.run([img, "create", "-f", "qcow2", image, "1M"], check=True)
        doubled = str(image).replace(",", ",,")
        options = ["-blockdev", f"driver=file,filename={doubled},node-name=file0", "-blockdev", "driver=qcow2,file=file0,node-name=disk0,cache.no-flush=on",
                   "-blockdev", json.dumps({"driver": "raw", "node-name": "disk1", "read-only": True, "file": {"driver": "file", "filename": str(raw)}}),
                   "-device", "virtio-blk-pci,drive=disk0,id=d0", "-device", "virtio-blk-pci,drive=disk1", "-device", "pcie-root-port,id=p"]
        with qmp.Machine(machine, *BARE, "-S", *options) as m:
            disks = {b["device"]: b["inserted"] for b in m.command("query-block")}
            check(disks["disk0"]["drv"] == "qcow2" and disks["disk0"]["file"] == str(image) and disks["disk0"]["cache"]["no-flush"], disks)
            check(disks["disk1"]["drv"] == "raw" and disks["disk1"]["ro"] and disks["disk1"]["image"]["virtual-size"] == 2048, disks)

            def refused(text, command, **arguments):
                try:
                    m.command(command, {k.replace("_", "-"): v for k, v in arguments.items()})
                    check(False, command, arguments)
                except qmp.Error as e:
                    check(text in e.text, e)

            refused("in use by the node disk0", "blockdev-del", node_name="file0")
            refused("in use", "blockdev-add", driver="raw", node_name="x", file="file0")
            refused("already", "blockdev-add", driver="file", node_name="file0", filename=str(raw))
            refused("Failed to find node", "blockdev-del", node_name="nothing")
            refused("in use", "device_add", driver="virtio-blk-pci", drive="file0")
            refused("Cannot find", "blockdev-add", driver="raw", node_name="x", file="nothing")
            other = folder / "other"
            other.write_bytes(bytes(4096))
            m.command("blockdev-add", {"driver": "file", "node-name": "file1", "filename": str(other), "read-only": True})
            refused("read-only", "blockdev-add", driver="raw", node_name="x", file="file1")
            m.command("device_add", {"driver": "virtio-blk-pci", "id": "d2", "drive": "file1"})
            check([b["inserted"]["ro"] for b in m.command("query-block") if b["device"] == "file1"] == [True])
            refused("in use", "blockdev-del", node_name="file1")
            third, fourth = folder / "third", folder / "fourth"
            for number, path in (2, third), (3, fourth):  # a name that is used again says nothing about the file it was over before
                path.write_bytes(bytes(512))
                m.command("blockdev-add", {"driver": "file", "node-name": f"file{number}", "filename": str(path)})
                m.command("blockdev-add", {"driver": "raw", "node-name": "again", "file": f"file{number}"})
                if number == 2:
                    m.command("blockdev-del", {"node-name": "again"})
            m.command("blockdev-del", {"node-name": "file2"})
            refused("in use by the node again", "blockdev-del", node_name="file3")
            for device, names in (("d2", ["file1"]), ("d0", ["disk0", "file0"])):
                m.command("device_del", {"id": device})
                check(m.event("DEVICE_DELETED")["data"]["device"] == device)
                for name in names:
                    m.command("blockdev-del", {"node-name": name})
            m.command("quit")
            check(m.end() == (0, ""))
        subprocess.run([img, "create", "-f", "qcow2", "-b", image, folder / "over"], check=True)
        over = {"driver": "qcow2", "node-name": "x", "file": {"driver": "file", "filename": str(folder / "over")}}
        for option, text in (("driver=qcow2,file=x,node-name=y", "nor node-name='x'"), (f"driver=raw,file.filename={raw}", "node-name"),
                             ("driver=vdi,node-name=x", "file, raw or qcow2"), (f"driver=file,node-name=x,filename={raw},mode=2", "no part mode"),
                             ("driver=raw,node-name=x", "lies in a file"), ("driver=file,node-name=x,filename=/nothing", "No such file"),
                             ('{"driver":', "JSON"), (f"driver=qcow2,node-name=x,file.filename={doubled},backing=y", "leave backing=y out"),
                             (json.dumps({**over, "backing": None}), "has the backing file")):
            r = subprocess.run([machine, *BARE, "-S", "-display", "none", "-blockdev", option], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            check(r.returncode == 1 and text in r.stderr and r.stderr.count("\n") == 1, option, r)


def file_nodes(machine):
    """What a file's node says is true of the disk that lies in it."""
    with tempfile.TemporaryDirectory() as name:
        sleep, plain = pathlib.Path(name) / "sleep", pathlib.Path(name) / "plain"
        shutil.copy(shutil.which("sleep"), sleep)
        os.truncate(sleep, sleep.stat().st_size + 511 & -512)
        plain.write_bytes(bytes(512))
        with subprocess.Popen([sleep, "1000"]) as running:  # its file cannot be written meanwhile, not by root either
            options = []
            for node, path in ("a", sleep), ("b", plain):
                options += ["-blockdev", f"driver=file,node-name={node},filename={path},auto-read-only=on,cache.no-flush=on", "-device", f"virtio-blk-pci,drive={node}"]
            with qmp.Machine(machine, *BARE, "-S", *options) as m:
                disks = [b["inserted"] for b in m.command("query-block")]
                check([(d["node-name"], d["ro"], d["cache"]["no-flush"]) for d in disks] == [("a", True, True), ("b", False, True)], disks)
            options = ["-blockdev", f"driver=raw,node-name=a,file.driver=file,file.filename={sleep},file.auto-read-only=on"]
            r = subprocess.run([machine, *BARE, "-S", "-display", "none", *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            check(r.returncode == 1 and "read-only=on, too" in r.stderr, r)
            with qmp.Machine(machine, *BARE, "-S", "-blockdev", options[1] + ",auto-read-only=on") as m:
                check(m.command("query-named-block-nodes")[0]["ro"], "it can be written")
            running.kill()


def managed(machine, img):
    """A command line as programs that manage machines write it."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([img, "create", "-f", "qcow2", folder / "disk", "1M"], check=True)
        options = ["-name", "guest=box,debug-threads=on", "-S", "-machine", "virt,usb=off,dump-guest-core=off,memory-backend=ram,acpi=off", "-accel", "tcg",
                   "-cpu", "rv64", "-m", "size=32768k", "-object", '{"qom-type":"memory-backend-ram","id":"ram","size":33554432}', "-overcommit", "mem-lock=off",
                   "-smp", "2,sockets=1,cores=2,threads=1", "-uuid", "00112233-4455-6677-8899-aabbccddeeff", "-no-user-config", "-nodefaults", "-chardev",
                   f"socket,id=charmonitor,path={folder}/mon,server=on,wait=off", "-mon", "chardev=charmonitor,id=monitor,mode=control", "-rtc", "base=utc",
                   "-no-shutdown", "-boot", "strict=on", "-device",
                   '{"driver":"pcie-root-port","port":8,"chassis":1,"id":"pci.1","bus":"pcie.0","multifunction":true,"addr":"0x1"}', "-device",
                   '{"driver":"pcie-root-port","port":9,"chassis":2,"id":"pci.2","bus":"pcie.0","addr":"0x1.0x1"}', "-blockdev",
                   json.dumps({"driver": "file", "filename": f"{folder}/disk", "node-name": "storage", "auto-read-only": True, "discard": "unmap"}), "-blockdev",
                   '{"node-name":"format","read-only":false,"driver":"qcow2","file":"storage","backing":null}', "-device",
                   '{"driver":"virtio-blk-pci","bus":"pci.2","addr":"0x0","drive":"format","id":"virtio-disk0"}', "-netdev", '{"type":"user","id":"hostnet0"}',
                   "-device", '{"driver":"virtio-net-pci","netdev":"hostnet0","id":"net0","mac":"52:54:00:12:34:56","bus":"pci.1","addr":"0x0"}', "-audiodev",
                   '{"id":"audio1","driver":"none"}', "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "-msg", "timestamp=on"]
        with qmp.Machine(machine, "-bios", "none", *options) as m:
            check(m.command("query-name") == {"name": "box"} and len(m.command("query-cpus-fast")) == 2)
            check(m.command("query-memory-size-summary")["base-memory"] == 32 << 20)
            check([(d["slot"], d["function"]) for d in m.command("query-pci")[0]["devices"]] == [(1, 0), (1, 1)])
            check([b["inserted"]["drv"] for b in m.command("query-block")] == ["qcow2"])
            c = qmp.Client(folder / "mon")
            c.command("qmp_capabilities")
            c.command("quit")
            check(m.end() == (0, ""))
        for option, text in ((["-smp", "4,sockets=3"], "sockets="), (["-object", "memory-backend-ram,id=r,size=1M"], "what -m says"), (["-boot", "order=c"], "strict=on"),
                             (["-overcommit", "mem-lock=on"], "mem-lock=off"), (["-M", "virt,usb=on"], "usb"), (["-smp", "2,maxcpus=4"], "number of processors"),
                             (["-device", '{"driver":}'], "-device: JSON"), (["-audiodev", "alsa,id=x"], "none,id="),
                             (["-accel", "tcg,thread=multi", "-icount", "3"], "take turns"), (["-accel", "tcg,tb-size=64"], "thread="),
                             (["-accel", "tcg,thread=single", "-smp", "2"], "-icount"), (["-tier", "hot", "-icount", "3"], "quickly"),
                             (["-M", "virt,memory-backend=r"], "names no -object"), (["-M", "virt,dump-guest-core=x"], "on or off"), (["-msg", "x"], "timestamp="),
                             (["-object", "memory-backend-ram,id=r,size=128M", "-object", "memory-backend-ram,id=s,size=128M"], "once"),
                             (["-serial", "null", "-serial", "null"], "given already"), (["-monitor", "null", "-monitor", "null"], "by -mon"),
                             (["-gdb", "none", "-s"], "given already"), (["-loadvm", "x", "-incoming", "defer"], "each say"),
                             (["-snapshot", "-blockdev", f"driver=file,node-name=f,filename={folder}/disk"], "not -blockdev"),
                             (["-device", "pcie-root-port,multifunction=x"], "multifunction is"), (["-rtc", "base=2026-02-30"], "a date")):
            r = subprocess.run([machine, *BARE, "-S", "-display", "none", *option], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            check(r.returncode == 1 and text in r.stderr and r.stderr.count("\n") == 1, option, r)
        for value, begin in (("on", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z metic: "), ("off", "metic: ")):
            r = subprocess.run([machine, "-msg", f"timestamp={value}", "-cpu", "x"], capture_output=True, text=True, timeout=60)
            check(re.match(begin, r.stderr), r)
        for value, dumped in ("on", True), ("off", False):
            with qmp.Machine(machine, *BARE, "-S", "-m", "33", "-M", f"virt,dump-guest-core={value}") as m:
                smaps = pathlib.Path(f"/proc/{m.process.pid}/smaps").read_text()
                left_out = re.search(r"^Size: +33792 kB\n(?:[A-Z]\w+:.*\n)*VmFlags:.* dd\b", smaps, re.M)
                check(bool(left_out) != dumped, value, smaps)


def clock_chip(machine):
    """Where the Goldfish chip of the machine begins (-rtc), by its two registers."""
    zone, os.environ["TZ"] = os.environ.get("TZ"), "Etc/GMT-5"  # five hours ahead
    now = int(time.time())
    for value, first in (("base=utc", now), ("base=localtime", now + 5 * 3600), ("base=2026-01-02T03:04:05", 1767323045),
                         ("base=2026-01-02,clock=vm", 1767312000)):
        with qmp.Machine(machine, *BARE, "-S", "-rtc", value) as m:
            low, high = (int(m.command("human-monitor-command", {"command-line": f"xp/1wx {at:#x}"}).split()[1], 16) for at in (0x101000, 0x101004))
            late = (high << 32 | low) / 1e9 - first
            check(late == 0 if "vm" in value else -2 < late < 600, value, late)
    if zone is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = zone


def begun(machine):
    """A machine that begins with a state: its guest has seen the devices, so that others go into slots only."""
    with tempfile.TemporaryDirectory() as folder:
        options = [*BARE, "-device", "pcie-root-port,id=p", "-S"]
        with qmp.Machine(machine, *options) as m:
            m.command("migrate", {"uri": f"file:{folder}/state"})
            m.command("quit")
            check(m.end() == (0, ""))
        with qmp.Machine(machine, *options, "-incoming", f"file:{folder}/state") as m:
            check(m.command("query-status") == {"running": False, "status": "paused"})
            try:
                m.command("device_add", {"driver": "virtio-rng-pci", "bus": "pcie.0"})
                check(False, "plugged into the root bus")
            except qmp.Error as e:
                check("hotplugging" in e.text, e)
            m.command("device_add", {"driver": "virtio-rng-pci", "id": "r"})
            check(m.command("query-pci")[0]["devices"][0]["pci_bridge"]["devices"][0]["qdev_id"] == "r")


def short_forms(machine):
    """Options that stand for several, or for what is so anyway; how drives are kept."""
    with tempfile.TemporaryDirectory() as folder:
        disks = [pathlib.Path(folder) / f"disk{i}" for i in range(3)]
        for d in disks:
            d.write_bytes(b"x" * 1024)
        with qmp.Machine(machine, *BARE, "-S", "-accel", "tcg", "-smp", "cpus=2", "-m", "size=32M", "-nic", "user,mac=52:54:00:aa:bb:cc,hostname=foo", "-virtfs",
                         f"local,path={folder},mount_tag=h,security_model=none", "-object", "rng-random,id=r,filename=/dev/urandom", "-device",
                         "virtio-rng-pci,rng=r", "-drive", f"file={disks[0]},format=raw,id=a,cache=unsafe,snapshot=off", "-drive",
                         f"file={disks[1]},format=raw,id=b,cache=writethrough,readonly=on", "-drive", f"file={disks[2]},format=raw,id=c", "-snapshot") as m:
            tree = m.command("human-monitor-command", {"command-line": "info qtree"})
            for text in ('mac = "52:54:00:aa:bb:cc"', 'netdev = "nic0"', f'path = "{folder}"', 'mount_tag = "h"', 'rng = "r"'):
                check(text in tree, text, tree)
            check(len(m.command("query-cpus-fast")) == 2)
            drives = {b["device"]: b["inserted"] for b in m.command("query-block")}
            check([drives[d]["cache"]["writeback"] for d in "abc"] == [True, False, True], drives)
            check([drives[d]["cache"]["no-flush"] for d in "abc"] == [True, False, True], drives)
            check([drives[d]["drv"] for d in "abc"] == ["raw", "raw", "qcow2"] and drives["c"]["backing_file"] == str(disks[2]), drives)
            check(not os.path.exists(drives["c"]["file"]), "the changes have a name")
            m.command("quit")
            check(m.end() == (0, ""))
        for options, text in ((["-nic", "foo"], b"one of user, tap and socket"), (["-virtfs", "local,path=/"], b"mount_tag="),
                              (["-object", "x"], b"rng-builtin"), (["-accel", "kvm"], b"tcg"), (["-drive", f"file={disks[0]},cache=x"], b"writethrough"),
                              (["-snapshot", "-drive", "file=/nothing"], b"No such file"), (["-rtc", "base=2026-13-01"], b"localtime or a date"),
                              (["-rtc", "base=utc,clock=rt"], b"clock=host or vm")):
            r = subprocess.run([machine, *BARE, "-S", "-display", "none", *options], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            check(r.returncode == 1 and text in r.stderr, options, r)


def human_session(machine):
    """Lines typed at a socket: echo, editing, recall."""
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/mon"
        p = subprocess.Popen([machine, *BARE, "-S", "-display", "none", "-serial", "none", "-monitor", f"unix:{path},server=on,wait=on"])
        s = socket.socket(socket.AF_UNIX)
        while s.connect_ex(path):
            pass
        f = s.makefile("rwb", buffering=0)

        def until(text):
            said = b""
            while not said.endswith(text):
                said += f.read(1)
            return said.decode()

        until(b"(qemu) ")
        f.write(b"info stax\x7ftus\r\n")
        check("VM status: paused (prelaunch)" in until(b"\r\n(qemu) "))
        f.write(b"\x1b[A\r")
        check("VM status: paused (prelaunch)" in until(b"\r\n(qemu) "))
        f.write(b"info vers\t\r")
        check("metic" in until(b"\r\n(qemu) "))
        f.write(b"quit\r")
        check(p.wait(30) == 0 and not os.path.exists(path))


def shared_terminal(machine):
    """The serial line and the monitor on the standard streams, with Ctrl-a."""
    p = subprocess.Popen([machine, *BARE, "-S", "-nographic"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def until(text):
        said = b""
        while not said.endswith(text):
            byte = p.stdout.read(1)
            check(byte, said)
            said += byte
        return said.decode()

    p.stdin.write(b"lost\x01c")
    until(b"(qemu) ")
    p.stdin.write(b"info status\r")
    check("paused (prelaunch)" in until(b"\r\n(qemu) "))
    p.stdin.write(b"\x01c\x01cq\r")
    until(b"(qemu) ")
    check(p.wait(30) == 0)


def streams(machine):
    """QMP over TCP and over the standard streams, in lines for people."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    p = subprocess.Popen([machine, *BARE, "-S", "-display", "none", "-qmp-pretty", "stdio", "-qmp", f"tcp:127.0.0.1:{port},server=on,wait=off"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    s = socket.socket()
    while s.connect_ex(("127.0.0.1", port)):
        pass
    f = s.makefile("rwb", buffering=0)
    check("QMP" in json.loads(f.readline()))
    f.write(b'{"execute":"qmp_capabilities"}')
    check(json.loads(f.readline()) == {"return": {}})
    p.stdin.write(b'{"execute":"qmp_capabilities"} {"execute":"cont"} {"execute":"quit"}')
    check(json.loads(f.readline())["event"] == "RESUME" and json.loads(f.readline())["event"] == "SHUTDOWN")
    said, _ = p.communicate(timeout=60)
    check(p.returncode == 0 and b'{\n    "QMP": {\n' in said and said.count(b"\r\n}") == 0, said)
    decoder, values, text = json.JSONDecoder(), [], said.decode().strip()
    while text:
        value, end = decoder.raw_decode(text)
        values.append(value)
        text = text[end:].strip()
    check([next(iter(v)) for v in values if "event" not in v] == ["QMP", "return", "return", "return"], values)


def background(machine):
    """-daemonize, -pidfile, and ending by a signal."""
    with tempfile.TemporaryDirectory() as folder:
        pidfile = pathlib.Path(folder) / "pid"
        subprocess.run([machine, *BARE, "-display", "none", "-daemonize", "-pidfile", pidfile, "-qmp", f"unix:{folder}/qmp,server=on,wait=off"],
                       check=True, timeout=60)
        pid = int(pidfile.read_text())
        c = qmp.Client(folder + "/qmp")
        c.command("qmp_capabilities")
        check(c.command("query-status")["status"] == "running")
        r = subprocess.run([machine, *BARE, "-display", "none", "-pidfile", pidfile], capture_output=True, timeout=60)
        check(r.returncode == 1 and b"another process" in r.stderr, r)
        os.kill(pid, signal.SIGTERM)
        check(c.event("SHUTDOWN")["data"]["reason"] == "host-signal")
        try:
            while True:
                c.read()
        except EOFError:
            pass
        end = time.monotonic() + 30
        while pidfile.exists() and time.monotonic() < end:  # its last act
            time.sleep(0.02)
        check(not pidfile.exists())
        r = subprocess.run([machine, *BARE, "-daemonize", "-display", "none", "-device", "nothing"], capture_output=True, timeout=60)
        check(r.returncode == 1 and b"no device nothing" in r.stderr, r)


# --- random requests ---

# What would end the test, write files of the host's, or wait for somebody.
LEFT_OUT = {"quit", "set-action", "memsave", "pmemsave", "human-monitor-command", "qmp_capabilities", "chardev-add", "blockdev-add", "netdev_add",
            "migrate", "snapshot-save"}
WORDS = ["", "x", "/", "/machine", "/machine/peripheral/p", "p", "disk", "pcie.0", "a,b=c", "virtio-rng-pci", "virtio-blk-pci", "type", "\u00e4", "%s%n",
         "a" * 5000, "\U0001f600", "..", "compat_0", "null", "0", "ring"]
NUMBERS = [0, 1, -1, 2, 7, 255, 2**31, 2**32, 2**63 - 1, -2**63, 2**64 - 1, 2**70, 1.5, -0.0, 1e300]


class Maker:
    """Values for the types of a schema."""

    def __init__(self, schema, rng):
        self.entities, self.rng = {s["name"]: s for s in schema}, rng

    def any(self, depth=0):
        kind = self.rng.randrange(8 if depth < 4 else 5)
        if kind < 5:
            return [None, self.rng.random() < 0.5, self.rng.choice(NUMBERS), self.rng.choice(WORDS), 1][kind]
        if kind < 6:
            return [self.any(depth + 1) for _ in range(self.rng.randrange(4))]
        return {self.rng.choice(WORDS[:12]): self.any(depth + 1) for _ in range(self.rng.randrange(4))}

    def make(self, name, depth=0):
        s, rng = self.entities[name], self.rng
        if rng.random() < 0.03 or depth > 6:
            return self.any()
        kind = s["meta-type"]
        if kind == "builtin":
            return {"string": lambda: rng.choice(WORDS), "int": lambda: rng.choice(NUMBERS[:11]), "number": lambda: rng.choice(NUMBERS),
                    "boolean": lambda: rng.random() < 0.5, "null": lambda: None, "value": self.any}[s["json-type"]]()
        if kind == "enum":
            return rng.choice(s["values"])
        if kind == "array":
            return [self.make(s["element-type"], depth + 1) for _ in range(rng.randrange(4))]
        if kind == "alternate":
            return self.make(rng.choice(s["members"])["type"], depth + 1)
        return self.members(s, depth)

    def members(self, s, depth):
        rng, out = self.rng, {}
        for m in s["members"]:
            if ("default" not in m or rng.random() < 0.5) and rng.random() > 0.02:
                out[m["name"]] = self.make(m["type"], depth + 1)
        for v in s.get("variants", []):
            if v["case"] == out.get(s["tag"]):
                out |= self.members(self.entities[v["type"]], depth + 1)
        if rng.random() < 0.03:
            out[rng.choice(WORDS[:12])] = self.any()
        return out


def human_line(rng):
    """A line of the human monitor that ends nothing and writes no files."""
    words = ["info", "x", "xp", "print", "p", "cpu", "device_add", "device_del", "netdev_del", "drive_del", "set_link", "chardev-remove", "ringbuf_write",
             "help", "stop", "cont", "system_powerdown", "loadvm", "delvm", "/4xg", "/1000000c", "/i", "0x1000", "$pc", "$nothing", "(1+2", "-1", "1/0",
             "status", "mtree", "qtree", "registers", "tlb", "'", '"', "\\", ",", "virtio-rng-pci,id=x", "on", *WORDS]
    return " ".join(rng.choice(words) for _ in range(rng.randrange(1, 5)))


def damage(raw, rng):
    raw = bytearray(raw)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(raw))
        how = rng.randrange(3)
        if how == 0:
            raw[at] = rng.randrange(256)
        elif how == 1:
            del raw[at]
        else:
            raw.insert(at, rng.choice(b'{}[]",:\\\xff\x00e-1'))
        if not raw:
            raw = bytearray(b"x")
    return bytes(raw)


def storm(c, rng, rounds, left_out):
    """Sends as many requests, none of what is left out; returns how many answers there were of each class of error, and without one ("return")."""
    schema = c.command("query-qmp-schema")
    maker = Maker(schema, rng)
    candidates = [s for s in schema if s["meta-type"] == "command" and s["name"] not in LEFT_OUT | left_out]
    counts = {}
    for i in range(rounds):
        s = rng.choice(candidates)
        request = {"execute": s["name"], "arguments": maker.make(s["arg-type"]), "id": i}
        if rng.random() < 0.1:
            line = human_line(rng)
            line = "help" if left_out & set(line.split()[:1]) else line
            request = {"execute": "human-monitor-command", "arguments": {"command-line": line}}
        raw = json.dumps(request, ensure_ascii=rng.random() < 0.5).encode()
        if rng.random() < 0.3:
            raw = damage(raw, rng)
        # Whatever that was, this ends it, and the answer to what follows says that it is over.
        c.send(raw + b'\n"\n\xff{"execute":"query-status","id":"mark"}')
        while (answer := c.answer()).get("id") != "mark":
            if "error" in answer:
                check(answer["error"]["class"] in CLASSES and answer["error"]["desc"], request, answer)
                counts[answer["error"]["class"]] = counts.get(answer["error"]["class"], 0) + 1
            else:
                check("return" in answer, answer)
                counts["return"] = counts.get("return", 0) + 1
        check("return" in answer, raw, answer)
    return counts


def random_requests(machine, rounds):
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print("seed", seed)
    rng = random.Random(seed)
    with qmp.Machine(machine, *BARE, "-no-shutdown", "-device", "pcie-root-port,id=p", "-device", "pcie-root-port,id=p2,slot=1", "-netdev", "user,id=n",
                     "-chardev", "ringbuf,id=ring") as m:
        counts = storm(m.qmp, rng, rounds, set())
        print(rounds, "requests:", counts)
        check(counts["return"] > rounds / 20 and counts["GenericError"] > rounds / 20)
        m.command("quit")
        code, errors = m.end()
        check(code == 0 and "Sanitizer" not in errors, code, errors)


def main():
    machine = sys.argv[1]
    protocol(machine)
    commands(machine)
    sizes(machine)
    file_nodes(machine)
    if len(sys.argv) > 3:
        nodes(machine, sys.argv[3])
        managed(machine, sys.argv[3])
    clock_chip(machine)
    begun(machine)
    short_forms(machine)
    human_session(machine)
    shared_terminal(machine)
    streams(machine)
    background(machine)
    random_requests(machine, int(sys.argv[2]) if len(sys.argv) > 2 else 1000)


if __name__ == "__main__":
    main()
