#!/usr/bin/env python3
"""metic run --root in a small Debian root, as this user and, for root, as an ordinary one: run.py METIC GUEST"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "tools"), str(HERE.parent / "e2e")]
import roots  # noqa: E402

SMALL = "busybox bash dash coreutils grep sed gawk perl-base python3-minimal libc-bin".split()  # the root of tests/e2e
GUEST = sys.argv[2]
CPU, OTHER = roots.GUESTS[GUEST][0], next(g for g in roots.GUESTS if g != GUEST)
NOBODY = 65534
failures = []


def listing(root):
    return sorted(str(p) for p in root.rglob("*"))


def check(metic, root, who):
    def run(*words, **options):
        r = subprocess.run([metic, "run", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **who, **options)
        return r.returncode, r.stdout.strip()

    def expect(what, got, code, *texts):
        if got[0] != code or any(t not in got[1] for t in texts):
            failures.append(what)
            print(f"{what} {who}: expected {code} and {texts}, got {got}")

    def inside(script, *options):
        return run("--root", root, *options, "--", "sh", "-c", script)

    expect("root in it", inside("id -u; uname -m; pwd"), 0, f"0\n{CPU}\n/")
    expect("exit code", inside("exit 3"), 3)
    expect("death by signal", inside("kill -9 $$"), -9)
    expect("a process's child", inside("bash -c 'uname -m | cat'; env sh -c 'echo $0'"), 0, f"{CPU}\nsh")
    expect("proc", inside("cat /proc/1/comm; readlink /proc/self/exe; ls /proc | grep -c '^[0-9]'"), 0, "metic\n", "readlink\n")
    expect("dev", inside("echo x >/dev/null; head -c 4 /dev/zero | wc -c; ls /dev/pts/ptmx /dev/shm; ls -d /dev/stdout"), 0, "4\n", "/dev/stdout")
    if os.geteuid() == 0 and not who:
        mode = os.stat("/dev/full").st_mode
        expect("devices of its own", inside("chmod 600 /dev/full && stat -c %a /dev/full"), 0, "600")
        expect("the host's are as before", (os.stat("/dev/full").st_mode, ""), mode)
    expect("environment", inside("echo $A,$HOME,$METIC_TEST,$B; env | sort | head -1", "--env", "A=1 2", "--env", "B"), 0, "1 2,/root,,3")
    expect("folder", inside("pwd", "--chdir", "/usr/share"), 0, "/usr/share")
    expect("script", run("--root", root, "/usr/bin/which", "sh") if (root / "usr/bin/which").exists() else (0, ""), 0)
    expect("python", run("--root", root, "python3", "-Bc", "import os; print(os.uname().machine)"), 0, CPU)
    expect("arch", run("--root", root, "--arch", GUEST, "true"), 0)
    expect("not this arch", run("--root", root, "--arch", OTHER, "true"), 126, f"made for {CPU}")
    expect("no command", run("--root", root), 2, "no command given")
    expect("no root", run("true"), 2, "name a folder with --root")
    expect("missing root", run("--root", "/nonexistent", "true"), 2, "/nonexistent", "No such file")
    expect("missing command", run("--root", root, "frobnicate"), 127, "frobnicate", "No such file")
    expect("help", run("--help"), 0, "--root folder", "--native tool=path")
    expect("host's processes", inside("test $$ -ne 2 && ls /proc/$$ >/dev/null && echo same", "--host-pids"), 0, "same")

    expect("unmounted proc", inside("busybox umount /proc; uname -m; sh -c 'exec uname -m'; busybox mount -t proc proc /proc && cat /proc/1/comm"),
           0, f"{CPU}\n{CPU}\nmetic")
    shared = root.parent / "shared"
    if (root / "proc").is_dir():
        (root / "proc").rmdir()
    (root / "proc").symlink_to("/proc")  # as debootstrap's first stage leaves it
    expect("a link for /proc", inside("cat /proc/1/comm"), 0, "metic")
    expect("bind", inside("cat /some/where/x", "--bind", f"{shared}:/some/where"), 0, "shared file")
    expect("bind a file", inside("cat /etc/name; echo a > /etc/name", "--bind", f"{shared}/x:/etc/name:ro"), 2, "shared file", "Read-only")
    expect("bad bind", inside("true", "--bind", f"{shared}:relative"), 2, "not source")
    expect("bind what is missing", inside("true", "--bind", "/nonexistent"), 2, "No such file")
    expect("native", inside("sha256sum --version | head -1; uname -m | md5sum", "--native", "sha256sum=/usr/bin/sha256sum"), 0, "sha256sum")
    marker = subprocess.run(["uname", "-m"], stdout=subprocess.PIPE, text=True).stdout.strip()
    expect("native tool", inside("uname -m; exec uname -m", "--native", "uname=/usr/bin/uname"), 0, f"{marker}\n{marker}")
    expect("native is none", inside("true", "--native", f"uname={shared}/x"), 2, "no program of this machine")
    expect("native what", inside("true", "--native", "uname"), 2, "not tool=path")

    p = subprocess.Popen([metic, "run", "--root", root, "sh", "-c", "trap 'exit 7' TERM; echo ready; sleep 30 & wait"], stdout=subprocess.PIPE, **who)
    p.stdout.readline()
    p.send_signal(signal.SIGTERM)
    try:
        expect("signals are handed on", (p.wait(20), ""), 7)
    except subprocess.TimeoutExpired:
        expect("signals are handed on", (None, ""), 7)
        p.kill()
    p.stdout.close()
    start = time.monotonic()
    expect("its background goes with it", inside("sleep 60 </dev/null >/dev/null 2>&1 & echo gone"), 0, "gone")
    if time.monotonic() - start > 30:
        failures.append("background")
    if who and not any(line.split(":")[0] in ("nobody", str(NOBODY)) for line in open("/etc/subuid")):
        expect("no other ids", inside("true", "--user", "1000"), 126, "/etc/subuid")
    elif not who and os.geteuid() == 0:
        expect("user", inside("id -u; id -g", "--user", "1000:1001"), 0, "1000\n1001")


def check_copies(metic, root, folder):
    """What one root leaves in the cache serves its copies, which have other times of change."""
    def bytes_kept(top):
        env = {**os.environ, "METIC_CODE_CACHE": str(folder / "code")}
        for _ in range(2):  # the first only notes that there is the program
            subprocess.run([metic, "run", "--root", top, "--", "bash", "-c", "for i in 1 2 3; do :; done"], check=True, env=env)
        return {p.name: p.lstat().st_ino for p in (folder / "code").iterdir()}
    copy = folder / "copy"
    time.sleep(3)  # files that have just changed are not kept
    first = bytes_kept(root)
    subprocess.run(["cp", "-a", root, copy], check=True)
    time.sleep(3)
    if len(first) < 3 or bytes_kept(copy) != first:
        failures.append("a copy's translations")
    shutil.rmtree(copy)


os.umask(0o022)
os.environ["B"] = "3"
os.environ["METIC_TEST"] = "not passed on"
with tempfile.TemporaryDirectory(prefix="metic-run-") as name:
    folder = pathlib.Path(name)
    folder.chmod(0o755)
    metic = shutil.copy(os.path.abspath(sys.argv[1]), folder)
    root = folder / "root"
    small = roots.root(GUEST, "small", SMALL)
    subprocess.run(["cp", "-a", small, root], check=True)
    (folder / "shared").mkdir()
    (folder / "shared/x").write_text("shared file\n")
    check(metic, root, {})
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", root], check=True)
        check(metic, root, {"user": NOBODY, "group": NOBODY, "extra_groups": []})
    check_copies(metic, root, folder)
    before = listing(small)
    left = [p for p in (path.replace(str(root), "") for path in listing(root)) if str(small) + p not in before]
    if left:
        failures.append("left behind")
        print("left behind:", left)
print(*failures, sep="\n")
sys.exit(len(failures) > 0)
