#!/usr/bin/env python3
"""File systems made, mounted, changed and looked at by Debian's btrfs, e2fsprogs, xfsprogs and util-linux of a guest, against the same
programs of amd64 run natively: what they say of the same disk is the same, and what the guest's do is there for the native ones.

    disks.py arm64|riscv64
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import uuid

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import roots  # noqa: E402

SKIPPED = 77  # to meson
PACKAGES = ["libc-bin", "btrfs-progs", "e2fsprogs", "xfsprogs", "util-linux", "coreutils", "mount"]
UUID = str(uuid.uuid4())  # two disks of one would not be mounted, should another run of this be there
# What the guest does, then what both show: {i} the disk's image, {d} its loop device, {m} where it is mounted, {u} its UUID.
DISKS = {
    "btrfs": {
        "make": "mkfs.btrfs -q -f -U {u} -L before {d}",
        "change": ["btrfs subvolume create {m}/sub", "btrfs subvolume create {m}/sub/inner", "cp /etc/services {m}/sub/file", "cp --reflink=always {m}/sub/file {m}/sub/copy",
                   "sync", "btrfs subvolume snapshot -r {m}/sub {m}/snap", "mkdir {m}/received", "btrfs send -q -f {i}.stream {m}/snap",
                   "btrfs receive -q -f {i}.stream {m}/received", "btrfs filesystem label {m} after", "btrfs quota enable {m}", "btrfs qgroup create 1/5 {m}",
                   "btrfs qgroup limit 1G 1/5 {m}", "btrfs property set {m}/sub/file compression zlib", "btrfs subvolume set-default 256 {m}",
                   "btrfs filesystem defragment {m}/sub/file", "btrfs filesystem sync {m}", "btrfs scrub start -B {m}", "btrfs balance start -dusage=5 {m}",
                   "btrfs filesystem resize -16M {m}", "btrfs subvolume delete -c {m}/sub/inner", "chattr +C {m}/received", "fstrim {m}", "btrfs device stats -z {m}",
                   "btrfs quota rescan -w {m}", "btrfs subvolume sync {m}", "sync"],
        "show": ["btrfs subvolume list -apuqR {m}", "btrfs subvolume show {m}/snap", "btrfs subvolume show {m}/received/snap", "btrfs filesystem show {m}",
                 "btrfs filesystem df {m}", "btrfs filesystem usage -b {m}", "btrfs filesystem du {m}/sub", "btrfs filesystem label {m}", "btrfs property get {m}/snap",
                 "btrfs property get {m}/sub/file", "btrfs qgroup show -prce {m}", "btrfs device usage -b {m}", "btrfs device stats {m}",
                 "btrfs subvolume get-default {m}", "btrfs subvolume find-new {m}/sub 1", "btrfs inspect-internal rootid {m}/snap",
                 "btrfs inspect-internal inode-resolve 258 {m}/sub", "btrfs inspect-internal subvolid-resolve 256 {m}", "btrfs inspect-internal min-dev-size {m}",
                 "btrfs inspect-internal list-chunks {m}", "btrfs balance status {m}", "filefrag -v {m}/sub/copy", "lsattr -d {m}/received",
                 "btrfs send -q --no-data -f {i}.again {m}/snap", "cksum {i}.again", "btrfs subvolume list {m}/nothing"],
    },
    "ext4": {
        "make": "mkfs.ext4 -q -F -U {u} -L before -E lazy_itable_init=0,hash_seed={u} {d} 64M",
        "change": ["resize2fs {d} 100M", "cp /etc/services {m}/file", "cp /etc/passwd {m}/other", "chattr +Ad {m}/file", "chattr +i {m}/other", "e2label {d} after",
                   "e4defrag {m}/file", "tune2fs -c 33 {d}", "tune2fs -o user_xattr {d}", "fstrim {m}", "fsfreeze -f {m}", "fsfreeze -u {m}",
                   "fallocate -l 1M {m}/long", "fallocate -p -o 64K -l 64K {m}/long", "sync"],
        "show": ["lsattr {m}", "lsattr -v {m}/file", "lsattr -p {m}/other", "filefrag -v {m}/file {m}/long", "filefrag -B {m}/file", "tune2fs -l {d}", "dumpe2fs -h {d}",
                 "e2label {d}", "e2freefrag {d}", "blkid -p {d}", "blockdev --report {d}", "blockdev --getsize64 --getss --getpbsz --getro --getra {d}", "blkzone report {d}",
                 "lsblk -bno NAME,SIZE,FSTYPE,LABEL,MOUNTPOINT {d}", "losetup -l {d}", "findmnt -n {m}", "stat -f {m}", "fstrim -n {m}", "wipefs {d}", "e2fsck -fn {d}"],
    },
    "xfs": {
        "make": "mkfs.xfs -q -f -m uuid={u} -L before {d}",
        "change": ["cp /etc/services {m}/file", "cp --reflink=always {m}/file {m}/copy", "xfs_growfs {m}", "xfs_io -f -c \"extsize 64k\" {m}/empty", "xfs_io -f -c \"pwrite -q 0 1m\" {m}/big",
                   "xfs_io -c \"reflink {m}/big 0 0 256k\" {m}/copy", "xfs_io -c \"dedupe {m}/big 512k 512k 64k\" {m}/big", "xfs_io -c \"chattr +a\" {m}/big", "xfs_fsr {m}/file",
                   "xfs_io -x -c \"resblks 100\" {m}", "sync"],
        "show": ["xfs_spaceman -c info {m}", "xfs_io -c stat {m}/file", "xfs_io -c \"bmap -vv\" {m}/copy", "xfs_io -r -c \"fiemap -v\" {m}/big", "xfs_io -r -c lsattr {m}/big", "xfs_io -c \"fsmap -v\" {m}",
                 "xfs_io -c statfs {m}", "xfs_io -c \"bulkstat\" {m}", "xfs_io -c inumbers {m}", "xfs_io -x -c resblks {m}", "xfs_io -c label {m}",
                 "xfs_spaceman -c \"freesp\" {m}", "xfs_quota -x -c \"report\" {m}", "xfs_db -r -c \"sb 0\" -c p {d}", "xfs_scrub -n {m}"],
    },
}
# Times, counters and figures that go on by themselves.
PASSING = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4})?|\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}|\b(lifetime|Lifetime) writes.*|Journal sequence.*|bs_[amc]time.*|"
                     r"stat\.[amc]time.*|Last checked.*|[Cc]hecksum.*|bs_gen.*|\(0[xX]?[0-9a-f]*\)$")


def command(words, native):
    name, *rest = shlex.split(words)
    where = next(p for p in ("usr/bin", "usr/sbin", "bin", "sbin") if (native_root / p / name).exists())
    with open(native_root / where / name, "rb") as f:
        script = f.read(2) == b"#!"
    if native or script:
        libraries = ":".join(str(native_root / p) for p in ("usr/lib/x86_64-linux-gnu", "usr/lib"))
        loader = str(native_root / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
        return [loader, "--library-path", libraries, str(native_root / where / name), *rest]
    return [roots.metic(), "-L", str(guest_root), str(guest_root / where / name), *rest]


def run(words, native):
    p = subprocess.run(command(words, native), capture_output=True, text=True, timeout=300, errors="replace", stdin=subprocess.DEVNULL)
    return p.returncode, PASSING.sub("...", p.stdout), PASSING.sub("...", p.stderr)


def look(kind, folder):
    names = {"i": f"{folder}/{kind}", "m": f"{folder}/at", "u": UUID, "d": ""}
    with open(names["i"], "wb") as f:
        f.truncate(400 << 20)
    os.makedirs(names["m"], exist_ok=True)
    failed = 0
    code, out, errors = run(f"losetup -f --show {names['i']}", False)
    if code:
        print(f"no loop devices here: {errors}")
        return None
    names["d"] = out.strip()
    try:
        if (made := run(DISKS[kind]["make"].format(**names), False))[0]:
            print(f"{DISKS[kind]['make']}: {made}")
            return 1
        mounted = subprocess.run(["mount", names["d"], names["m"]], capture_output=True, text=True)
        if mounted.returncode:
            known = f"\t{kind}\n" in pathlib.Path("/proc/filesystems").read_text()
            print(f"{kind}: {mounted.stderr}" if known else f"the kernel has no {kind}")
            return int(known)
        subprocess.run(["losetup", "-d", names["d"]], check=True)  # when it is no longer mounted
        for words in DISKS[kind]["change"]:
            words = words.format(**names)
            code, out, errors = run(words, False)
            if code and run(words, True)[0] == 0:  # not the kernel's doing
                failed += 1
                print(f"{words}: {code} {out}{errors}")
        for words in DISKS[kind]["show"]:
            words = words.format(**names)
            want, got = run(words, True), run(words, False)
            if got != want and got != run(words, True):
                failed += 1
                print(f"{words}\n--- natively {want[0]}\n{want[1]}{want[2]}--- guest {got[0]}\n{got[1]}{got[2]}")
    finally:
        if subprocess.run(["umount", names["m"]], capture_output=True).returncode:  # never mounted: the device is still ours
            subprocess.run(["losetup", "-d", names["d"]], capture_output=True)
    return failed


guest = sys.argv[1]
if os.getuid() or not os.path.exists("/dev/loop-control"):
    print("needs root and loop devices")
    sys.exit(SKIPPED)
if sys.argv[2:3] != ["inside"]:  # mounts of its own, which end with a run that is ended early
    sys.exit(subprocess.run(["unshare", "--mount", sys.executable, __file__, guest, "inside", *sys.argv[2:]]).returncode)
guest_root, native_root = (pathlib.Path(roots.root(g, "disks", PACKAGES)) for g in (guest, "amd64"))
failed = 0
with tempfile.TemporaryDirectory(prefix="metic-disks-") as folder:
    for kind in sys.argv[3:] or DISKS:
        one = look(kind, folder)
        if one is None:
            sys.exit(SKIPPED)
        print(f"{kind}: {len(DISKS[kind]['change'])} changes, {len(DISKS[kind]['show'])} looks, {one} failed")
        failed += one
sys.exit(failed != 0)
