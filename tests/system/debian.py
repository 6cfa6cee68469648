#!/usr/bin/env python3
"""A Debian riscv64 system boots with systemd from a qcow2 disk: debian.py METIC METIC-SYSTEM METIC-IMG [OPTION...].

Login on the serial line, ssh from the host, packages installed by apt from a mirror on loopback, a folder of the host, a reboot, power-off; then the
image and its file system are checked. The system is installed by debootstrap when it is not in the cache folder yet.
"""

import functools
import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import debian_image
import qmp

# The times after which systemd gives something up are for a machine that has nothing else to do.
APPEND = "root=/dev/vda rw console=ttyS0 quiet systemd.default_device_timeout_sec=900 systemd.default_timeout_start_sec=900"


class Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def overlay(img, base, path):
    """An image over the installed one, which stays as it is."""
    subprocess.run([img, "create", "-f", "qcow2", "-b", base, path], check=True)
    return path


class Debian(qmp.Machine):
    """The machine with the installed system on the image `disk`."""

    def __init__(self, program, installed, disk, *options, drive=""):
        self.port, self.key = free_port(), installed / "key"
        super().__init__(program, "-M", "virt", "-m", "1G", "-smp", "2", "-kernel", installed / "kernel", "-initrd", installed / "initrd",
                         "-append", APPEND, "-drive", f"file={disk},if=none,id=disk{drive}", "-device", "virtio-blk-pci,drive=disk,id=blk",
                         "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", "virtio-net-pci,netdev=net,id=nic",
                         "-device", "virtio-rng-pci", "-device", "virtio-keyboard-pci", *options)

    def login(self, timeout=3000):
        """Seconds from now to the prompt for a name."""
        start = time.monotonic()
        self.wait_for("login:", timeout)
        return time.monotonic() - start

    def shell(self):
        self.type("root\n")
        self.wait_for("Password:", 300)
        self.type(debian_image.PASSWORD + "\n")
        self.wait_for("# ", 300)

    def ssh(self, command, check=True, timeout=1200):
        """What the command prints."""
        r = subprocess.run(["ssh", "-i", self.key, "-p", str(self.port), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                            "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=300", "root@127.0.0.1", command], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, errors="replace", timeout=timeout)
        if check and r.returncode:
            raise AssertionError(f"{command}: exit code {r.returncode}\n{r.stdout[-3000:]}{r.stderr[-3000:]}")
        return r.stdout

    def power_off(self):
        """By the power button."""
        self.command("system_powerdown")
        data = self.event("SHUTDOWN", 900)["data"]
        code = self.end(120)
        if data != {"guest": True, "reason": "guest-shutdown"} or code != (0, ""):
            raise AssertionError((data, code))


def check_image(img, disk, folder):
    """The image is sound, and so is the file system on it after its power-off."""
    raw = folder / "copy.raw"
    subprocess.run([img, "check", disk], check=True, stdout=subprocess.DEVNULL)
    if shutil.which("qemu-img"):
        subprocess.run(["qemu-img", "check", disk], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([img, "convert", disk, raw], check=True)
    r = subprocess.run(["e2fsck", "-f", "-n", raw], capture_output=True, text=True)
    raw.unlink()
    if r.returncode:
        raise AssertionError(f"e2fsck: exit code {r.returncode}\n{r.stdout}{r.stderr}")


def expect(what, wanted):
    if wanted not in what:
        raise AssertionError(f"{wanted!r} is not in {what!r}")


def use(m, repository):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=repository))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    m.shell()
    m.type("uname -m; systemctl is-system-running --wait\n")
    expect(m.wait_for("# ", 900), "riscv64\r\nrunning\r\n")
    m.type("exit\n")
    m.login()
    expect(m.ssh("cat /etc/os-release"), "trixie")
    m.ssh(f"echo 'deb [trusted=yes] http://10.0.2.2:{server.server_port} ./' > /etc/apt/sources.list")
    m.ssh("apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy install jq")
    expect(m.ssh("""echo '{"a": [1, 2, 41]}' | jq '.a | add'"""), "44")
    expect(m.ssh("dpkg --audit; dpkg -s jq"), "Status: install ok installed")
    m.ssh("mkdir -p /mnt && mount -t 9p -o trans=virtio,version=9p2000.L host /mnt")
    expect(m.ssh("cat /mnt/from-host; echo from guest > /mnt/from-guest; umount /mnt"), "from host")
    server.shutdown()


def reboot(m):
    m.ssh("sync; systemctl reboot", check=False)
    m.event("RESET", 900)
    m.login()
    m.shell()  # the prompt may come before sshd does
    m.type("systemctl is-system-running --wait\n")
    expect(m.wait_for("# ", 900), "running\r\n")
    expect(m.ssh("jq --version; journalctl -q -p err -b"), "jq-")


def main():
    metic, machine, img = map(os.path.abspath, sys.argv[1:4])
    options = sys.argv[4:]
    installed = debian_image.get(metic, img)
    with tempfile.TemporaryDirectory(prefix="metic-debian-") as name:
        folder = pathlib.Path(name)
        (folder / "share").mkdir()
        (folder / "share/from-host").write_text("from host\n")
        disk = overlay(img, installed / "disk.qcow2", folder / "disk.qcow2")
        with Debian(machine, installed, disk, "-device", f"virtio-9p-pci,path={folder}/share,mount_tag=host", *options) as m:
            print(f"login after {m.login():.1f} s", flush=True)
            use(m, installed / "repository")
            print("used", flush=True)
            reboot(m)
            m.power_off()
        expect((folder / "share/from-guest").read_text(), "from guest")
        check_image(img, disk, folder)
    print("booted, used, rebooted and powered off; image and file system are sound")


if __name__ == "__main__":
    main()
