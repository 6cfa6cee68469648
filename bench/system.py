#!/usr/bin/env python3
"""Times whole machines: Debian's riscv64 kernel to a shell, then integer kernels of bench/int in it, under metic and a peer.

Both start the peer's firmware. The peer (qemu-system of Debian sid) runs by chroot in a folder of its own; nothing is installed. What counts is processor
time of the emulator between two lines of the guest's console, which other work on the machine disturbs less than wall
time; both are printed. Needs root. With --login: an installed Debian (tests/system/debian_image.py) from a qcow2 disk to its login prompt.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tools")]
import cpio  # noqa: E402
import roots  # noqa: E402
from run import compile_all, geomean  # noqa: E402

sys.path.append(str(HERE.parent / "tests/system"))
import debian  # noqa: E402
import debian_image  # noqa: E402

KERNELS = ["crc", "fib", "interp", "qsort", "sha256", "sieve", "sort", "string"]
PEER = ["qemu-system-riscv"]
PROMPT = "prompt"
CHROOT = ["unshare", "--mount", "sh", "-c",
          'mkdir -p "$1/proc" "$1/dev" "$1/mnt" "$1/var/tmp" && mount --rbind /dev "$1/dev" && mount --rbind /proc "$1/proc" && '
          'mount --bind "$2" "$1/mnt" && r=$1 && shift 2 && exec chroot "$r" "$@"', "chroot"]


def init(kernels):
    return "\n".join(["#!/bin/busybox sh", "/bin/busybox --install -s /bin", "mount -t proc none /proc", f"echo {PROMPT}",
                      *(f"/bench/{k} >/dev/null && echo {k}" for k in kernels), "poweroff -f", ""])


def initrd(root, folder, kernels):
    files = [(d, 0o40755, b"") for d in ("bin", "bench", "dev", "proc")]
    files += [("bin/busybox", 0o100755, (root / "usr/bin/busybox").read_bytes()), ("init", 0o100755, init(kernels).encode())]
    files += [(f"bench/{k}", 0o100755, (folder / k).read_bytes()) for k in kernels]
    return cpio.initrd(files)


def processor_time(pid):
    return sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def boot(command, wanted, stop=False):
    """{line: (wall, processor seconds)} since the line before. `stop`: the machine is not waited for."""
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    last, found, log = (time.monotonic(), 0), {}, []
    for line in p.stdout:
        log.append(line)
        if line.strip() in wanted:
            now = time.monotonic(), processor_time(p.pid)
            found[line.strip()] = tuple(a - b for a, b in zip(now, last))
            last = now
            if stop and len(found) == len(wanted):
                p.terminate()
    if (p.wait() and not stop) or len(found) != len(wanted):
        sys.exit("".join(log[-30:]) + f"{command[0]}: exit code {p.returncode}, without {set(wanted) - found.keys()}")
    return found


def login(args, peer, data):
    """What boot() says of both, with the time to the installed system's prompt."""
    installed = debian_image.get(roots.metic(), args.metic.parent / "metic-img")
    for name in ("kernel", "initrd", "disk.qcow2"):
        (data / name).hardlink_to(installed / name) if data.stat().st_dev == installed.stat().st_dev else shutil.copy(installed / name, data)
    prompt = "Debian GNU/Linux 13 guest ttyS0"

    def machine(where):
        return ["-M", "virt", "-bios", f"{where}/firmware", "-m", "1G", "-smp", str(args.processors), "-nographic", "-kernel", f"{where}/kernel",
                "-initrd", f"{where}/initrd", "-append", debian.APPEND, "-drive", f"file={where}/disk.qcow2,if=none,id=disk,snapshot=on", "-device",
                "virtio-blk-pci,drive=disk", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"]

    for who, command in commands_of(args, peer, data, machine).items():
        for _ in range(args.runs):
            wall, processor = boot(command, [prompt], True)[prompt]
            print(f"{who}: {wall:.1f} s to the login prompt, {processor:.1f} s of processor time", flush=True)


def copy_firmware(peer, data):
    (data / "firmware").write_bytes((peer / "usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin").read_bytes())


def commands_of(args, peer, data, machine):
    return {"metic": [args.metic, *machine(data)], "peer": [*CHROOT, peer.absolute(), data, "/usr/bin/qemu-system-riscv64", *machine("/mnt")]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernel", action="append", choices=KERNELS, help="may be repeated; default: all")
    parser.add_argument("--runs", type=int, default=2, help="runs of each, of which the fastest counts (default 2)")
    parser.add_argument("--login", action="store_true", help="an installed Debian to its login prompt, and nothing else")
    parser.add_argument("--processors", type=int, default=2, help="of --login's machines (default 2)")
    parser.add_argument("--metic", type=pathlib.Path, default=roots.build_folder() / "system/metic-system")
    parser.add_argument("--peer-root", type=pathlib.Path, help="a folder with the peer and its libraries; default: fetched")
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    kernels = args.kernel or KERNELS
    peer = args.peer_root or roots.fetch(["amd64", "sid", roots.cache() / "peer-system", *PEER], roots.cache() / "peer-system")
    if args.login:
        with tempfile.TemporaryDirectory(prefix="metic-machines-", dir=roots.cache()) as folder:
            copy_firmware(peer, pathlib.Path(folder))
            return login(args, peer, pathlib.Path(folder))
    root = roots.root("riscv64", "kernel", ["linux-image-riscv64", "busybox-static"])
    programs = compile_all({"riscv64": roots.GUESTS["riscv64"][1]}, {k: HERE / "int" / f"{k}.c" for k in kernels}) / "riscv64"
    with tempfile.TemporaryDirectory(prefix="metic-machines-") as folder:
        data = pathlib.Path(folder)
        (data / "initrd").write_bytes(initrd(root, programs, kernels))
        (data / "kernel").write_bytes(next(root.glob("boot/vmlinu*")).read_bytes())
        copy_firmware(peer, data)

        def machine(where):
            return ["-M", "virt", "-bios", f"{where}/firmware", "-m", "512", "-smp", "2", "-nographic", "-no-reboot", "-kernel", f"{where}/kernel",
                    "-initrd", f"{where}/initrd", "-append", "console=ttyS0 quiet"]

        commands = commands_of(args, peer, data, machine)
        best = {who: {} for who in commands}
        for who in [*commands] * args.runs:
            for line, times in boot(commands[who], [PROMPT, *kernels]).items():
                best[who][line] = tuple(map(min, times, best[who].get(line, times)))
    print("| step | metic: wall, processor | peer: wall, processor | peer / metic |\n|---|---|---|---|")
    for line in [PROMPT, *kernels]:
        m, p = best["metic"][line], best["peer"][line]
        print(f"| {line} | {m[0]:.2f} s, {m[1]:.2f} s | {p[0]:.2f} s, {p[1]:.2f} s | {p[1] / m[1]:.2f} |")
    print(f"| **kernels, geometric mean** | | | {geomean([best['peer'][k][1] / best['metic'][k][1] for k in kernels]):.2f} |")
    if args.json:
        args.json.write_text(json.dumps(best, indent=1))


if __name__ == "__main__":
    main()
