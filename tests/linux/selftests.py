#!/usr/bin/env python3
"""Runs the kernel's own tests of system calls natively and under metic, and compares test by test: selftests.py [--guest GUEST] [GROUP...].

Programs are those of tools/testing/selftests in Debian's linux-source, compiled for this machine and for each guest. Each runs with a time limit, as
root without the capabilities that reach the machine itself, or as an ordinary user, in namespaces of its own with a file system in memory, where /sys and
most of /proc/sys can't be written. A test that passes (or is skipped) natively and does otherwise under metic, twice, is a failure, unless
selftests-known.txt has it with a reason. Programs of one architecture have to pass by themselves. What a program printed stays in the build folder, in
linux-selftests/GUEST/PROGRAM.log. Needs root.
"""

import argparse
import collections
import fnmatch
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "e2e")]
import kernel_tests  # noqa: E402
import roots  # noqa: E402
import suite  # noqa: E402

NATIVE = "amd64"
OK, BAD, SKIP = "ok", "failed", "skipped"
SKIPPED = 4  # tools/testing/selftests/kselftest.h
LIMIT = 60

# One program: its name in the source, the command ({} for the program), seconds, whether as an ordinary user, compiler's options, guests (all and the machine).
Test = collections.namedtuple("Test", "program command limit user options guests")


def test(program, command="{}", limit=LIMIT, user=False, options=(), guests=()):
    return Test(program, command, limit, user, tuple(options), tuple(guests))


def tests(folder, names, **options):
    return [test(f"{folder}/{name}", **options) for name in names.split()]


