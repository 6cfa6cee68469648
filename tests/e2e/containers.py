#!/usr/bin/env python3
"""What container tools and systemd of Debian's arm64 and riscv64 do under metic, compared with the same natively.

usage: containers.py GUEST
"""
import collections
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import roots  # noqa: E402

NATIVE = "amd64"
PACKAGES = "bash dash coreutils libc-bin util-linux mount grep sed procps bubblewrap systemd systemd-cryptsetup iproute2 passwd".split()
START = """mount -t tmpfs run /run; mkdir -m 777 /run/nobody; mount -t tmpfs tmp /tmp; chmod 1777 /tmp
export LC_ALL=C.UTF-8 TZ=UTC HOME=/run/nobody XDG_RUNTIME_DIR=/run/nobody
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
"""
# name: script. What it prints is compared as lines in any order: systemd's sets have none.
CASES = {
    "unshare": """unshare -r sh -c 'id -u; cat /proc/self/uid_map | wc -l'
unshare -r -m sh -c 'mount -t tmpfs x /mnt && touch /mnt/f && ls /mnt; umount /mnt; ls /mnt'
unshare -r -p -f --mount-proc sh -c 'echo $$; ps -e -o pid,comm --no-headers | wc -l'
unshare -r -n sh -c 'ip -o link | wc -l; ip link set lo up; ip -br addr'
unshare -r -u sh -c 'echo there > /proc/sys/kernel/hostname; uname -n'
unshare -r -i sh -c 'ipcmk -M 4096 > /dev/null; ipcs -m | grep -c 4096'
unshare -r -T --monotonic 100000 sh -c 'read up rest < /proc/uptime; uptime=${up%.*}; [ $uptime -gt 0 ] && echo time'
unshare --map-auto -r true 2>&1 | wc -l; unshare -r -C sh -c 'cat /proc/self/cgroup' | wc -l
nobody unshare -r sh -c 'id -u; id -g; chroot / sh -c "echo in a chroot"'
unshare -r -m sh -c 'mkdir /tmp/new && mount --bind / /tmp/new && mkdir -p /tmp/new/run/old; cd /tmp/new && pivot_root . run/old && ls -d /run/old/etc'
""",
    "bubblewrap": """in="bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp"
$in --unshare-all --uid 7 --gid 8 --hostname there sh -c 'id -u; id -g; uname -n; ls /dev; ls /proc | grep -c "^[0-9]"; ip -br addr'
$in --unshare-pid --as-pid-1 sh -c 'echo $$'
$in --unshare-user --unshare-pid --die-with-parent --new-session sh -c 'ps -o sid= -p $$ | tr -d " "; touch /etc/x 2>&1'
$in --clearenv --setenv A b --chdir /usr sh -c 'pwd; echo $A; env | wc -l'
$in --symlink etc/passwd /tmp/link --file 9 /tmp/file --dir /tmp/dir sh -c 'cat /tmp/file; readlink /tmp/link; ls /tmp' 9<<X
from a descriptor
X
nobody $in --unshare-user --cap-drop ALL sh -c 'grep ^Cap /proc/self/status; grep NoNewPrivs /proc/self/status'
nobody bwrap --unshare-user --dev-bind / / sh -c 'exit 5'; echo $?
bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib $([ -d /lib64 ] && echo --symlink usr/lib64 /lib64) --proc /proc /bin/sh -c 'echo *' | sed 's/ lib64//'
$in --info-fd 5 true 5> /run/info; grep -c child-pid /run/info; $in --json-status-fd 5 sh -c 'exit 3' 5> /run/json; grep exit-code /run/json
""",
    "roots without /proc": """root=$(mktemp -d); mount -t tmpfs x $root; cp -a /usr/lib/locale $root 2>/dev/null; mkdir $root/usr
mount --rbind /usr $root/usr; ln -s usr/bin usr/lib $root; [ -d /usr/lib64 ] && ln -s usr/lib64 $root
printf '#!/bin/sh\necho script "$0" "$*"; exec sh -c "echo further"\n' > $root/script; chmod +x $root/script
chroot $root /script a b; chroot $root env -i /bin/sh -c '/script c; sh -c "(exit 3)"; echo $?'
bwrap --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib $([ -d /lib64 ] && echo --symlink usr/lib64 /lib64) /bin/sh -c 'sh -c "ls /usr | grep -v lib64"'
umount -l /proc; sh -c 'ls /proc | wc -l'; chroot $root /script d
""",
    "systemd --test of the system": "nobody /usr/lib/systemd/systemd --test --system; echo exit code $?",
    "systemd --test of a user": "nobody /usr/lib/systemd/systemd --test --user; echo exit code $?",
    "systemd's tools": """systemd-analyze calendar --base-time='2026-01-01 UTC' --iterations=3 'Mon *-*-01 12:00' 'hourly' | grep -v 'From now'
systemd-analyze timespan '3h 4min 5s'; systemd-analyze timestamp --json=off '2026-01-01 00:00:00 UTC' | grep -v 'From now'
systemd-analyze syscall-filter @basic-io; systemd-analyze filesystems | wc -l; systemd-analyze exit-status | head -20
systemd-analyze verify /usr/lib/systemd/system/systemd-journald.service; echo $?
systemd-analyze --offline=yes security systemd-logind.service --no-pager | tail -1
systemd-escape --path /a/b-c; systemd-escape -u a-b; systemd-path | grep -v '/run/nobody' | sort; systemd-id128 -a sd-id128 new | wc -c
mkdir -p /tmp/root/etc; cp /etc/passwd /etc/group /tmp/root/etc; printf 'u metic-test 4711 "A user" /var/lib/x\nm metic-test root\n' > /tmp/u.conf
systemd-sysusers --root=/tmp/root /tmp/u.conf; grep metic /tmp/root/etc/passwd /tmp/root/etc/group
printf 'd /a/b 0711 7 8\nf /a/f 0600 - - - text\nL /a/l - - - - f\np /a/p 0620\nw /a/f - - - - other\n' > /tmp/t.conf
systemd-tmpfiles --root=/tmp/root --create /tmp/t.conf; stat -c '%A %u %g %n' /tmp/root/a/*; cat /tmp/root/a/f; systemd-tmpfiles --root=/tmp/root --remove /tmp/t.conf
systemd-detect-virt --list | wc -l; systemd-cat --help | wc -l; systemd-delta --no-pager | wc -l
systemd-notify --ready; echo $?; systemd-socket-activate --help | wc -l
""",
}


def output(guest, script):
    where = roots.root(guest, "containers", PACKAGES)
    roots.configure(where)
    r = subprocess.run([roots.metic(), "run", "--root", where, "bash", "-c", START + script], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    return r.stdout.decode(errors="replace")


def lines(text):
    """What differs from one run to the next is taken out."""
    text = re.sub(r"[A-Z][a-z][a-z] \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", text)
    text = re.sub(r"\b\d+(\.\d+)?(us|ms|s|min)\b", "SPAN", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    text = re.sub(r"Job \d+", "Job", text)
    text = re.sub(r"\b(x86[_-]64|aarch64|arm64|riscv64)\b", "PROCESSOR", text)
    return collections.Counter(" ".join(sorted(line.split())) if "SystemCallFilter" in line else line for line in text.splitlines())


def main():
    guest, failed = sys.argv[1], 0
    for name, script in CASES.items():
        native, found = (lines(output(g, script)) for g in (NATIVE, guest))
        if native == found and native:
            continue
        failed += 1
        print(f"{guest}: {name}:")
        for mark, there in (("natively only", native - found), ("here only", found - native)):
            for line in list(there.elements())[:20]:
                print(f"  {mark}: {line[:200]}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


main()
