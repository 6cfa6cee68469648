#!/usr/bin/env python3
"""Runs the kernel's own tests in a guest: selftests.py METIC-SYSTEM [--peer-root DIR] [--all-under-peer] [--smp N] [GROUP...].

Programs are those of tools/testing/selftests in Debian's linux-source, compiled here; modules are those of Debian's riscv64 kernel that test the
kernel itself. They run in that kernel from an initial RAM disk, each with a time limit; groups have a machine each. What fails is run again, then under the
peer: a test that passes there and not here is a failure. The machine has devices on PCI and on virtio-mmio, for tests of those. Needs root for the peer.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "bench"))
import boot  # noqa: E402
import cpio  # noqa: E402
import kernel_tests  # noqa: E402
import roots  # noqa: E402
import system as bench_system  # noqa: E402

SKIPPED = 4  # tools/testing/selftests/kselftest.h
MODULES = ["test_bpf", "test_static_key_base", "test_static_keys", "virtio_blk", "failover", "net_failover", "virtio_net", "virtio-rng"]

BPF = "dmesg -c > /dev/null; insmod /lib/test_bpf.ko; rmmod test_bpf; dmesg | grep Summary || exit 1; ! dmesg | grep 'test_bpf: #.* FAIL'"

# {group: [(program of the selftests' folder, its arguments or a command with {} for it, seconds)]}; what has a space in its name is a shell's command.
GROUPS = {
    "timers": [
        ("timers/posix_timers", "", 120), ("timers/nanosleep", "", 120), ("timers/nsleep-lat", "", 240), ("timers/set-timer-lat", "", 240),
        ("timers/mqueue-lat", "", 60), ("timers/inconsistency-check", "-t 5", 240), ("timers/threadtest", "-t 10 -n 4", 60),
        ("timers/raw_skew", "", 240), ("timers/rtcpie", "", 120), ("rtc/rtctest", "", 240),
        ("timens/timens", "", 60), ("timens/timer", "", 60), ("timens/timerfd", "", 60), ("timens/clock_nanosleep", "", 60), ("timens/futex", "", 60),
        ("timens/exec", "", 60), ("timens/vfork_exec", "", 60),
        *((f"vDSO/vdso_test_{name}", "", 60) for name in ("gettimeofday", "getcpu", "abi", "clock_getres", "correctness", "getrandom")),
    ],
    "clock": [  # these set it
        ("timers/valid-adjtimex", "", 60), ("timers/set-tai", "", 60), ("timers/set-2038", "", 900),
        ("timers/leap-a-day", "-i 3", 120), ("timers/leapcrash", "", 240), ("timers/clocksource-switch", "-s -t 5", 300),
        ("timers/freq-step", "", 400), ("timers/alarmtimer-suspend", "", 60),
    ],
    "ticks": [("timers/adjtick", "", 900)],
    "processors": [
        ("membarrier/membarrier_test_single_thread", "", 60), ("membarrier/membarrier_test_multi_thread", "", 60),
        *((f"futex/functional/{name}", "", 60) for name in (
            "futex_requeue", "futex_requeue_pi", "futex_requeue_pi_mismatched_ops", "futex_requeue_pi_signal_restart", "futex_wait",
            "futex_wait_private_mapped_file", "futex_wait_timeout", "futex_wait_uninitialized_heap", "futex_wait_wouldblock", "futex_waitv")),
        ("rseq/basic_test", "", 60),
        *((f"rseq/param_test{how}", f"-T {kind} -r 200 -t 8", 240) for how in ("", "_compare_twice") for kind in "slbmri"),
        ("riscv/hwprobe/hwprobe", "", 60), ("riscv/hwprobe/cbo", "", 60), ("riscv/hwprobe/which-cpus", "", 60), ("riscv/sigreturn/sigreturn", "", 60),
        ("riscv/mm/mmap_default", "", 60), ("riscv/mm/mmap_bottomup", "ulimit -s unlimited; {}", 60), ("sigaltstack/sas", "", 60),
        *((f"ptrace/{name}", "", 60) for name in ("get_set_sud", "get_syscall_info", "peeksiginfo", "vmaccess")),
        ("kcmp/kcmp_test", "", 60), ("clone3/clone3", "", 60), ("clone3/clone3_set_tid", "", 60), ("clone3/clone3_clear_sighand", "", 60),
    ],
    "memory": [*((f"mm/{name}", "", 240) for name in (
        "map_fixed_noreplace", "map_populate", "mlock2-tests", "mremap_test", "mremap_dontunmap", "on-fault-limit", "madv_populate", "mkdirty", "soft-dirty",
        "pagemap_ioctl", "mrelease_test", "droppable", "thuge-gen"))],
    "modules": [
        ("static keys", "insmod /lib/test_static_key_base.ko && insmod /lib/test_static_keys.ko", 120),
        ("BPF compiled", f"echo 1 > /proc/sys/net/core/bpf_jit_enable; {BPF}", 1200),
        ("BPF interpreted", f"echo 0 > /proc/sys/net/core/bpf_jit_enable; {BPF}", 2400),
    ],
    "devices": [
        ("PCI: lspci", "lspci -vv; [ $(lspci | wc -l) = $(ls /sys/bus/pci/devices | wc -l) ]", 60),
        ("PCI: setpci", "for d in $(lspci -D | cut -d' ' -f1); do setpci -s $d 3c.b=5a && [ $(setpci -s $d 3c.b) = 5a ] || exit 1; done", 60),
        ("PCI: vectors", "for d in /sys/bus/pci/devices/*; do n=$(lspci -vs ${d##*/} | sed -n 's/.*MSI-X: .*Count=//p' | cut -d' ' -f1); "
                         "[ $(ls $d/msi_irqs 2>/dev/null | wc -l) -le ${n:-0} ] || exit 1; done", 60),
        ("PCI: remove and rescan", "for d in /sys/bus/pci/devices/*; do echo 1 > $d/remove; done; [ -z \"$(ls /sys/bus/pci/devices)\" ] && "
                                   "echo 1 > /sys/bus/pci/rescan && sleep 1 && lspci && [ -e /dev/vda ]", 60),
        ("virtio: unbind and bind", "for d in /sys/bus/virtio/devices/*; do l=$(readlink $d/driver); echo ${d##*/} ${l##*/}; [ -n \"$l\" ] || exit 1; "
                                    "echo ${d##*/} > $d/driver/unbind && echo ${d##*/} > /sys/bus/virtio/drivers/${l##*/}/bind || exit 1; done", 60),
        ("virtio: disks", "for d in vda vdb; do seq 1000000 | dd of=/dev/$d bs=64k conv=fsync 2>/dev/null && echo 3 > /proc/sys/vm/drop_caches && "
                          "[ \"$(head -c 6888896 /dev/$d | md5sum)\" = \"$(seq 1000000 | md5sum)\" ] || exit 1; done", 120),
        ("virtio: random numbers", "head -c 100000 /dev/hwrng | gzip | [ $(wc -c) -gt 100000 ]", 60),
    ],
}
CALLED = {"clock": ["timers/inconsistency-check", "timers/nanosleep", "timers/nsleep-lat"]}  # by tests of the group
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev
mkdir -p /dev/shm /dev/mqueue /dev/pts; mount -t tmpfs none /dev/shm; mount -t tmpfs none /tmp; mount -t mqueue none /dev/mqueue
mount -t devpts none /dev/pts; mount -t debugfs none /sys/kernel/debug
ip link set lo up
for m in virtio_blk failover net_failover virtio_net virtio-rng; do insmod /lib/$m.ko; done
cd /tests
while IFS='|' read -r name limit command; do
    echo "== $name"
    timeout -k 5 $limit sh -c "$command" < /dev/null 2>&1
    echo "== exit code $?"
done < /list
poweroff -f
"""


