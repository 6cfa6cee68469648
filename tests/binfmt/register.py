#!/usr/bin/env python3
"""metic binfmt against the kernel, in a table of its own: register.py METIC ARCH PROGRAM"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import namespace  # noqa: E402

METIC, ARCH, PROGRAM = os.path.abspath(sys.argv[1]), sys.argv[2], os.path.abspath(sys.argv[3])
ENTRY = f"metic-{ARCH}"
MACHINE = {"aarch64": "\\xb7\\x00", "riscv64": "\\xf3\\x00"}[ARCH]
failures = []


def run(*words, **options):
    r = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    return r.returncode, r.stdout.strip()


def binfmt(*words, **options):
    return run(METIC, "binfmt", *words, ARCH, **options)


def expect(what, got, code, *texts):
    if got[0] != code or any(t not in got[1] for t in texts):
        failures.append(what)
        print(f"{what}: expected {code} and {texts}, got {got}")


def entries():
    return sorted(f.name for f in namespace.FOLDER.iterdir())


def kernel(line):
    (namespace.FOLDER / "register").write_text(line)


def flags(name):
    return [line for line in (namespace.FOLDER / name).read_text().splitlines() if line.startswith("flags")][0]


def check_messages_without_rights():
    """Outside the namespace: who may not register is told so, and nothing is left."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        metic = shutil.copy(METIC, folder)
        got = run(metic, "binfmt", "install", ARCH, **nobody)
        expect("without rights", got, 1, "with sudo, or in a container started with --privileged")


def check_kernel_refusals():
    """Errors that this kernel does not give are put into its mouth."""
    strace = shutil.which("strace")
    if not strace:
        return
    for call, error, text in [("mount", "ENODEV", "CONFIG_BINFMT_MISC"), ("mount", "EPERM", "only root may mount"),
                              ("mount", "EACCES", "forbidden here")]:
        got = run(strace, "-qqq", "-o", "/dev/null", "-e", f"inject={call}:error={error}", METIC, "binfmt", "install", ARCH)
        expect(f"{call} {error}", got, 1, text)
    namespace.mount()
    register = namespace.FOLDER / "register"
    for error, text in [("EINVAL", "does not understand the entry"), ("EEXIST", "an entry of this name"),
                        ("EROFS", "read-only"), ("EPERM", "with sudo"), ("ENOENT", "the interpreter is missing")]:
        got = run(strace, "-qqq", "-o", "/dev/null", "-P", register, "-e", f"inject=write:error={error}", METIC, "binfmt", "install", ARCH)
        expect(f"register {error}", got, 1, text)
        assert entries() == ["register", "status"], entries()
    # A replacement that fails leaves what was there: the first write after the removal is refused.
    binfmt("install")
    got = run(strace, "-qqq", "-o", "/dev/null", "-P", register, "-e", "inject=write:error=EINVAL:when=1", METIC, "binfmt", "install",
              "--credentials", ARCH)
    expect("a replacement that fails", got, 1, "does not understand the entry")
    assert flags(ENTRY) == "flags: POF", flags(ENTRY)
    namespace.unmount()


def check_registration():
    expect("not mounted", binfmt("status"), 1, "not mounted", "not registered")
    expect("install", binfmt("install"), 0, f"{ENTRY}: {ARCH} programs are run by")
    expect("install twice", binfmt("install"), 0, "already registered")
    expect("status", binfmt("status"), 0, "flags POF")
    expect("credentials", binfmt("install", "--credentials"), 0, "warning", "programs are run by")
    assert flags(ENTRY) == "flags: POCF", flags(ENTRY)
    expect("no credentials", binfmt("install"), 0, "programs are run by")
    (namespace.FOLDER / ENTRY).write_text("0")
    expect("switched off", binfmt("status"), 1, "switched off")
    expect("on again", binfmt("install"), 0, "programs are run by")
    expect("remove", binfmt("remove"), 0, "removed")
    expect("remove twice", binfmt("remove"), 0, "not registered")
    assert entries() == ["register", "status"], entries()


