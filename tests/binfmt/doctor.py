#!/usr/bin/env python3
"""metic doctor: each finding it can make in a namespace of its own: doctor.py METIC ARCH STATIC-PROGRAM COMPILER"""

import contextlib
import ctypes
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import namespace  # noqa: E402

PTRACE_TRACEME, PTRACE_DETACH, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, AT_PAGESZ = 0, 17, 38, 22, 2, 6
SYS_MMAP, SYS_PERSONALITY, PROT_EXEC = 9, 135, 4
METIC, ARCH, STATIC, COMPILER = os.path.abspath(sys.argv[1]), sys.argv[2], os.path.abspath(sys.argv[3]), sys.argv[4]
failures = []


def doctor(*paths, first=None, **env):
    """(check, level, message, fix) of the findings, and the exit code. `first` is what its process does before."""
    r = subprocess.run([METIC, "doctor", "--json", *paths], stdout=subprocess.PIPE, text=True, env={**os.environ, **env}, preexec_fn=first)
    return [(f["check"], f["level"], f["message"], f["fix"]) for f in json.loads(r.stdout)], r.returncode


def expect(what, got, check, level, *texts, code=None):
    found = [f for f in got[0] if f[0] == check and f[1] == level and all(t in f[2] + f[3] for t in texts)]
    if not found or (code is not None and got[1] != code):
        failures.append(what)
        print(f"{what}: no {level} {check} {texts}: {got}")


def register(flags, interpreter=METIC):
    line = subprocess.run([METIC, "binfmt", "print", "--interpreter", interpreter, ARCH], stdout=subprocess.PIPE, text=True).stdout.strip()
    (namespace.FOLDER / "register").write_text(line.rsplit(":", 1)[0] + ":" + flags)


def unregister():
    (namespace.FOLDER / f"metic-{ARCH}").write_text("-1")