def kernel_root():
    return roots.root("riscv64", "selftests", ["linux-image-riscv64", "busybox-static", "pciutils"])


def libraries(root, program):
    """What a program needs to be loaded, as paths in the root."""
    found, wanted = set(), [program]
    while wanted:
        elf = wanted.pop()
        said = subprocess.run(["riscv64-linux-gnu-readelf", "-ld", elf], capture_output=True, text=True, check=True).stdout
        names = re.findall(r"\(NEEDED\).*\[(.*)\]", said) + [pathlib.PurePath(p).name for p in re.findall(r"interpreter: (.*)\]", said)]
        for name in names:
            path = next(p for p in root.glob(f"usr/lib/**/{name}"))
            if path not in found:
                found.add(path)
                wanted.append(path)
    return found


def base_files(root):
    files = [(d, 0o40755, b"") for d in ("bin", "dev", "lib", "proc", "sys", "tests", "tmp", "usr", "usr/share", "usr/share/misc", "usr/lib", "etc")]
    files += [("bin/busybox", 0o100755, (root / "usr/bin/busybox").read_bytes()), ("init", 0o100755, INIT.encode()), ("usr/bin", 0o120777, b"/bin"),
              ("usr/share/misc/pci.ids", 0o100644, b""), ("etc/passwd", 0o100644, b"root:x:0:0:root:/:/bin/sh\n")]
    for name in ("lspci", "setpci"):
        program = next(root.glob(f"usr/*bin/{name}"))
        files.append((f"bin/{name}", 0o100755, program.read_bytes()))
        files += [(f"lib/{p.name}", 0o100755, p.read_bytes()) for p in libraries(root, program)]
    return list(dict.fromkeys(files + boot.modules(root, MODULES)))