CAP = ["-lcap"]
CAP_NG = ["-lcap-ng", *(f"-Wl,--defsym=__isoc23_{name}={name}" for name in ("sscanf", "strtoul"))]  # which older C libraries lack
GROUPS = {
    "seccomp": [test("seccomp/seccomp_bpf", limit=300, options=CAP), test("seccomp/seccomp_bpf", limit=300, options=CAP, user=True)],
    "ptrace": [*tests("ptrace", "get_set_sud get_syscall_info peeksiginfo"), *tests("breakpoints", "breakpoint_test_arm64", guests=["arm64"]),
               test("syscall_user_dispatch/sud_test")],
    "clone": [*tests("clone3", "clone3 clone3_cap_checkpoint_restore clone3_clear_sighand clone3_set_tid", options=CAP), test("clone3/clone3", user=True),
              test("pid_namespace/regression_enomem"), *tests("pidfd", "pidfd_fdinfo_test pidfd_getfd_test pidfd_open_test pidfd_poll_test pidfd_setns_test"),
              *tests("pidfd", "pidfd_test pidfd_wait", limit=180), *tests("nsfs", "owner pidns"), *tests("core", "close_range_test unshare_test"),
              test("kcmp/kcmp_test"), test("rlimits/rlimits-per-userns"), test("sched/cs_prctl_test")],
    "timers": [*tests("timers", "inconsistency-check", command="{} -t 3"), *tests("timers", "mqueue-lat nanosleep posix_timers"),
               test("timers/threadtest", "{} -t 5 -n 4"), *tests("timens", "timens timer timerfd clock_nanosleep procfs futex exec vfork_exec", command="unshare -r {}")],
    "futex": tests("futex/functional", "futex_requeue futex_requeue_pi futex_requeue_pi_mismatched_ops futex_requeue_pi_signal_restart futex_wait "
                   "futex_wait_private_mapped_file futex_wait_timeout futex_wait_uninitialized_heap futex_wait_wouldblock futex_waitv"),
    "memory": [*tests("mm", "cow droppable gup_longterm hugetlb-madvise ksm_functional_tests madv_populate map_fixed_noreplace map_hugetlb map_populate mdwe_test "
                      "mkdirty mlock2-tests mrelease_test mremap_dontunmap mremap_test mseal_test on-fault-limit pagemap_ioctl seal_elf soft-dirty "
                      "split_huge_page_test thuge-gen uffd-unit-tests virtual_address_range", limit=180),
               *tests("mm", "mlock-random-test memfd_secret", options=CAP), test("mm/memfd_secret", options=CAP, user=True), test("mm/mlock2-tests", user=True),
               *tests("mm", "uffd-stress", command="{} anon 20 3; {} shmem 20 3; {} shmem-private 20 3"), test("mm/uffd-unit-tests", user=True, limit=180),
               test("mincore/mincore_selftest"), test("memfd/memfd_test", limit=180), test("cachestat/test_cachestat")],
    "exec": [test("exec/execveat", "mkdir -p subdir; printf '#!/bin/bash\\nexit $*\\n' > script; chmod +x script; ln -sf execveat execveat.symlink; "
                  "cp execveat execveat.denatured; chmod -x execveat.denatured; touch Makefile; {}"),
             *tests("exec", "non-regular recursion-depth null-argv"), test("exec/load_address", options=["-static-pie", "-fPIE", "-Wl,-z,max-page-size=0x200000"])],
    "ipc": [test("mqueue/mq_open_tests", "{} /test1"), *tests("membarrier", "membarrier_test_single_thread membarrier_test_multi_thread"),
            test("ipc/msgque"), test("sigaltstack/sas")],
    "files": [*tests("openat2", "openat2_test resolve_test"), test("fchmodat2/fchmodat2_test"), test("filelock/ofdlocks"),
              *tests("splice", "default_file_splice_read splice_read"), *tests("filesystems", "devpts_pts"),
              test("filesystems/epoll/epoll_wakeup_test", limit=180), test("filesystems/eventfd/eventfd_test"),
              *tests("filesystems/statmount", "statmount_test statmount_test_ns"), test("filesystems/overlayfs/dev_in_maps"),
              test("tty/tty_tstamp_update"), test("acct/acct_syscall")],
    "landlock": [*tests("landlock", "base_test ptrace_test scoped_abstract_unix_test scoped_signal_test scoped_test", options=CAP),
                 test("landlock/fs_test", options=CAP, limit=300), test("landlock/net_test", options=CAP, limit=300)],
    "mounts": [*tests("mount", "nosymfollow-test unprivileged-remount-test"), test("mount_setattr/mount_setattr_test", limit=180),
               test("move_mount_set_group/move_mount_set_group_test")],
    "prctl": [*tests("prctl", "set-anon-vma-name-test set-process-name"), test("capabilities/test_execve", options=CAP_NG),
              test("capabilities/test_execve", options=CAP_NG, user=True)],
    "proc": tests("proc", "fd-001-lookup fd-002-posix-eq fd-003-kthread proc-2-is-kthread proc-empty-vm proc-fsconfig-hidepid proc-loadavg-001 "
                  "proc-multiple-procfs proc-pid-vm proc-self-isnt-kthread proc-self-map-files-001 proc-self-map-files-002 proc-self-syscall proc-self-wchan "
                  "proc-subset-pid proc-tid0 proc-uptime-001 proc-uptime-002 read self setns-dcache setns-sysvipc thread-self"),
    "vDSO": [*tests("vDSO", "vdso_test_gettimeofday vdso_test_getcpu vdso_test_abi vdso_test_clock_getres vdso_test_correctness"),
             *tests("vDSO", "vdso_test_getrandom", command="{} bench-single && {}")],
    "net": [*tests("net", "bind_bhash bind_timewait bind_wildcard ip_local_port_range netlink-dumps psock_tpacket reuseaddr_conflict reuseport_addr_any "
                   "reuseport_bpf reuseport_bpf_cpu reuseport_dualstack sk_bind_sendto_listen sk_connect_zero_addr sk_so_peek_off so_incoming_cpu "
                   "so_netns_cookie socket tap tls toeplitz tun txring_overwrite tcp_fastopen_backup_key epoll_busy_poll psock_fanout reuseaddr_ports_exhausted "
                   "udpgso", limit=120, options=CAP),
            test("net/txtimestamp", "{} -4 -L 127.0.0.1; {} -6 -L ::1; {} -4 -r; {} -4 -R"), test("net/rxtimestamp"), test("net/ip_defrag", "{} -4; {} -6; {} -4f"),
            test("net/msg_zerocopy", "{} -4 -t 1 -r udp & sleep 0.3; {} -4 -t 1 -D 127.0.0.1 udp; wait"), test("net/tcp_inq"),
            test("net/ipv6_flowlabel_mgr"), *tests("net/af_unix", "diag_uid msg_oob scm_pidfd scm_rights unix_connect")],
    "events": [test("uevent/uevent_filtering"), test("connector/proc_filter"), *tests("perf_events", "remove_on_exec sigtrap_threads watermark_signal mmap"),
               test("sync/sync_test", options=["sync_alloc.c", "sync_fence.c", "sync_merge.c", "sync_wait.c", "sync_stress_parallelism.c",
                                               "sync_stress_consumer.c", "sync_stress_merge.c", "sync.c"])],
    "arm64": [*tests("arm64/abi", "hwcap ptrace syscall-abi", guests=["arm64"]), *tests("arm64/fp", "fp-ptrace sve-ptrace vec-syscfg", guests=["arm64"]),
              *tests("arm64/tags", "tags_test", guests=["arm64"]),
              *tests("arm64/signal/testcases", "fake_sigreturn_bad_magic fake_sigreturn_bad_size fake_sigreturn_bad_size_for_magic0 "
                     "fake_sigreturn_duplicated_fpsimd fake_sigreturn_misaligned_sp fake_sigreturn_missing_fpsimd mangle_pstate_invalid_compat_toggle "
                     "mangle_pstate_invalid_daif_bits mangle_pstate_invalid_mode_el1h mangle_pstate_invalid_mode_el1t mangle_pstate_invalid_mode_el2h "
                     "mangle_pstate_invalid_mode_el2t mangle_pstate_invalid_mode_el3h mangle_pstate_invalid_mode_el3t", guests=["arm64"])],
    "riscv": [*tests("riscv/hwprobe", "hwprobe cbo which-cpus", guests=["riscv64"]), test("riscv/sigreturn/sigreturn", guests=["riscv64"]),
              test("riscv/mm/mmap_default", guests=["riscv64"]), test("riscv/mm/mmap_bottomup", "ulimit -s unlimited; {}", guests=["riscv64"]),
              test("riscv/vector/vstate_prctl", guests=["riscv64"])],
}
HELPERS = {  # programs that those of a group start: program, options
    "landlock": [test("landlock/true")], "prctl": [test("capabilities/validate_cap", options=CAP_NG)],
}

