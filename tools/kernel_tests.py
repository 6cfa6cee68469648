"""The kernel's own tests, tools/testing/selftests in Debian's linux-source: fetched, and compiled for this machine or a guest.

A program's name is its path there without .c, as in "timers/nanosleep". Programs are static, so that they run anywhere.
"""

import pathlib
import shutil
import subprocess

import roots

PACKAGE = "linux-source-6.12"  # of roots.SUITE
FOLDERS = ["tools/testing/selftests", "tools/include", "tools/arch"]
# Debian's name of an architecture: its compiler, its name in the kernel's headers.
COMPILERS = {"amd64": ("gcc", "x86"), **{guest: (cc, {"riscv64": "riscv"}.get(guest, guest)) for guest, (_, cc) in roots.GUESTS.items()}}
SHARED = {  # folder: sources that each program of it is linked with
    "rseq": ["rseq.c"], "riscv/hwprobe": ["sys_hwprobe.S"], "vDSO": ["parse_vdso.c"], "mm": ["vm_util.c", "thp_settings.c"], "openat2": ["helpers.c"],
    "memfd": ["common.c"],
    "arm64/signal/testcases": ["../test_signals.c", "../test_signals_utils.c", "testcases.c", "../signals.S", "../sve_helpers.c", "-I.."],
}
WITH = {  # program: more sources
    "mm/uffd-stress": ["uffd-common.c"], "mm/uffd-unit-tests": ["uffd-common.c"], "arm64/abi/syscall-abi": ["syscall-abi-asm.S"],
    "arm64/fp/fp-ptrace": ["fp-ptrace-asm.S"], "arm64/fp/vec-syscfg": ["rdvl.S"],
    "riscv/vector/vstate_prctl": ["../hwprobe/sys_hwprobe.S"],
}
TOOLS = ("arm64/", "filesystems/statmount/", "mm/", "proc/", "riscv/", "rseq/", "vDSO/")  # these want the kernel's headers for its tools
FLAGS = {
    "mm/seal_elf": ["-Wl,-z,separate-code"],  # it changes the protection of pages with constants
    "timers/valid-adjtimex": ["-Dclock_adjtime=own_clock_adjtime"],  # static libraries have the function, too
    "rseq/param_test_compare_twice": ["-DRSEQ_COMPARE_TWICE"],
}
SOURCES = {"rseq/param_test_compare_twice": "param_test"}


def source():
    """(folder of the kernel's source, as far as it is needed here; folder of the kernel's headers for programs), fetched into the cache folder."""
    fetched = roots.fetch(["--extract", "amd64", roots.SUITE, roots.cache() / "linux-source", PACKAGE, "linux-libc-dev"], roots.cache() / "linux-source")
    where = fetched / "tree"
    if not where.exists():
        work = fetched / "tree.tmp"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        subprocess.run(["tar", "-C", work, "--strip-components=1", "-xf", fetched / f"usr/src/{PACKAGE}.tar.xz", *(f"{PACKAGE}/{folder}" for folder in FOLDERS)],
                       check=True)
        work.rename(where)
    return where, fetched / "usr"


def command(source, headers, arch, program, to, options=()):
    """(the compiler's command, the folder it is run in)"""
    top, path = source / "tools/testing/selftests", pathlib.PurePath(program)
    compiler, linux = COMPILERS[arch]
    tools = [f"-I{source}/tools/include"] if program.startswith(TOOLS) else []
    return ([compiler, *(["-static"] if "-static-pie" not in options else []), "-s", "-O2", "-w", "-D_GNU_SOURCE", *FLAGS.get(program, []), "-I.", "-I..", "-I../include", "-I../..", f"-I{top}", *tools,
             "-isystem", str(headers / "lib/linux/uapi" / linux), "-isystem", str(headers / "include"), "-o", str(to),
             SOURCES.get(program, path.name) + ".c", *SHARED.get(str(path.parent), []), *WITH.get(program, []), *options, "-lpthread", "-lrt", "-lm"],
            top / path.parent)


def compile_program(source, headers, arch, program, to, options=()):
    """Whether there is a program: a kernel's test may be too new for the compiler's libraries."""
    words, folder = command(source, headers, arch, program, to, options)
    r = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if r.returncode:
        print(f"{program} is not compiled: {next((s for s in r.stderr.splitlines() if ' error: ' in s or 'undefined' in s), r.stderr[-200:])}")
    return r.returncode == 0