def check_installers_spelling():
    """What scripts say to the images that register other interpreters."""
    expect("--install", run(METIC, "binfmt", "--install", "all"), 0, f"{ENTRY}: {ARCH} programs are run by")
    expect("--install twice", run(METIC, "binfmt", "--install", ARCH), 0, "already registered")
    expect("--uninstall the entry", run(METIC, "binfmt", "--uninstall", ENTRY), 0, "removed")
    expect("--uninstall", run(METIC, "binfmt", "--uninstall", "all"), 0, f"{ENTRY}: not registered", "removed")
    expect("--install nothing known", run(METIC, "binfmt", "--install", f"{ARCH},vax"), 2, "no guest vax")
    assert entries() == ["register", "status"], entries()


def check_read_only():
    """As in a container that may see the table only."""
    binfmt("install")
    folder = str(namespace.FOLDER).encode()
    namespace.bind(namespace.FOLDER, namespace.FOLDER)
    namespace.call("mount", None, folder, None, namespace.MS_REMOUNT | namespace.MS_BIND | namespace.MS_RDONLY, None)
    expect("read-only, as it is", binfmt("install"), 0, "already registered")
    expect("read-only", binfmt("install", "--credentials"), 1, "read-only", "mount -o remount,rw")
    expect("read-only remove", binfmt("remove"), 1, "read-only", "mount -o remount,rw")
    namespace.unmount()
    binfmt("remove")
    namespace.bind(namespace.FOLDER, namespace.FOLDER)
    namespace.call("mount", None, folder, None, namespace.MS_REMOUNT | namespace.MS_BIND | namespace.MS_RDONLY, None)
    expect("read-only install", binfmt("install"), 1, "read-only", "mount -o remount,rw")
    namespace.unmount()
    assert entries() == ["register", "status"], entries()


def check_mounted_elsewhere():
    """As in a container of the same user namespace: the table is there and is seen, but not at its place."""
    binfmt("install")
    folder = str(namespace.FOLDER).encode()

    def hidden(*words):
        def hide():
            namespace.private_mounts()
            namespace.call("umount2", folder, 2)  # MNT_DETACH
        return binfmt(*words, preexec_fn=hide)
    expect("elsewhere: status", hidden("status"), 0, "not mounted here", f"{ARCH}: ")
    expect("elsewhere: install", hidden("install"), 0, "already registered")
    expect("elsewhere: remove", hidden("remove"), 0, f"{ENTRY}: removed")
    assert entries() == ["register", "status"], entries()


def check_hold():
    p = subprocess.Popen([METIC, "binfmt", "hold", ARCH], stdout=subprocess.PIPE, text=True)
    p.stdout.readline()
    expect("held", binfmt("status"), 0, ENTRY)
    p.terminate()
    expect("let go", (p.wait(20), p.stdout.read()), 0, "removed")
    p.stdout.close()
    expect("not held", binfmt("status"), 1, "not registered")


def check_persist():
    """In a folder of the namespace's own."""
    folder = pathlib.Path("/etc/binfmt.d")
    if not folder.is_dir():
        return
    namespace.call("mount", b"tmpfs", str(folder).encode(), b"tmpfs", 0, None)
    conf = folder / f"zz-{ENTRY}.conf"
    expect("persist", binfmt("install", "--persist=systemd"), 0, f"registered at every start by {conf}")
    expect("its line", (0, conf.read_text()), 0, binfmt("print")[1])
    expect("undone", binfmt("remove"), 0, f"removed, with {conf}")
    expect("persist how", binfmt("install", "--persist=x"), 2, "neither systemd nor debian")
    assert not list(folder.iterdir())
    namespace.call("umount2", str(folder).encode(), 0)