# What a test can't reach: the machine's clock, modules, power, disks.
DROPPED = ",".join(f"-{c}" for c in "sys_time sys_boot sys_module sys_rawio syslog wake_alarm".split())
SANDBOX = """set -e
mount -t tmpfs -o size=4g none /mnt
mkdir /mnt/work
cp -r {folder}/. /mnt/work
cp {metic} /mnt/metic
mount -t tmpfs none /dev/shm
umount -lR /sys
mount -t sysfs -o ro none /sys
mount --bind /proc/sys/net /proc/sys/net
mount --bind /proc/sys/fs/mqueue /proc/sys/fs/mqueue
mount --rbind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --move /mnt /tmp
chmod 1777 /tmp
ip link set lo up
chown -R {user}:{user} /tmp/work
cd /tmp/work
set +e
setpriv {privileges} --inh-caps=-all --bounding-set={dropped} sh -c '{command}'
code=$?
echo "== exit code $code"
"""
USER = 1000


def run(program_test, folder, metic):
    """(exit code, output): None and what there was when it took too long."""
    name = pathlib.PurePath(program_test.program).name
    command = program_test.command.replace("{}", f"/tmp/metic ./{name}" if metic else f"./{name}")
    user = USER if program_test.user else 0
    privileges = f"--reuid={USER} --regid={USER} --clear-groups" if program_test.user else "--clear-groups"
    script = SANDBOX.format(folder=folder, metic=metic or "/bin/true", user=user, privileges=privileges, dropped=DROPPED,
                            command=command.replace("'", "'\\''"))
    p = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--ipc", "--uts", "sh", "-c", script],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    try:
        output, _ = p.communicate(timeout=program_test.limit)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        return None, p.communicate()[0]
    said = re.search(r"^(.*)== exit code (\d+)\n", output, re.S)
    return (int(said[2]), said[1]) if said else (p.returncode, output)


LINE = re.compile(r"^[ #]*(ok|not ok) (\d+)(?: -)?(?:[ \t]+(.*))?$")


def results(code, output):
    """{test: OK, BAD or SKIP} of TAP lines, with the exit code as the last; words that differ from run to run are N."""
    found = {}
    for line in output.splitlines():
        m = LINE.match(line)
        if not m:
            continue
        words, _, directive = (m[3] or m[2]).partition("# ")
        words = re.sub(r"\d+ \(\d.*|\b\d+(?=MB\b)", "N", words)  # percentages, sizes that are tried in turn
        name = re.sub(r"0x[0-9a-f]+|\d{3,}", "N", words).replace("__kernel_", "vdso_").replace("__vdso_", "vdso_")
        name = re.sub(r"\W+", "-", name).strip("-") or m[2]
        while name in found:
            head, _, n = name.rpartition("~")
            name = f"{head or name}~{int(n) + 1}" if head else f"{name}~2"
        skipped = re.match(r"SKIP|XFAIL", directive, re.I)
        found[name] = SKIP if skipped else OK if m[1] == "ok" else BAD
    found["exit"] = {0: OK, SKIPPED: SKIP}.get(code, BAD)
    return found


def identity(t):
    return t.program + ("(user)" if t.user else "")