def call(program, command):
    path = f"./{pathlib.PurePath(program).name}"
    return command.replace("{}", path) if "{}" in command else f"{path} {command}"


def make_disks(root, folder, programs, tests):
    """The kernel and the initial RAM disk that runs the tests, and the data of two disks."""
    listed = ""
    files = base_files(root)
    for name, (program, command, limit) in tests.items():
        listed += f"{name}|{limit}|" + (command if " " in program else call(program, command)) + "\n"
    files.append(("list", 0o100644, listed.encode()))
    files += [(f"tests/{p.name}", 0o100755, p.read_bytes()) for p in sorted(programs.iterdir())]
    (folder / "initrd").write_bytes(cpio.initrd(files))
    shutil.copy(boot.kernel(root), folder / "kernel")
    for name in ("one", "two"):
        with open(folder / name, "wb") as disk:
            disk.truncate(16 << 20)


def machine(where, firmware, processors):
    return ["-M", "virt", *firmware, "-m", "1G", "-smp", str(processors), "-nographic", "-no-reboot", "-kernel", f"{where}/kernel", "-initrd", f"{where}/initrd",
            "-append", "console=ttyS0 quiet", "-drive", f"file={where}/one,format=raw,if=none,id=one", "-device", "virtio-blk-pci,drive=one", "-drive",
            f"file={where}/two,format=raw,if=none,id=two", "-device", "virtio-blk-device,drive=two", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
            "-device", "virtio-rng-pci", "-device", "pcie-root-port,id=port1"]