def check_others():
    kernel(f":metic-test-other:M:18:{MACHINE}:\\xff\\xff:/bin/false:F")  # too wide a magic, as some have
    expect("other's", binfmt("status"), 1, "/bin/false (entry metic-test-other")
    expect("install over other's", binfmt("install"), 1, "metic-test-other", "--takeover")
    assert ENTRY not in entries()
    time.sleep(0.05)  # the clock of the files' times
    expect("takeover", binfmt("install", "--takeover"), 0, "no longer by /bin/false")
    expect("after takeover", binfmt("status"), 0, ENTRY)
    expect("takeover twice", binfmt("install", "--takeover"), 0, "already registered")
    expect("remove gives back", binfmt("remove"), 0, "removed")
    expect("other's again", binfmt("status"), 1, "/bin/false")
    expect("name of other's", binfmt("remove", "--name", "metic-test-"), 0, "not registered")
    (namespace.FOLDER / "metic-test-other").write_text("-1")
    kernel(":metic-test-elsewhere:M:64:metictest::/bin/false:")  # entries that have nothing to do with the header
    kernel(":metic-test-extension:E::metictest::/bin/false:")
    expect("strange entries", binfmt("install"), 0, "programs are run by")
    expect("beside strange entries", binfmt("remove"), 0, "removed")
    for name in ("elsewhere", "extension"):
        (namespace.FOLDER / f"metic-test-{name}").write_text("-1")
    kernel(f":metic-test-{ARCH}:M:18:\\x01\\x02:\\xff\\xff:/bin/false:")
    expect("same name", binfmt("install", "--name", "metic-test-"), 1, "belongs to /bin/false", "--takeover")
    expect("removing other's", binfmt("remove", "--name", "metic-test-"), 1, "it stays")
    expect("replacing other's", binfmt("install", "--name", "metic-test-", "--takeover"), 0, "programs are run by")
    expect("own name", binfmt("remove", "--name", "metic-test-"), 0, "removed")
    assert entries() == ["register", "status"], entries()


def check_words():
    expect("no action", run(METIC, "binfmt"), 2, "say install, status, remove, print or hold")
    expect("bad action", run(METIC, "binfmt", "frob"), 2, "no action frob")
    expect("bad arch", run(METIC, "binfmt", "status", "vax"), 2, "no guest vax")
    expect("bad option", run(METIC, "binfmt", "--frob"), 2, "unknown option --frob")
    expect("help", run(METIC, "binfmt", "--help"), 0, "--persist[=systemd|debian]", "--credentials")
    expect("no interpreter", binfmt("install", "--interpreter", "/nonexistent"), 1, "--interpreter")
    expect("kernel's line", binfmt("print"), 0, f":{ENTRY}:M:0:\\x7f\\x45\\x4c\\x46\\x02\\x01\\x01", ":POF")
    expect("a name of delimiters", binfmt("install", "--name", "a:|;"), 0, "programs are run by")
    expect("its end", binfmt("remove", "--name", "a:|;"), 0, "removed")
    expect("a name that is a path", binfmt("install", "--name", "a/b"), 2, "not the beginning of a file name")
    expect("an interpreter that is none", binfmt("install", "--interpreter", "/etc/passwd"), 1, "/etc/passwd", "--interpreter")
    expect("line with a colon", binfmt("print", "--interpreter", "/a:b"), 0, "|/a:b|POF")
    expect("systemd's file", binfmt("print", "--systemd", "--interpreter", "/usr/bin/metic"), 0, "# ", ":/usr/bin/metic:POF")
    expect("debian's file", binfmt("print", "--debian", "--credentials"), 0, "package metic\ninterpreter /", "credentials yes\npreserve yes\nfix_binary yes")


def check_print_is_what_install_does():
    line = binfmt("print")[1]
    kernel(line)
    expect("printed line", binfmt("install"), 0, "already registered")
    binfmt("remove")


