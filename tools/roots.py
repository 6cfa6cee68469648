"""What demo, benchmarks and end-to-end tests share: guests, the cache folder, roots of Debian, emulators."""

import fcntl
import os
import pathlib
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
SUITE = "trixie"

# What Debian's own scripts write when they configure packages, which nobody has done here.
CONFIGURED = {
    "hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nprotocols: files\nservices: files\n",
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
}

# Debian's name of an architecture: the processor's name in emulators, the cross compiler.
GUESTS = {"arm64": ("aarch64", "aarch64-linux-gnu-gcc"), "riscv64": ("riscv64", "riscv64-linux-gnu-gcc")}


def cache():
    """The folder for everything fetched; METIC_CACHE or ~/.cache/metic."""
    path = pathlib.Path(os.environ.get("METIC_CACHE") or pathlib.Path.home() / ".cache/metic").absolute()
    path.mkdir(parents=True, exist_ok=True)
    return path


def build_folder():
    return (TOP / os.environ.get("BUILD", "build")).absolute()


def metic():
    """The path of the metic that was built."""
    for place in ("metic", "linux-user/metic"):
        path = build_folder() / place
        if os.access(path, os.X_OK):
            return str(path)
    sys.exit(f"no metic in {build_folder()}: run make first")


def fetch(arguments, where):
    with open(cache() / "lock", "w") as lock:  # several runs may want the same root
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([sys.executable, TOP / "tools/fetch-root", *arguments], check=True)
    return where


def root(guest, name, packages):
    """A root of the guest with the packages, fetched when it is not there yet."""
    where = cache() / "roots" / f"{name}-{guest}"
    where.parent.mkdir(exist_ok=True)
    return fetch([guest, SUITE, where, *packages], where)


def configure(where):
    for name, text in CONFIGURED.items():
        path = where / "etc" / name
        if not path.exists():
            path.write_text(text)


def source(package):
    """The folder of a package's source with Debian's patches, fetched when it is not there yet."""
    where = cache() / "sources" / package
    where.parent.mkdir(exist_ok=True)
    return fetch(["--source", "amd64", SUITE, where, package], where)


def peer():
    """Path of the peer's user-mode emulators, `{cpu}` in place of the processor; fetched when not there yet."""
    where = cache() / "peer"
    return str(fetch(["--extract", "amd64", "sid", where, "qemu-user"], where) / "usr/bin/qemu-{cpu}")


def emulator_for(pattern, guest):
    return pattern.replace("{cpu}", GUESTS[guest][0])