class Side:
    """One architecture: the programs compiled and run."""

    def __init__(self, arch):
        self.arch, self.metic = arch, None if arch == NATIVE else roots.metic()
        self.top = roots.build_folder() / "linux-selftests" / arch
        self.source, self.headers = kernel_tests.source()
        where = roots.cache() / f"selftests-{arch}"
        libraries = roots.fetch(["--extract", arch, roots.SUITE, where, "libcap-dev", "libcap-ng-dev"], where)
        self.options = [f"-I{libraries}/usr/include", *(f"-L{p}" for p in sorted(libraries.glob("usr/lib/*-linux-gnu")))]

    def folder(self, t):
        return self.top / pathlib.PurePath(t.program).parent

    def compile(self, t):
        """Whether there is a program; one compiled before by the same command is taken."""
        to = self.top / t.program
        to.parent.mkdir(parents=True, exist_ok=True)
        options = [*self.options, *t.options]
        words = " ".join(kernel_tests.command(self.source, self.headers, self.arch, t.program, to, options)[0])
        done = self.top / f"{t.program}.command"
        if to.exists() and done.exists() and done.read_text() == words:
            return True
        done.unlink(missing_ok=True)
        if kernel_tests.compile_program(self.source, self.headers, self.arch, t.program, to, options):
            done.write_text(words)
            return True
        return False

    def run(self, t):
        start = time.monotonic()
        code, output = run(t, self.folder(t), self.metic)
        seconds = time.monotonic() - start
        (self.top / f"{identity(t)}.log").write_text(f"{code} {seconds:.1f}\n{output}")
        return results(code, output), seconds


def differences(native, found):
    """{test: natively, here} of what passes or is skipped natively and doesn't here; natively None: what has to pass by itself."""
    if native is None:
        return {name: (OK, r) for name, r in found.items() if r == BAD}
    return {name: (r, found.get(name, "missing")) for name, r in native.items()
            if r == OK and found.get(name) != OK or r == SKIP and found.get(name) == BAD}


def judge(side, t, native, native_side):
    """
    (results, seconds, what differs twice, names of what differs but is natively not the same before and after): on a busy machine tests of time end
    otherwise anywhere, and say nothing.
    """
    found, seconds = side.run(t)
    different = differences(native, found)
    if different:
        again = differences(native, side.run(t)[0])
        different = {name: how for name, how in again.items() if name in different}
    unsteady = []
    if different and native is not None:
        after = native_side.run(t)[0]
        unsteady = [name for name in different if after.get(name) != native[name]]
    return found, seconds, {name: how for name, how in different.items() if name not in unsteady}, unsteady


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--guest", action="append", choices=list(roots.GUESTS), help="may be repeated; default: " + " ".join(roots.GUESTS))
    p.add_argument("--program", action="append", default=[], help="only the programs whose name this is, or matches; may be repeated")
    p.add_argument("group", nargs="*", help="default: " + " ".join(GROUPS))
    args = p.parse_args()
    for group in args.group:
        if group not in GROUPS:
            p.error(f"no group {group}: there are {' '.join(GROUPS)}")
    if os.getuid():
        sys.exit("selftests.py has to run as root, to make namespaces")
    guests = [Side(g) for g in args.guest or roots.GUESTS]
    native, excused, failures = Side(NATIVE), suite.known(HERE / "selftests-known.txt"), 0
    for group in args.group or GROUPS:
        count = {side.arch: [0, 0, 0] for side in guests}  # as natively, not, known
        for t in [*HELPERS.get(group, []), *GROUPS[group]]:
            if args.program and not any(fnmatch.fnmatch(t.program, pattern) for pattern in args.program) and t not in HELPERS.get(group, []):
                continue
            concerned = [side for side in guests if not t.guests or side.arch in t.guests]
            concerned = [side for side in concerned if side.compile(t)]
            if t in HELPERS.get(group, []):
                t.guests or native.compile(t)
                continue
            if not concerned or not t.guests and not native.compile(t):
                continue
            there = None
            if not t.guests:
                there, seconds = native.run(t)
                print(f"     {identity(t)}: natively {sum(r == OK for r in there.values())} of {len(there)} pass, {seconds:.0f} s", flush=True)
            for side in concerned:
                found, seconds, different, unsteady = judge(side, t, there, native)
                bad = 0
                for name, (expected, got) in different.items():
                    test_name = f"{identity(t)}:{name}"
                    reasons = [r for gp, tp, r in excused if fnmatch.fnmatch(side.arch, gp) and fnmatch.fnmatch(test_name, tp)]
                    print(f"{'known' if reasons else 'FAIL'} {side.arch} {test_name}: natively {expected}, here {got}" + (f": {reasons[0]}" if reasons else ""))
                    bad += not reasons
                for name in unsteady:
                    print(f"     {identity(t)}:{name}: says nothing, natively it ends now one way, now another")
                count[side.arch][0] += sum(r == OK and name not in unsteady and name not in different for name, r in (there or found).items())
                count[side.arch][1] += bad
                count[side.arch][2] += len(different) - bad
                print(f"     {side.arch} {identity(t)}: {len(different)} of {len(there or found)} differ, {seconds:.0f} s", flush=True)
        for arch, (same, bad, known) in count.items():
            print(f"{group} {arch}: {same} as natively, {bad} not, {known} known", flush=True)
            failures += bad
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
