#!/usr/bin/env python3
"""-strace and strace(1) on Debian's programs: amd64's natively, a guest's under metic, each in a root of its own, compared
line by line from the first line on that names the working folder.

usage: strace.py GUEST     (as root: it uses chroot)
"""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / 'tools'), str(HERE.parent / 'linux')]
import roots  # noqa: E402
import strace  # noqa: E402

TIMEOUT = 300
WORK = '/folder'
ENV = {'PATH': '/usr/bin:/usr/sbin:/bin', 'LC_ALL': 'C', 'TZ': 'UTC', 'PYTHONHASHSEED': '0'}
PACKAGES = 'dash coreutils libc-bin python3-minimal'.split()
SCRIPT = '''import os, select, socket, sys
a, b = socket.socketpair()
a.sendall(b"ping")
print(b.recv(10), select.select([b], [a], [], 1)[1] == [a])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", 0))
s.listen()
c = socket.create_connection(s.getsockname())
d, address = s.accept()
c.sendall(b"over TCP")
print(d.recv(100), os.getcwd())
pid = os.fork()
if not pid:
    os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sorted(os.listdir("/folder")))
with open("/folder/new", "w") as f:
    f.write("text\\n" * 10)
os.rename("/folder/new", "/folder/newer")
os.unlink("/folder/newer")
try:
    os.stat("/folder/none")
except FileNotFoundError as e:
    print(e)
'''
PROGRAMS = [
    ['cat', f'{WORK}/file', f'{WORK}/none'],
    ['ls', '-l', WORK],
    ['cp', '-a', f'{WORK}/file', f'{WORK}/copy'],
    ['mv', f'{WORK}/copy', f'{WORK}/moved'],
    ['rm', f'{WORK}/moved'],
    ['mkdir', '-p', f'{WORK}/a/b'],
    ['rmdir', f'{WORK}/a/b', f'{WORK}/a'],
    ['touch', '-d', '2020-01-01 12:00', f'{WORK}/file'],
    ['sort', '-r', f'{WORK}/file'],
    ['sh', f'{WORK}/script.sh'],
    ['python3', '-S', '-B', f'{WORK}/script.py'],
]


def run(side, root, before, program):
    log = root / 'tmp/strace-log'
    command = ['chroot', str(root), *before[1:], f'/usr/bin/{program[0]}', *program[1:]]
    r = subprocess.run([*before[0], *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, env=ENV)
    lines = strace.normalise(side, log, r'^(?!execve).*"' + WORK, RULES)
    log.unlink()
    return r.returncode, r.stdout, r.stderr, lines


def prepare(root):
    for compiled in (root / 'usr/lib').rglob('__pycache__'):
        shutil.rmtree(compiled)
    work = root / WORK[1:]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / 'file').write_text(''.join(f'line {i}\n' for i in range(100)))
    (work / 'script.py').write_text(SCRIPT)
    (work / 'script.sh').write_text('cd /folder\necho one | while read x; do echo got $x; done\n(exit 3)\necho $?\nread line <file\necho "$line" >/dev/null\n'
                                    'for i in 1 2; do kill -0 $$; done\ntrap "echo caught" USR1\nkill -USR1 $$\n')
    for path in work.iterdir():
        os.utime(path, (10**9, 10**9))


guest = sys.argv[1]
if os.geteuid() or not strace.usable():
    print('skipped: this needs root and strace')
    sys.exit(77)
RULES = strace.read_rules(HERE / 'strace-differences.txt') + strace.RULES
native, other = (roots.root(g, 'strace', PACKAGES) for g in ('amd64', guest))
shutil.copy(roots.metic(), other / 'tmp/metic')
good = True
for program in PROGRAMS:
    for root in native, other:
        if program is PROGRAMS[0]:
            prepare(root)
    expected = run('native', native, [['strace', '-f', '-o', str(native / 'tmp/strace-log')]], program)
    got = run('guest', other, [[], '/tmp/metic', '-strace', '-D', '/tmp/strace-log'], program)
    same = expected[:3] == got[:3]
    if not same:
        print(f'{program[0]}: {expected[:3]} and {got[:3]}')
    good = strace.compare(' '.join(program), expected[3], got[3]) and same and good
for root in native, other:
    shutil.rmtree(root / WORK[1:])
sys.exit(not good)
