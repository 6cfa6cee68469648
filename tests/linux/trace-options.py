#!/usr/bin/env python3
"""The options of -strace: filters, clocks, counts, JSON, files, on a program (traced.c) built for a guest.

    trace-options.py METIC GUEST-PROGRAM
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT = 60
metic, program = sys.argv[1:3]
failed = 0


def check(what, good, shown=''):
    global failed
    if not good:
        failed += 1
        print(f'{what}: FAILED {str(shown)[:1500]}')


def run(words, *command, log=None, env=None, expect=0):
    """The lines of the log, without thread ids."""
    with tempfile.TemporaryDirectory() as tmp:
        own = Path(tmp) / 'log'
        command = command or (program, tmp + '/folder')
        os.mkdir(tmp + '/folder')
        r = subprocess.run([metic, *(['-strace-with', words] if words is not None else []), '-D', str(log or own), *command],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, env=env)
        check(f'{words} {command}: exit code {r.returncode}', r.returncode == expect, r.stderr)
        return own.read_text(errors='replace').splitlines() if own.exists() else []


def calls(lines):
    return {m[1] for m in (re.match(r'(?:\d+ +)?(\w+)\(', l) for l in lines) if m}


def all_match(what, lines, pattern):
    wrong = [l for l in lines if not re.search(pattern, l)]
    check(what, lines and not wrong, wrong or 'no lines')


# -- filters
check('-e trace=getpid', calls(run('-e trace=getpid,umask')) == {'getpid', 'umask'})
files = calls(run('-e %file'))
check('-e %file', {'openat', 'execve', 'statx', 'mkdirat'} <= files and not files & {'read', 'mmap', 'getpid'}, files)
rest = calls(run('-e trace=!%memory,getpid'))
check('-e trace=!', 'openat' in rest and not rest & {'mmap', 'brk', 'getpid'}, rest)
check('-e network', 'socket' in calls(run('-e network')))
lines = run('-e trace=none -e signal=SEGV')
check('-e signal=', any('--- SIGSEGV' in l for l in lines) and not any('--- SIGUSR2' in l for l in lines), lines)
all_match('-Z', run('-q -Z -e trace=%file -e signal=none'), r' = -1 E')
all_match('-z', run('-q -z -e trace=%file -e signal=none'), r' = \d')
all_match('-e status=failed', run('-q -e status=failed -e trace=umask,chdir -e signal=none'), r'^\d+ +chdir.* = -1 E')

# -- clocks and texts
all_match('-t', run('-t -e trace=umask'), r'^\d+ +\d\d:\d\d:\d\d (umask|---|\+\+\+)')
all_match('-tt -T', run('-q -tt -T -e trace=umask -e signal=none'), r'^\d+ +\d\d:\d\d:\d\d\.\d{6} umask.* <\d+\.\d{6}>$')
all_match('-ttt', run('-ttt -e trace=umask'), r'^\d+ +1\d{9}\.\d{6} ')
all_match('-r', run('-r -e trace=umask'), r'^\d+ +\d+\.\d{6} ')
lines = run('-s 4 -e trace=write')
check('-s 4', any('write(3, "plai"..., 11)' in l for l in lines), lines)
lines = run('-x -e trace=write')
check('-x', any(r'"\x01\x02\x03\x33\xff' in l for l in lines) and any('"plain text' in l for l in lines), lines)
lines = run('-q -e trace=umask')
check('-q', not any('+++' in l for l in lines), lines)

# -- counts: those of child processes are in the one table, which the first process prints
lines = run('-c')
rows = {l.split()[-1]: l.split() for l in lines if re.match(r' *\d', l)}
check('-c', lines[0].startswith('% time') and rows['umask'][3] == '2' and rows['execve'][3] == '3', lines)
check('-c: errors', rows['execve'][4] == '1' and int(rows['total'][3]) == sum(int(r[3]) for n, r in rows.items() if n != 'total'), lines)
lines = run('-C -e trace=umask')
check('-C', any('umask(' in l for l in lines) and any(l.endswith(' total') for l in lines), lines)

# -- JSON
objects = [json.loads(l) for l in run('-json -T')]
opened = next(o for o in objects if o.get('call') == 'openat' and o['args'][1] == '"file"')
check('-json: a call', opened['args'] == ['AT_FDCWD', '"file"', 'O_RDWR|O_CREAT|O_TRUNC|O_CLOEXEC', '0640'] and opened['result'] == 3,
      opened)
wrong = next(o for o in objects if o.get('call') == 'chdir' and o['args'] == ['"none"'])
check('-json: an error', wrong['result'] == -1 and wrong['error'] == 'ENOENT', wrong)
check('-json: a signal', any(o.get('signal') == 'SIGUSR2' for o in objects))
check('-json: ends', sum(o.get('call') == 'exit_group' and o['result'] is None for o in objects) == 3)

check('-json: execve', [o['result'] for o in objects if o.get('call') == 'execve'] == [0, -1, 0])

# -- the log: one file for a program and what it executes, or one for each thread
lines = run('')
check('one log over fork and execve', sum('+++ exited with' in l for l in lines) == 4 and
      any(re.search(r'(execve\(|execve resumed>).*\) += 0$', l) for l in lines[1:]) and any('exit_group(7)' in l for l in lines), lines[-30:])
with tempfile.TemporaryDirectory() as tmp:
    run('', log=tmp + '/log.%d')
    texts = [f.read_text(errors='replace') for f in Path(tmp).glob('log.*')]
    check('a file for each thread', len(texts) == 6 and all(not re.match(r'\d', t) for t in texts) and
          sum('"in the thread"' in t for t in texts) == 1, [t[:100] for t in texts])
    check('its execve goes on in it', sum('/nowhere/program' in t and 'exit_group(7)' in t for t in texts) == 1)
text = run('', program, 'close-all')
check('a program that closes everything', len(text) > 4000 and 'exit_group(0)' in text[-2], text[-5:])
r = subprocess.run(['env', 'METIC_STRACE=-e trace=exit_group', metic, program, 'exit'], capture_output=True, text=True, timeout=TIMEOUT)
check('METIC_STRACE', r.returncode == 7 and calls(r.stderr.splitlines()) == {'exit_group'}, r.stderr)
r = subprocess.run(['sh', '-c', f'exec 2>/dev/full; exec {metic} -strace -D /dev/full {program} exit'], timeout=TIMEOUT)
check('a full log', r.returncode == 7)

# -- a call in front of whose beginning a signal comes is printed once
lines = run('-e signal=none -e trace=!timer_settime', program, 'storm')
counts = [sum(l.partition(' ')[2].lstrip().startswith(text) for l in lines) for text in
          ('openat(AT_FDCWD, "/dev/null", O_RDWR)', 'write(3, "storm", 5)', 'fcntl(3, F_GETFD)', 'rt_sigprocmask(SIG_BLOCK', 'close(3)')]
check('calls in a storm of signals', counts == [2000] * 5 and sum('rt_sigreturn' in l for l in lines) > 200, counts)

# -- a program that runs as somebody who can't open the log, nor metic's own file: the log is handed on to it
if os.geteuid() == 0:
    with tempfile.TemporaryDirectory() as tmp, tempfile.TemporaryDirectory() as logs:
        os.chmod(tmp, 0o755)
        for name in metic, program:
            shutil.copy(name, tmp)
        log = Path(logs) / 'log'
        r = subprocess.run([f'{tmp}/{Path(metic).name}', '-strace', '-D', str(log), f'{tmp}/{Path(program).name}', 'other-user'],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT)
        text = log.read_text(errors='replace')
        check('another user', r.returncode == 7 and not r.stderr and 'setuid(65534)' in text and 'exit_group(7)' in text,
              (r.returncode, r.stderr, text[-500:]))

# -- mistakes are one line
for words, message in [('-e trace=opeen', 'is no system call'), ('-e signal=SIGFOO', 'is no signal'), ('-e fault=x', 'not trace='),
                       ('-s x', 'not a number'), ('-bad', 'unknown option'), ('word', 'is no option'), ('-s', 'needs an argument')]:
    r = subprocess.run([metic, '-strace-with', words, program, 'exit'], capture_output=True, text=True, timeout=TIMEOUT)
    check(f'{words}: one line', r.returncode == 1 and message in r.stderr and r.stderr.count('\n') == 1, r.stderr)
r = subprocess.run([metic, '-strace-with', 'help'], capture_output=True, text=True, timeout=TIMEOUT)
check('help', r.returncode == 0 and '-tt' in r.stdout and '%file' in r.stdout, r.stdout)
print('ok' if not failed else f'{failed} failed')
sys.exit(failed != 0)
