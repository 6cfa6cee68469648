#!/usr/bin/env python3
"""Core files of a guest program (dump.c): their notes and memory, read here and by gdb-multiarch where there is one.

usage: core.py METIC PROGRAM
"""
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

metic, program = (os.path.abspath(a) for a in sys.argv[1:3])
failures = 0

NT_PRSTATUS, NT_PRFPREG, NT_PRPSINFO, NT_AUXV, NT_FILE, NT_SIGINFO = 1, 2, 3, 6, 0x46494c45, 0x53494749


def check(what, ok, detail=""):
    global failures
    if not ok:
        print(f"{what}: {detail}")
        failures += 1


def crash(folder, how, limit):
    """The program's status and the core files it left."""
    def limited():
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a script's background jobs start with it ignored
        resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    status = subprocess.run([metic, program, how], cwd=folder, preexec_fn=limited, timeout=60,
                            stderr=subprocess.DEVNULL).returncode
    return status, sorted(pathlib.Path(folder).iterdir())


class Core:
    def __init__(self, path):
        self.f = open(path, "rb")
        head = self.f.read(64)
        (self.type, self.machine, _, _, phoff, _, self.flags, _, _, phnum) = struct.unpack_from("<HHIQQQIHHH", head, 16)
        self.elf = head[:4] == b"\x7fELF"
        self.f.seek(phoff)
        table = self.f.read(56 * phnum)
        self.segments = [struct.unpack_from("<IIQQQQQQ", table, 56 * i) for i in range(phnum)]
        self.notes = []
        for s in self.segments:
            if s[0] == 4:
                self.read_notes(s[2], s[5])

    def read_notes(self, at, size):
        self.f.seek(at)
        data = self.f.read(size)
        pos = 0
        while pos < len(data):
            namesz, descsz, kind = struct.unpack_from("<III", data, pos)
            name = data[pos + 12:pos + 12 + namesz - 1].decode()
            pos += 12 + (namesz + 3 & ~3)
            self.notes.append((name, kind, data[pos:pos + descsz]))
            pos += descsz + 3 & ~3

    def note(self, kind):
        return [n[2] for n in self.notes if n[1] == kind]

    def memory(self, addr, n):
        for kind, _, offset, vaddr, _, filesz, _, _ in self.segments:
            if kind == 1 and vaddr <= addr and addr + n <= vaddr + filesz:
                self.f.seek(offset + addr - vaddr)
                return self.f.read(n)
        return None


