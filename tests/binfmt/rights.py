#!/usr/bin/env python3
"""Programs with rights of their own, run through a registration with the flag for credentials: Debian's sudo and su, programs that are
set-user-ID, set-group-ID or have capabilities; started by native programs and by guests; and where they get none.

    rights.py METIC arm64|riscv64 PROGRAM

PROGRAM is rights.c for the guest. In a user namespace with a binfmt_misc of its own, as root of this machine.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]
import bootstrap  # noqa: E402
import namespace  # noqa: E402
import roots  # noqa: E402

PACKAGES = ["sudo", "passwd", "util-linux", "login", "bash", "dash", "coreutils", "libc-bin", "base-files", "libpam-modules"]
FILES = {
    "etc/passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\nsomeone:x:1234:1234::/:/bin/sh\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\nsomeone:x:1234:\nothers:x:77:\n",
    "etc/shadow": "root:*:1::::::\nsomeone:*:1::::::\n",
    "etc/sudoers.d/someone": "someone ALL=(ALL) NOPASSWD: ALL\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    **{f"etc/pam.d/{name}": "".join(f"{kind} sufficient pam_permit.so\n" for kind in ("auth", "account", "password", "session"))
       for name in ("su", "sudo", "sudo-i", "other", "common-auth", "common-account", "common-session", "common-session-noninteractive")},
}
# What someone's shell is told, and what it is to print.
ASKED = [
    ("id -u; sudo -n id -u; sudo -n -u nobody id -un; sudo -n sh -c 'id -u; exec id -un'", "1234\n0\nnobody\n0\nroot"),
    ("sudo -n -u someone sudo -n id -u", "0"),
    ("/rights/plain a", "uid 1234 euid 1234 gid 1234 egid 1234 secure 0 auxeuid 1234 raw 0 a"),
    ("/rights/suid 'b c'", "uid 1234 euid 0 gid 1234 egid 1234 secure 1 auxeuid 0 raw 1 b c"),
    ("/rights/other", "uid 1234 euid 65534 gid 1234 egid 1234 secure 1 auxeuid 65534 raw 0"),
    ("/rights/sgid", "uid 1234 euid 1234 gid 1234 egid 77 secure 1 auxeuid 1234 raw 0"),
    ("/rights/capable", "uid 1234 euid 1234 gid 1234 egid 1234 secure 1 auxeuid 1234 raw 1"),
    ("/rights/plain under /rights/suid d", "uid 1234 euid 1234 gid 1234 egid 1234 secure 0 auxeuid 1234 raw 0 d"),
    ("/nosuid/suid", "uid 1234 euid 1234 gid 1234 egid 1234 secure 0 auxeuid 1234 raw 0"),
    ("/rights/script", "uid 1234 euid 1234 gid 1234 egid 1234 secure 0 auxeuid 1234 raw 0 /rights/script"),
]


def prepare(root, program):
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
    (root / "etc/sudoers.d/someone").chmod(0o440)
    (root / "root").mkdir(exist_ok=True)
    rights = root / "rights"
    rights.mkdir()
    for name, owner, group, mode in (("plain", 0, 0, 0o755), ("suid", 0, 0, 0o4755), ("other", 65534, 0, 0o4755), ("sgid", 0, 77, 0o2755), ("capable", 0, 0, 0o755)):
        shutil.copyfile(program, rights / name)
        os.chown(rights / name, owner, group)
        (rights / name).chmod(mode)
    (rights / "script").write_text("#!/rights/plain\n")
    (rights / "script").chmod(0o4755)
    # struct vfs_cap_data of linux/capability.h: revision 2, effective; CAP_NET_RAW
    os.setxattr(rights / "capable", "security.capability", b"".join(n.to_bytes(4, "little") for n in (0x02000001, 1 << 13, 0, 0, 0)))
    for name, (major, minor) in bootstrap.DEVICES.items():
        path = root / "dev" / name
        if not path.exists():
            os.mknod(path, 0o20666, os.makedev(major, minor))
            path.chmod(0o666)


def main(metic, guest, root):
    namespace.enter()
    namespace.mount()
    subprocess.run([metic, "binfmt", "install", "--credentials", roots.GUESTS[guest][0]], check=True, stdout=subprocess.DEVNULL)
    bootstrap.bind_proc(root)
    (root / "nosuid").mkdir()
    namespace.bind(root / "rights", root / "nosuid")
    namespace.call("mount", b"none", str(root / "nosuid").encode(), None, namespace.MS_REMOUNT | namespace.MS_BIND | 2, None)  # MS_NOSUID
    failed = 0
    for words, want in ASKED:
        r = subprocess.run(bootstrap.command(root, 'exec su someone -c "$0"') + [words], capture_output=True, text=True, timeout=300)
        if r.stdout.strip() != want or r.returncode:
            failed += 1
            print(f"{words}: expected {want!r}, got {r.returncode} {r.stdout!r} {r.stderr!r}")
        if words.startswith("/") and " " not in words:  # a native program executes it
            pid = os.fork()
            if pid == 0:
                os.dup2(os.open(root / "tmp/out", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o666), 1)
                os.chroot(root)
                os.chdir("/")
                os.setgroups([])
                os.setgid(1234)
                os.setuid(1234)
                os.execv(words, [words])
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            out = (root / "tmp/out").read_text().strip()
            if status or out != want:
                failed += 1
                print(f"{words}, executed natively: expected {want!r}, got {status} {out!r}")
    print(f"{len(ASKED)} commands, {failed} failed")
    return failed


metic, guest, program = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
if os.geteuid():
    print("needs root")
    sys.exit(namespace.SKIP)
fetched = roots.root(guest, "rights", PACKAGES)
with tempfile.TemporaryDirectory(prefix="metic-rights-") as folder:
    os.chmod(folder, 0o755)
    subprocess.run(["cp", "-a", "--reflink=auto", fetched, pathlib.Path(folder) / "root"], check=True)
    prepare(pathlib.Path(folder) / "root", program)
    code = namespace.in_child(main, metic, guest, pathlib.Path(folder) / "root")
sys.exit(code)
