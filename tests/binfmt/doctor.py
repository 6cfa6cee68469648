#!/usr/bin/env python3
"""metic doctor: each finding it can make in a namespace of its own: doctor.py METIC ARCH STATIC-PROGRAM COMPILER"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import namespace  # noqa: E402

METIC, ARCH, STATIC, COMPILER = os.path.abspath(sys.argv[1]), sys.argv[2], os.path.abspath(sys.argv[3]), sys.argv[4]
failures = []


def doctor(*paths, **env):
    """{check: (level, message, fix)} of the findings about this guest or none, and the exit code."""
    r = subprocess.run([METIC, "doctor", "--json", *paths], stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
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


namespace.enter()
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
