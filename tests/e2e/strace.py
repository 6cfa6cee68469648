#!/usr/bin/env python3
"""-strace and strace(1) on Debian's programs: amd64's natively, a guest's under metic, each in a root of its own, compared
line by line from the first line on that names the working folder.

usage: strace.py GUEST     (as root: it uses chroot)
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / 'tools'), str(HERE.parent / 'linux')]
import roots  # noqa: E402
import strace  # noqa: E402

TIMEOUT = 300
WORK = '/folder'
KEPT = 'tmp/folder-before'
BEGIN = r'^(?!.*execve\().*"' + WORK  # the first line that is compared, where there is one
ENV = {'PATH': '/usr/bin:/usr/sbin:/bin', 'LC_ALL': 'C', 'TZ': 'UTC', 'PYTHONHASHSEED': '0'}
PACKAGES = '''dash coreutils libc-bin python3-minimal bash procps util-linux sqlite3 openssl tar make git perl-base acl attr
              bsdutils mount findutils grep sed gawk gzip iproute2'''.split()
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
# Each program has a network of its own: counters, addresses and sockets are always the same ones. The shell would name its folder.
ALONE = 'chroot {} /usr/sbin/ip link set lo up; exec env -u PWD "$@"'
NETWORK = '''cd /folder
ip link add one address 02:00:00:00:00:01 type bridge
ip link add two address 02:00:00:00:00:02 type bridge
ip address add 10.1.2.3/24 dev two
ip -6 route add unreachable fd00::/8
ip route add 10.7.0.0/16 nexthop via 10.1.2.4 weight 2 nexthop via 10.1.2.5 onlink
ip neighbour add 10.1.2.9 lladdr 02:00:00:00:00:09 dev two
ip rule add from 10.1.0.0/16 lookup 77
ip address
ip -s link show dev lo
ip route
ip -6 route
ip neighbour show dev two
ip rule
ip route get 10.7.0.1
ip link add three type nonsense
ip link show dev four
ss -tuxan
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
    ['tar', 'czf', f'{WORK}/a.tgz', '-C', WORK, 'file'],
    ['find', WORK, '-name', 'f*', '-exec', 'true', '{}', ';'],
    ['setfacl', '-m', 'u:7:r', f'{WORK}/file'],
    ['getfacl', '-c', f'{WORK}/file'],
    ['setfattr', '-n', 'user.a', '-v', 'b', f'{WORK}/file'],
    ['getfattr', '-d', f'{WORK}/file'],
    ['sqlite3', f'{WORK}/db', 'create table t(a); insert into t values(1); select * from t;'],
    ['bash', '-c', f'cd {WORK}; sleep 0.1 & wait; echo $(<file) | grep -c line; printf x >&2; [[ -r file ]]; ulimit -n'],
    ['perl', '-e', f'chdir "{WORK}"; open F, "<", "file"; flock F, 1; print -s F; symlink "file", "s"; print readlink "s"; unlink "s"; utime 1, 2, "file"; print `echo x`; kill 0, $$; print getpwuid(0)'],
    ['make', '-C', WORK, '-f', f'{WORK}/Makefile', 'all'],
    ['git', '-C', WORK, 'init', '-q', f'{WORK}/repository'],
    ['openssl', 'dgst', '-sha256', f'{WORK}/file'],
    ['chrt', '-o', '0', 'test', '-f', f'{WORK}/file'],
    ['taskset', '1', 'test', '-f', f'{WORK}/file'],
    ['ionice', '-c2', '-n3', 'test', '-f', f'{WORK}/file'],
    ['prlimit', '--nofile=64:64', 'test', '-f', f'{WORK}/file'],
    ['setsid', '-w', 'test', '-f', f'{WORK}/file'],
    ['flock', f'{WORK}/file', 'true'],
    ['fallocate', '-l', '8192', f'{WORK}/room'],
    ['unshare', '-nu', 'test', '-f', f'{WORK}/file'],
    ['sh', f'{WORK}/network.sh'],
    ['dd', f'if={WORK}/file', f'of={WORK}/copy', 'bs=512', 'conv=fsync', 'status=none'],
    ['truncate', '-s', '100', f'{WORK}/copy'],
    ['ln', '-s', 'file', f'{WORK}/link'],
    ['stat', '-f', '-c', '%T', f'{WORK}/file'],
    ['df', '--output=target', WORK],
    ['mkfifo', f'{WORK}/fifo'],
    ['chmod', 'go-rwx', WORK],
    ['chown', '-h', '7:7', f'{WORK}/link'],
    ['gzip', '-k', f'{WORK}/copy'],
    ['../sbin/losetup', '-l', f'{WORK}/file'],
    ['../sbin/blkid', f'{WORK}/file'],
]


def run(side, root, before, program):
    log = root / 'tmp/strace-log'
    command = ['chroot', str(root), *before[1:], f'/usr/bin/{program[0]}', *program[1:]]
    r = subprocess.run(['unshare', '-n', 'sh', '-c', ALONE.format(native), 'sh', *before[0], *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, env=ENV)
    lines = strace.normalise(side, log, BEGIN if re.search(BEGIN, log.read_text(errors='replace'), re.M) else '', RULES)
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
    (work / 'Makefile').write_text('all: out\nout: file\n\tcp $< $@; sort $@ >/dev/null\n')
    (work / 'script.sh').write_text('cd /folder\necho one | while read x; do echo got $x; done\n(exit 3)\necho $?\nread line <file\necho "$line" >/dev/null\n'
                                    'for i in 1 2; do kill -0 $$; done\ntrap "echo caught" USR1\nkill -USR1 $$\n')
    (work / 'network.sh').write_text(NETWORK)
    for path in work.iterdir():
        os.utime(path, (10**9, 10**9))


def copy(folder, to):
    shutil.rmtree(to, ignore_errors=True)
    subprocess.run(['cp', '-a', folder, to], check=True)


guest = sys.argv[1]
if os.geteuid() or not strace.usable():
    print('skipped: this needs root and strace')
    sys.exit(77)
RULES = strace.read_rules(HERE / 'strace-differences.txt') + strace.RULES
native, other = (roots.root(g, 'strace', PACKAGES) for g in ('amd64', guest))
shutil.copy(roots.metic(), other / 'tmp/metic')
good = True
for root in native, other:
    prepare(root)
for program in PROGRAMS:
    for root in native, other:
        copy(root / WORK[1:], root / KEPT)
    for _ in range(strace.TRIES):
        expected = run('native', native, [['strace', '-f', '-o', str(native / 'tmp/strace-log')]], program)
        got = run('guest', other, [[], '/tmp/metic', '-strace', '-D', '/tmp/strace-log'], program)
        if not strace.mixed_up(expected[3], got[3]):
            break
        for root in native, other:
            copy(root / KEPT, root / WORK[1:])
    same = expected[:3] == got[:3]
    if not same:
        print(f'{program[0]}: {expected[:3]} and {got[:3]}')
    good = strace.compare(' '.join(program), expected[3], got[3]) and same and good
for root in native, other:
    shutil.rmtree(root / WORK[1:])
    shutil.rmtree(root / KEPT)
sys.exit(not good)