def check_programs(folder):
    """Programs that the kernel hands to metic."""
    binfmt("install")
    program = folder / "program"
    shutil.copy(PROGRAM, program)
    expect("arguments", run(program, "a", "b c"), 0, f"{program} a b c execfn {program} uid 0 euid 0 secure 0")
    expect("argv[0]", run("x y", "-z", executable=program), 0, f"x y -z execfn {program}")
    expect("exec", run(program, "exec", program, "other", "1"), 0, f"other 1 execfn {program}")
    for name in ["binfmt", "run", "-L", "-h"]:  # neither commands nor options
        shutil.copy(PROGRAM, folder / name)
        expect(f"a program called {name}", run(program, "exec", name, name, "1", cwd=folder), 0, f"{name} 1 execfn")
        expect(f"started as {name}", run("env", "-C", folder, "python3", "-c", f"import os; os.execv({name!r}, [{name!r}, '1'])"), 0,
               f"{name} 1 execfn {name}")
    expect("a program called binfmt, by hand", run(METIC, "./binfmt", "1", cwd=folder), 0, "./binfmt 1")
    expect("behind --", run(METIC, "--", "binfmt", "1", cwd=folder), 0, "binfmt 1")
    script = folder / "script"
    script.write_text(f"#!{program} word\n")
    script.chmod(0o755)
    expect("script", run(script, "x"), 0, f"{program} word {script} x")
    # Without /proc there is no way to metic but the kernel's.
    os.symlink("program", folder / "link")
    expect("chroot without /proc", run(program, "chroot", folder, "/link", "inside"), 0, "inside execfn /link")
    expect("exec without /proc", run("chroot", folder, "/program", "exec", "/link", "inside", "2"), 0, "inside 2 execfn /link")
    # A container's home folder belongs to its image: translations are kept in a folder that was put there for them alone.
    home = dict(os.environ, HOME="/", METIC_CODE_CACHE="")
    expect("in a chroot with a home", run("chroot", folder, "/program", "1", env=home), 0, "1 execfn")
    if (folder / ".cache").exists():
        failures.append("translations in a container's home")
    if os.geteuid() == 0:
        (folder / "var/cache/metic").mkdir(parents=True)
        expect("in a chroot with a cache", run("chroot", folder, "/program", "1", env=home), 0, "1 execfn")
        if not list((folder / "var/cache/metic").iterdir()):
            failures.append("no translations in the cache folder")
    expect("nothing to exec", run("chroot", folder, "/program", "exec", "/missing", "x"), 1, "No such file")


def check_rights(folder):
    """Set-user-ID programs, and ones that may only be executed. Needs more than one id."""
    if pathlib.Path("/proc/self/uid_map").read_text().split()[2] == "1":
        return
    os.chmod(folder, 0o755)
    program, setuid, dark = folder / "program", folder / "setuid", folder / "dark"
    shutil.copy(PROGRAM, setuid)
    os.chmod(setuid, 0o4755)
    shutil.copy(PROGRAM, dark)
    os.chmod(dark, 0o111)
    user = {"user": 1000, "group": 1000, "extra_groups": []}
    expect("only executable", run(dark, "1", **user), 0, "dark 1")
    expect("only executable, by exec", run(program, "exec", dark, "dark", "1", **user), 0, "dark 1")
    expect("set-user-ID without credentials", run(setuid, **user), 0, "uid 1000 euid 1000 secure 0")
    expect("exec without credentials", run(program, "exec", setuid, "setuid", **user), 0, "uid 1000 euid 1000 secure 0")
    binfmt("install", "--credentials")
    expect("set-user-ID", run(setuid, **user), 0, "uid 1000 euid 0 secure 1")
    expect("exec of set-user-ID", run(program, "exec", setuid, "setuid", **user), 0, "uid 1000 euid 0 secure 1")
    env = dict(os.environ, QEMU_SET_ENV="A=1", QEMU_ARGV0="wrong", QEMU_STRACE="1")
    expect("no orders from the user", run(setuid, env=env, **user), 0, f"{setuid} execfn {setuid} uid 1000 euid 0")
    binfmt("remove")
    metic = shutil.copy(METIC, folder)  # the build folder may be out of the user's reach
    expect("exec without registration", run(metic, program, "exec", setuid, "setuid", **user), 0, "uid 1000 euid 1000 secure 0")


def in_namespace():
    namespace.enter()
    check_kernel_refusals()
    namespace.mount()
    namespace.unmount()
    check_registration()
    check_installers_spelling()
    check_read_only()
    check_mounted_elsewhere()
    check_hold()
    check_persist()
    check_others()
    check_words()
    check_print_is_what_install_does()
    with tempfile.TemporaryDirectory() as name:
        check_programs(pathlib.Path(name))
        check_rights(pathlib.Path(name))
    return len(failures) > 0


before = namespace.machine_entries()
check_messages_without_rights()
code = namespace.in_child(in_namespace)
if namespace.machine_entries() != before:
    failures.append("the machine's entries")
    print(f"the machine's entries were:\n{before}\nand are:\n{namespace.machine_entries()}")
sys.exit(code or (f"{len(failures)} failed" if failures else 0))