def run(command, tests, verbose):
    """{test: (exit code or None, seconds, output)}"""
    limit = 300 + sum(t[2] for t in tests.values())
    found, name, start, lines = {}, None, 0.0, []
    p = subprocess.Popen(["timeout", "-k", "5", str(limit), *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in p.stdout:
        if m := re.match(r"== exit code (\d+)", line):
            found[name] = int(m[1]), time.monotonic() - start, "".join(lines)
            if verbose:
                print(f"{name}: {verdict(found[name])}, {found[name][1]:.1f} s\n{found[name][2]}", flush=True)
        elif line.startswith("== "):
            name, start, lines = line[3:].strip(), time.monotonic(), []
        else:
            lines.append(line)
    if p.wait() or len(found) != len(tests):
        print("".join(lines[-30:]) + f"{command[0]}: exit code {p.returncode}")
    return {t: found.get(t, (None, 0, "".join(lines) if t == name else "")) for t in tests}


def verdict(outcome):
    code = outcome[0]
    return {None: "no result", 0: "passes", SKIPPED: "skipped", 143: "time", 137: "time"}.get(code, f"exit code {code}")


class Guest:
    """A kernel with tests, under metic or the peer."""

    def __init__(self, args):
        self.args, self.root = args, kernel_root()
        self.source, self.headers = kernel_tests.source()

    def compile(self, group, folder):
        """{name: test} of what could be compiled, the programs in the folder."""
        tests = {}
        for program in CALLED.get(group, []):
            kernel_tests.compile_program(self.source, self.headers, "riscv64", program, folder / pathlib.PurePath(program).name)
        for program, command, limit in GROUPS[group]:
            to = folder / pathlib.PurePath(program).name
            if " " in program:
                tests[program] = program, command, limit
            elif to.exists() or kernel_tests.compile_program(self.source, self.headers, "riscv64", program, to):
                tests[f"{program} {command}".strip()] = program, command, limit
        return tests

    def run(self, tests, programs, peer=False):
        with tempfile.TemporaryDirectory(prefix="metic-selftests-", dir=roots.cache()) as name:
            folder = pathlib.Path(name)
            make_disks(self.root, folder, programs, tests)
            if not peer:
                return run([self.args.metic, *machine(folder, [], self.args.smp)], tests, self.args.verbose)
            where = roots.cache() / "peer-system"
            peer_root = self.args.peer_root or roots.fetch(["amd64", "sid", where, *bench_system.PEER], where)
            bench_system.copy_firmware(peer_root, folder)
            firmware = ["-bios", "/mnt/firmware"]
            return run([*bench_system.CHROOT, peer_root.absolute(), folder, "/usr/bin/qemu-system-riscv64", *machine("/mnt", firmware, self.args.smp)], tests,
                       self.args.verbose)


def judge(guest, tests, programs):
    """Prints what became of the tests; how many are failures."""
    first = guest.run(tests, programs)
    doubtful = {t: tests[t] for t, o in first.items() if o[0] not in (0, SKIPPED)}
    second = guest.run(doubtful, programs) if doubtful else {}
    ask = tests if guest.args.all_under_peer else {t: tests[t] for t in doubtful if second[t][0] not in (0, SKIPPED)}
    peer = guest.run(ask, programs, peer=True) if ask else {}
    failures = 0
    for t in tests:
        outcome = second[t] if t in second and second[t][0] == 0 else first[t]
        bad = t in peer and peer[t][0] == 0 and outcome[0] != 0
        failures += bad
        print(f"{'FAIL ' if bad else ''}{t}: {verdict(outcome)}, {outcome[1]:.1f} s" + (f"; peer: {verdict(peer[t])}, {peer[t][1]:.1f} s" if t in peer else ""))
        if bad and not guest.args.verbose:
            print(outcome[2])
    return failures, sum(o[0] == 0 for o in {**first, **{t: o for t, o in second.items() if o[0] == 0}}.values())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("metic", type=lambda path: pathlib.Path(path).absolute())
    p.add_argument("--smp", type=int, default=2)
    p.add_argument("--peer-root", type=pathlib.Path, help="a folder with the peer and its libraries; default: fetched when something fails")
    p.add_argument("--all-under-peer", action="store_true", help="what passes, too")
    p.add_argument("--verbose", action="store_true", help="print each test's output as it ends")
    p.add_argument("group", nargs="*", help="default: " + " ".join(GROUPS))
    args = p.parse_args()
    for group in args.group:
        if group not in GROUPS:
            p.error(f"no group {group}: there are {' '.join(GROUPS)}")
    guest, failures, passed = Guest(args), 0, 0
    for group in args.group or GROUPS:
        with tempfile.TemporaryDirectory(prefix="metic-selftests-") as folder:
            programs = pathlib.Path(folder)
            failed, right = judge(guest, guest.compile(group, programs), programs)
            failures, passed = failures + failed, passed + right
            print(f"{group}: {right} pass", flush=True)
    print(f"{passed} tests pass, {failures} fail that pass under the peer")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