def symbol(name):
    for line in subprocess.run(["nm", program], capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if words[-1] == name:
            return int(words[0], 16)
    sys.exit(f"{program}: no symbol {name}")



def look(how, signo):
    with tempfile.TemporaryDirectory() as folder:
        status, files = crash(folder, how, resource.RLIM_INFINITY)
        check(f"{how}: status", status == -signo, status)
        check(f"{how}: one core file", len(files) == 1, files)
        if not files:
            return
        core = Core(files[0])
        check(f"{how}: a core of the guest's", core.elf and core.type == 4 and core.machine in (183, 243), core.machine)
        check(f"{how}: threads", len(core.note(NT_PRSTATUS)) == 3 and len(core.note(NT_PRFPREG)) == 3, core.notes)
        first = core.note(NT_PRSTATUS)[0]
        check(f"{how}: signal", struct.unpack_from("<i", first)[0] == signo and
              struct.unpack_from("<i", core.note(NT_SIGINFO)[0])[0] == signo, first)
        tids = {struct.unpack_from("<i", s, 32)[0] for s in core.note(NT_PRSTATUS)}
        check(f"{how}: thread ids", len(tids) == 3, tids)
        info = core.note(NT_PRPSINFO)[0]
        check(f"{how}: name and arguments", info[40:56].rstrip(b"\0") == os.path.basename(program)[:15].encode() and
              info[56:].rstrip(b"\0") == f"{program} {how}".encode()[:79], info)
        aux = dict(struct.iter_unpack("<QQ", core.note(NT_AUXV)[0]))
        check(f"{how}: auxv", aux[6] == 4096 and 9 in aux, aux)
        check(f"{how}: files", os.path.realpath(program).encode() in core.note(NT_FILE)[0], core.note(NT_FILE))
        check(f"{how}: data", struct.unpack("<i", core.memory(symbol("answer"), 4))[0] in (42, 43))
        touched, secret = (struct.unpack("<Q", core.memory(symbol(s), 8))[0] for s in ("touched", "secret"))
        check(f"{how}: memory", core.memory(touched + (32 << 20), 2) == b"x\0" and core.memory(touched, 1) == b"\0")
        check(f"{how}: memory without access", core.memory(secret, 1) == b"s")
        check(f"{how}: holes", os.stat(files[0]).st_blocks * 512 < 8 << 20, os.stat(files[0]))
        arm = core.machine == 183
        if how == "null":
            check("registers", struct.pack("<Q", 0x123456789abcdef) in first, first)
            check("floating point registers", struct.pack("<d", 1234.5) in core.note(NT_PRFPREG)[0], core.note(NT_PRFPREG)[0])
            check("the address of the fault", struct.unpack_from("<Q", core.note(NT_SIGINFO)[0], 16)[0] == 8, core.note(NT_SIGINFO)[0])
        gdb = shutil.which("gdb-multiarch")
        if gdb:
            show = ["-ex", f"p ${'x21' if arm else 's5'}", "-ex", f"p ${'d9.f' if arm else 'fs3.double'}", "-ex", "p $_siginfo._sifields._sigfault.si_addr",
                    "-ex", "info files", "-ex", "info auxv", "-ex", "p answer"]
            out = subprocess.run([gdb, "-nx", "-batch", "-ex", "thread apply all backtrace", *show, program, files[0]],
                                 capture_output=True, text=True, timeout=120).stdout
            for word in ("spin_here", "wait_here", "fail_here", "main"):
                check(f"{how}: {word} in gdb's backtraces", word in out, out)
            for word in ("81985529216486895", "1234.5", "AT_PHDR", "(void *) 0x8") if how == "null" else ():
                check(f"{how}: {word} told by gdb", word in out, out)


if pathlib.Path("/proc/sys/kernel/core_pattern").read_text().startswith("/"):
    print("core files of this machine go to a folder of their own")
    sys.exit(77)
look("null", signal.SIGSEGV)
look("abort", signal.SIGABRT)
look("quit", signal.SIGQUIT)
with tempfile.TemporaryDirectory() as folder:
    status, files = crash(folder, "null", 0)
    check("no core when the limit is 0", status == -signal.SIGSEGV and not files, (status, files))
    status, files = crash(folder, "null", 16384)
    check("a core as large as the limit", len(files) == 1 and files[0].stat().st_size <= 16384, files)
    check("a core that is cut begins as a core", Core(files[0]).elf, files)
with tempfile.TemporaryDirectory() as folder:
    status, files = crash(folder, "undumpable", resource.RLIM_INFINITY)
    check("no core of what is not to be dumped", status == -signal.SIGSEGV and not files, (status, files))
for how, private in (("filtered", False), ("advised", True)):
    with tempfile.TemporaryDirectory() as folder:
        status, files = crash(folder, how, resource.RLIM_INFINITY)
        check(f"{how}: one core file", len(files) == 1, (status, files))
        if files:
            full = tempfile.TemporaryDirectory()
            whole = Core(crash(full.name, "null", resource.RLIM_INFINITY)[1][0])
            core = Core(files[0])
            answer = core.memory(symbol("answer"), 4)
            check(f"{how}: private memory", (answer is not None) == private, answer)
            loads = sum(1 for s in core.segments if s[0] == 1 and s[5])
            check(f"{how}: fewer bytes than all", loads < sum(1 for s in whole.segments if s[0] == 1 and s[5]), loads)
            check(f"{how}: its threads and files", len(core.note(NT_PRSTATUS)) == 3 and core.note(NT_FILE), core.notes)
            if private: # where the addresses are
                touched, hole = (struct.unpack("<Q", core.memory(symbol(s), 8))[0] for s in ("touched", "shared"))
                check(f"{how}: advice", core.memory(touched + (32 << 20), 1) is None and core.memory(hole, 1) == b"h")
            else:
                check(f"{how}: shared memory", any(s[0] == 1 and s[5] == 4096 and core.memory(s[3], 1) == b"h" for s in core.segments), core.segments)
            full.cleanup()
sys.exit(failures != 0)