@contextlib.contextmanager
def file_holds(path, text):
    """The file, or one that its folder's file system lacks, has this text meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        path, folder = pathlib.Path(path), pathlib.Path(name)
        point = path if path.exists() else next(p for p in path.parents if p.exists())
        source = folder / "file"
        if point != path:
            source = folder / "folder"
            (source / path.relative_to(point)).parent.mkdir(parents=True)
        (source / path.relative_to(point) if point != path else source).write_text(text)
        namespace.bind(source, point)
        yield
        namespace.call("umount2", str(point).encode(), 0)


def refuse_by_seccomp(number, argument=None, bits=0):
    """A filter that refuses the system call, or where one of its arguments has one of the bits: seccomp(2), struct seccomp_data."""
    LOAD, JUMP_EQUAL, JUMP_SET, RETURN, EPERM, ALLOW = 0x20, 0x15, 0x45, 0x06, 0x00050001, 0x7fff0000
    code = [(LOAD, 0, 0, 0), (JUMP_EQUAL, 0, 1 if argument is None else 3, number)]
    if argument is not None:
        code += [(LOAD, 0, 0, 16 + 8 * argument), (JUMP_SET, 0, 1, bits)]
    code += [(RETURN, 0, 0, EPERM), (RETURN, 0, 0, ALLOW)]
    rows = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in code))

    def install():
        program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(rows)))
        namespace.call("prctl", PR_SET_NO_NEW_PRIVS, *map(ctypes.c_ulong, (1, 0, 0, 0)))
        namespace.call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)
    return install


def doctor_with_pages_of(size):
    """doctor() on a machine whose kernel tells another page size, by the auxiliary vector."""
    p = subprocess.Popen([METIC, "doctor", "--json"], stdout=subprocess.PIPE, text=True,
                         env={**os.environ, "GLIBC_TUNABLES": "glibc.malloc.mmap_max=0"},  # whose chunks malloc holds against the page size
                         preexec_fn=lambda: namespace.call("ptrace", PTRACE_TRACEME, 0, None, None))
    os.waitpid(p.pid, 0)
    proc = pathlib.Path(f"/proc/{p.pid}")
    stack = next(line for line in (proc / "maps").read_text().splitlines() if line.endswith("[stack]"))
    first, last = (int(x, 16) for x in stack.split()[0].split("-"))
    with open(proc / "mem", "r+b", buffering=0) as memory:
        memory.seek(first)
        at = first + memory.read(last - first).index((proc / "auxv").read_bytes().rstrip(b"\0"))
        pairs = list(struct.iter_unpack("QQ", (proc / "auxv").read_bytes()))
        memory.seek(at + 16 * [key for key, _ in pairs].index(AT_PAGESZ) + 8)
        memory.write(struct.pack("Q", size))
    namespace.call("ptrace", PTRACE_DETACH, p.pid, None, None)
    out, _ = p.communicate(timeout=60)
    return [(f["check"], f["level"], f["message"], f["fix"]) for f in json.loads(out)], p.returncode


def check_kernel_settings():
    for check, level, path, text, *words in [
            ("mmap-min-addr", "note", "/proc/sys/vm/mmap_min_addr", "1048576", "sysctl vm.mmap_min_addr=65536"),
            ("overcommit", "problem", "/proc/sys/vm/overcommit_memory", "2", "sysctl vm.overcommit_memory=0"),
            ("max-map-count", "note", "/proc/sys/vm/max_map_count", "1000", "sysctl vm.max_map_count=65530"),
            ("user-namespaces", "note", "/proc/sys/user/max_user_namespaces", "0", "sysctl user.max_user_namespaces"),
            ("user-namespaces", "note", "/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
            ("user-namespaces", "note", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict_unprivileged_userns=0"),
            ("binfmt-kernel", "note", "/proc/filesystems", "nodev\ttmpfs\n", "CONFIG_BINFMT_MISC")]:
        if [f for f in doctor()[0] if f[0] == check and f[1] == level]:
            failures.append(f"{check} at first")
        with file_holds(path, text):
            expect(check, doctor(), check, level, *words, code=1 if level == "problem" else 0)
    expect("user namespaces", doctor(), "user-namespaces", "ok")

    def hide(path):
        return lambda: namespace.call("mount", b"none", path, b"tmpfs", 0, None)
    expect("no user namespaces", doctor(first=hide(b"/proc/self/ns")), "user-namespaces", "note", "CONFIG_USER_NS")
    namespace.call("mount", b"none", b"/proc", b"tmpfs", 0, None)
    got = doctor()
    namespace.call("umount2", b"/proc", 0)
    expect("no proc", got, "proc", "problem", "mount -t proc", code=1)
    if shutil.which("newuidmap"):
        namespace.bind("/dev/null", "/usr/bin/newuidmap")
        expect("newuidmap", doctor(), "newuidmap", "note", "install uidmap")
        namespace.call("umount2", b"/usr/bin/newuidmap", 0)
    expect("address space", doctor(first=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))), "limit-as", "note", "1048576 MiB")
    expect("pages", doctor_with_pages_of(16384), "page-size", "problem", "16384 bytes", code=1)


def check_limits_on_code():
    got = doctor(first=refuse_by_seccomp(SYS_MMAP, 2, PROT_EXEC))  # as systemd's MemoryDenyWriteExecute= does
    expect("code is refused", got, "executable-memory", "problem", "MemoryDenyWriteExecute=", "--interp", code=1)
    expect("a filter", got, "seccomp", "note", "a seccomp filter is in force")
    expect("a narrow filter", doctor(first=refuse_by_seccomp(SYS_PERSONALITY)), "seccomp", "problem", "seccomp=unconfined", code=1)
    with file_holds("/sys/fs/selinux/enforce", "1"):
        expect("SELinux", doctor(first=refuse_by_seccomp(SYS_MMAP, 2, PROT_EXEC)), "executable-memory", "problem", "SELinux", "deny_execmem", code=1)


namespace.enter()
check_kernel_settings()
check_limits_on_code()
got = doctor()
expect("proc", got, "proc", "ok")
expect("not mounted", got, "binfmt-mounted", "note", "metic binfmt install")
expect("code", got, "executable-memory", "ok")
namespace.mount()
expect("not registered", doctor(), "registered", "note", ARCH, "metic binfmt install")
register("")
got = doctor()
expect("no F", got, "flag-f", "problem", "chroot", code=1)
expect("no P", got, "flag-p", "note", "argv[0]")
expect("no C", got, "flag-c", "note", "--credentials")
unregister()
register("POCF")
expect("all flags", doctor(), "registered", "ok", "POCF")
(namespace.FOLDER / "status").write_text("0")
expect("switched off", doctor(), "binfmt-enabled", "problem", "echo 1 >", code=1)
(namespace.FOLDER / "status").write_text("1")
unregister()
with tempfile.TemporaryDirectory() as name:
    copy = shutil.copy(METIC, pathlib.Path(name) / "metic")
    register("POCF", copy)
    time.sleep(0.05)  # the clock of the files' times
    os.utime(copy)
    expect("updated", doctor(), "registered-file", "note", "from before the last update", "metic binfmt install")
    unregister()
register("F", "/bin/true")
expect("another's", doctor(), "registered", "note", "/bin/true", "--takeover")
unregister()

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    program, library, script = folder / "program", folder / "libmine.so.1", folder / "script"
    empty = folder / "empty"
    empty.mkdir()
    subprocess.run([COMPILER, "-shared", "-fPIC", "-nostdlib", "-x", "c", "-", "-o", library], input="int mine;", text=True, check=True)
    subprocess.run([COMPILER, "-x", "c", "-", "-x", "none", library, "-Wl,-rpath,$ORIGIN", "-o", program],
                   input="extern int mine; int main(void) { return mine; }", text=True, check=True)
    expect("static", doctor(STATIC), "program", "ok", "static", ARCH)
    expect("dynamic", doctor(program), "program", "ok", "its loader is")
    expect("no loader", doctor(program, METIC_SYSROOT=str(empty)), "loader", "problem", "-L", code=1)
    library.unlink()
    expect("no library", doctor(program), "library", "problem", "libmine.so.1", code=1)
    script.write_text(f"#!{STATIC}\n")
    script.chmod(0o755)
    expect("script", doctor(script), "script", "ok", STATIC)
    script.chmod(0o644)
    expect("mode", doctor(script), "mode", "problem", "chmod +x")
    expect("native", doctor("/bin/true"), "guest", "problem", "/bin/true", code=1)
    expect("missing", doctor(folder / "missing"), "program", "problem", "No such file", code=1)
    expect("cache", doctor(METIC_CODE_CACHE=str(empty)), "cache", "ok", str(empty))
    expect("no cache", doctor(METIC_CODE_CACHE="off"), "cache", "note", "METIC_CODE_CACHE")
    for f in empty.iterdir():
        f.unlink()
    empty.chmod(0o777)
    expect("a cache that others write", doctor(METIC_CODE_CACHE=str(empty)), "cache", "note", "nobody else may write")
    expect("empty root", doctor(empty), "root", "note", "no shell")
    namespace.call("mount", b"tmpfs", str(empty).encode(), b"tmpfs", 2 | 8, None)  # nosuid, noexec
    got = doctor(empty)
    expect("noexec", got, "noexec", "problem", "exec", code=1)
    expect("nosuid", got, "nosuid", "note", "suid")
    namespace.call("umount2", str(empty).encode(), 0)
text = subprocess.run([METIC, "doctor"], stdout=subprocess.PIPE, text=True).stdout
if "\n        -> metic binfmt install" not in text or text.startswith("["):
    failures.append("text")
    print(text)
sys.exit(len(failures) > 0)
