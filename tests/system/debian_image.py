"""A Debian trixie riscv64 system on a disk image, made once into the cache folder and then only read.

debootstrap's first stage runs here as root, its second through `metic run --root`; mke2fs fills the file system without mounting it, and
metic-img makes a qcow2 image of it. Beside the image lie its kernel and initial RAM disk, a key that may log in as root by ssh, and
a repository of a few packages that are not installed.
"""

import fcntl
import hashlib
import importlib.machinery
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import roots  # noqa: E402

PACKAGES = ["systemd-sysv", "dbus", "udev", "openssh-server", "linux-image-riscv64", "initramfs-tools", "e2fsprogs", "iproute2", "kmod", "procps",
            "util-linux", "login", "apt"]
LATER = ["jq"]  # with what it needs: in the repository
PASSWORD = "metic"
SIZE = "3G"
VERSION = "1"  # of what is done here
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0), "console": (5, 1), "ptmx": (5, 2)}
FILES = {
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost guest\n",
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/apt/sources.list": "",
    "etc/systemd/network/all.network": "[Match]\nName=en* eth*\n\n[Network]\nDHCP=yes\n",
}


def fetch_root_module():
    loader = importlib.machinery.SourceFileLoader("fetch_root", str(roots.TOP / "tools/fetch-root"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fetch_root", loader))
    loader.exec_module(module)
    return module


def run(*command):
    r = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if r.returncode:
        sys.exit(f"{r.stdout[-3000:]}\n{command[0]}: exit code {r.returncode}")
    return r.stdout


def write_files(root):
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text)


def install(root, metic):
    fetch = fetch_root_module()
    run("debootstrap", "--foreign", "--arch=riscv64", "--variant=minbase", f"--keyring={fetch.KEYRING}", f"--include={','.join(PACKAGES)}",
        roots.SUITE, root, fetch.mirror())
    for name, (major, minor) in DEVICES.items():
        path = root / "dev" / name
        if not path.exists():
            os.mknod(path, 0o20666, os.makedev(major, minor))
            os.chmod(path, 0o666)
    inside = [metic, "run", "--root", root, "--env", "DEBIAN_FRONTEND=noninteractive", "--env", "LC_ALL=C", "--env", "container=lxc", "--"]
    write_files(root)  # the initial RAM disk is made after fstab
    hasty = root / "etc/dpkg/dpkg.cfg.d/hasty"
    hasty.parent.mkdir(parents=True, exist_ok=True)
    hasty.write_text("force-unsafe-io\n")
    run(*inside, "/debootstrap/debootstrap", "--second-stage")  # container=lxc: it takes the devices that are there
    hasty.unlink()
    if not (root / "proc").is_dir():  # debootstrap takes it away where there are no mounts
        (root / "proc").unlink(missing_ok=True)
        (root / "proc").mkdir()
    run(*inside, "/bin/sh", "-ec", f"echo root:{PASSWORD} | chpasswd; systemctl enable systemd-networkd; apt-get clean")
    write_files(root)


def make_repository(root, where):
    """Packages and what they need beyond the root's, with an index; it is not signed."""
    fetch = fetch_root_module()
    where.mkdir()
    context = where / "apt"
    configuration = fetch.write_context(context, "riscv64", roots.SUITE)
    shutil.copy(root / "var/lib/dpkg/status", context / "status")
    fetch.apt(configuration, "update")
    fetch.apt(configuration, "--download-only", "-y", "install", *LATER)
    index = ""
    for deb in sorted((context / "cache/archives").glob("*.deb")):
        data = deb.read_bytes()
        (where / deb.name).write_bytes(data)
        index += run("dpkg-deb", "-f", deb) + f"Filename: ./{deb.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    (where / "Packages").write_text(index)
    shutil.rmtree(context)


def make(folder, metic, img):
    root = folder / "root"
    install(root, metic)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key")
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(folder / "key.pub", root / "root/.ssh/authorized_keys")
    make_repository(root, folder / "repository")
    shutil.copy(next(root.glob("boot/vmlinu*")), folder / "kernel")
    shutil.copy(next(root.glob("boot/initrd.img-*")), folder / "initrd")
    run("mke2fs", "-q", "-t", "ext4", "-d", root, folder / "disk.raw", SIZE)
    shutil.rmtree(root)
    run(img, "convert", "-f", "raw", "-O", "qcow2", folder / "disk.raw", folder / "disk.qcow2")
    (folder / "disk.raw").unlink()


def get(metic, img):
    """The folder with disk.qcow2, kernel, initrd, key and repository."""
    folder = roots.cache() / "debian-riscv64"
    request = "\n".join([VERSION, roots.SUITE, SIZE, *PACKAGES, *LATER])
    with open(roots.cache() / "debian-riscv64.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "request").exists() or (folder / "request").read_text() != request:
            if os.geteuid():
                sys.exit("the system is installed by debootstrap, which needs root")
            shutil.rmtree(folder, ignore_errors=True)
            work = folder.with_name(folder.name + ".tmp")
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            make(work, metic, img)
            (work / "request").write_text(request)
            work.rename(folder)
    return folder
