#!/usr/bin/env python3
"""Checks syscall-tables/: layouts and values against the kernel's headers of each architecture whose compiler is
installed, the committed documentation page against the tables, and that mistakes in a table are refused."""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

top = Path(sys.argv[1])
gen, tables = top / 'tools/gensyscalls.py', top / 'syscall-tables'
COMPILERS = {'x86_64': 'gcc', 'aarch64': 'aarch64-linux-gnu-gcc', 'riscv64': 'riscv64-linux-gnu-gcc'}

# (file, text replaced, replacement, part of the message)
MISTAKES = [
    ('calls.tbl', 'sync                pass', 'sync                pas', 'support is pass, hand or an error'),
    ('calls.tbl', 'getpid              pass', 'getpid              pass+soon', 'unknown way to block'),
    ('calls.tbl', 'getpid              pass', 'getpidd             pass', 'has no number'),
    ('calls.tbl', 'swapon              pass           rawpath', 'swapon  pass  raw', 'unknown kind'),
    ('calls.tbl', 'out:sysinfo', 'out:sysinf', 'unknown struct'),
    ('calls.tbl', 'flags:flock', 'flags:flok', 'unknown set'),
    ('calls.tbl', 'rand>1 size flags:getrandom', 'rand>7 size flags:getrandom', 'does not exist'),
    ('calls.tbl', '; the guest processor has no shadow stack', '', 'needs a reason'),
    ('numbers-generic64.tbl', '  0 io_setup', '  1 io_setup', 'twice'),
    ('structs.tbl', 'tv_usec   s64', 'tv_usec   s65', 'unknown type'),
    ('structs.tbl', 'host epoll_event', 'host epoll_evnt', 'undescribed struct'),
    ('flags.tbl', 'aarch64=0200000', 'aarch46=0200000', 'unknown architecture'),
    ('ioctls.tbl', 'out:winsize', 'out:winsiz', 'unknown struct'),
    ('ioctls.tbl', 'BLKGETSIZE64                       0x80081272  out:u64', 'BLKGETSIZE64 0x80081272 out:u32', 'by its number'),
    ('ioctls.tbl', 'TCSETS                                 0x5402', 'TCSETS 0x5401', 'twice'),
    ('ioctls.tbl', 'refused 0xae ENOTTY', 'refused 0xae ENOTTTY', 'expected `refused'),
    ('structs.tbl', 'it_value    timeval', 'it_value    timevall', 'unknown type'),
    ('variants.tbl', 'F_GETFD ', 'F_GETFF ', 'is not in fcntl'),
    ('variants.tbl', 'prctl     PR_GET_KEEPCAPS', 'getpid    PR_GET_KEEPCAPS', 'takes no such command'),
    ('sockopts.tbl', 'SO_LINGER ', 'SO_LINGERS ', 'is not in so'),
    ('sockopts.tbl', 'level SOL_UDP udpopt', 'level SOL_UDP udpop', 'unknown set'),
    ('netlink.tbl', 'protocol NETLINK_XFRM xfrm_msg', 'protocol NETLINK_XFRM xfrm_message', 'unknown set'),
    ('netlink.tbl', 'RTM_GETADDR       ifaddrmsg    ifa', 'RTM_GETADDR       ifaddrmsg    if', 'unknown attributes'),
    ('netlink.tbl', 'struct:ifla_cacheinfo', 'struct:ifla_cache', 'unknown kind'),
    ('netlink.tbl', 'attrs ifla_info IFLA_INFO', 'attrs ifla_inet IFLA_INFO', 'expected `protocol'),
    ('classes.tbl', 'clock_gettime', 'clock_getime', 'unknown call'),
    ('errnos.tbl', '  2 ENOENT', '  2 EPERM', 'twice'),
]


def run(folder, *args):
    return subprocess.run([sys.executable, str(gen), str(folder), *map(str, args)], capture_output=True, text=True)


def declared(compiler, text):
    """IF_DECLARED(CONSTANT, VALUE) becomes an assertion where the headers in front of it have all its names, and else nothing."""
    headers = re.sub(r'IF_DECLARED.*', '', text)
    known = set(re.findall(r'\w+', subprocess.run([compiler, '-E', '-dD', '-'], input=headers, capture_output=True, text=True, check=True).stdout))

    def assertion(m):
        there = known.issuperset(re.findall(r'[A-Za-z_]\w+', m[1]))
        return f'_Static_assert((long long)({m[1]}) == {m[2]}, "{m[1]}");' if there else ''
    return re.sub(r'IF_DECLARED\((.*), (-?\w+)\)', assertion, text)


failed = 0
with tempfile.TemporaryDirectory() as tmp:
    tmp = Path(tmp)
    for side, compiler in COMPILERS.items():
        if not shutil.which(compiler):
            print(f'skipped {side}: no {compiler}')
            continue
        source = tmp / f'{side}.c'
        p = run(tables, '--check', side, source)
        if p.returncode:
            failed += 1
            print(p.stderr)
            continue
        units = source.read_text().split('CHECK_UNIT\n')
        files = [tmp / f'{side}-{n}.c' for n in range(len(units))]
        for file, text in zip(files, units):
            file.write_text(declared(compiler, text) if 'IF_DECLARED' in text else text)
        p = subprocess.run([compiler, '-fsyntax-only', *map(str, files)], capture_output=True, text=True)
        print(f'{side}: {len(units)} headers and their like, {"ok" if p.returncode == 0 else "FAILED"}')
        if p.returncode:
            failed += 1
            print(p.stderr)
    p = run(tables, '--rst', tmp / 'page.rst')
    if p.returncode or (tmp / 'page.rst').read_text() != (top / 'docs/ref/syscalls.rst').read_text():
        failed += 1
        print('docs/ref/syscalls.rst is not what the tables give; run tools/gensyscalls.py syscall-tables --rst on it')
    for n, (name, old, new, message) in enumerate(MISTAKES):
        folder = tmp / f'mistake{n}'
        shutil.copytree(tables, folder)
        text = (folder / name).read_text()
        if old not in text:
            failed += 1
            print(f'{name}: the mistake {old!r} has nothing to replace')
            continue
        (folder / name).write_text(text.replace(old, new, 1))
        p = run(folder, '--tables', tmp / 'out.c')
        if p.returncode == 0 or message not in p.stderr or name not in p.stderr and 'numbers' not in p.stderr:
            failed += 1
            print(f'{name} with {new!r}: expected "{message}", got {p.returncode} {p.stderr.strip()!r}')
    print(f'{len(MISTAKES)} mistakes tried')
sys.exit(failed != 0)
