#!/usr/bin/env python3
"""Runs hostile.c's program in a sandbox of its own (namespaces of nobody's, an empty root, no capabilities, limits) and
looks for complaints of metic's and for its death.

    hostile.py METIC|- PROGRAM ROUNDS [SEED [CALLS [CALL-NAME]]]      -: the program runs natively
"""
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

SKIPPED = 77  # to meson
NOBODY = 65534
PER_RUN = 20  # rounds of one process
COMPLAINTS = (b'internal error', b'assertion', b'Assertion', b'corrupted', b'double free')
NAMESPACES = 0x10000000 | 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # user mount pid net ipc uts
RDONLY, NOSUID, NODEV, REMOUNT, BIND, PRIVATE_ALL = 1, 2, 4, 32, 4096, 0x44000
CAPSET = {'x86_64': 126, 'aarch64': 91}
libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, kind, flags, options=None):
    words = [w.encode() if w else None for w in (source, target, kind, options)]
    if libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]):
        raise OSError(ctypes.get_errno(), f'mount {target}')


def enter_namespaces():
    """False where the system does not let nobody have any."""
    if os.geteuid() == 0:  # root of the namespace is to be nobody outside
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: /proc/self is one's own again
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(NAMESPACES):
        return False
    for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {uid} 1'), ('gid_map', f'0 {gid} 1')):
        with open(f'/proc/self/{name}', 'w') as f:
            f.write(text)
    return True


def make_root(root, metic, program):
    """An empty root of memory, in which nothing of the machine's is reachable, not even a device."""
    mount(None, '/', None, PRIVATE_ALL)
    mount('tmpfs', root, 'tmpfs', NOSUID | NODEV, 'size=256m')
    for folder in ('proc', 'dev', 'tmp', 'place'):
        os.mkdir(f'{root}/{folder}')
    open(f'{root}/dev/null', 'w').close()
    for file, name in ((program, 'hostile'), (metic, 'metic')):
        if file != '-':
            shutil.copy(file, f'{root}/{name}')
    try:
        mount('proc', f'{root}/proc', 'proc', 0)
    except OSError:
        pass  # better with than without
    mount('tmpfs', f'{root}/place', 'tmpfs', NOSUID | NODEV, 'size=64m')
    mount(None, root, None, REMOUNT | BIND | RDONLY | NOSUID | NODEV)
    os.chroot(root)
    os.chdir('/place')


def drop_rights():
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    libc.prctl(38, 1, 0, 0, 0)               # PR_SET_NO_NEW_PRIVS
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.syscall(CAPSET[os.uname().machine], header, data):
        sys.exit('capset failed')
    for what, limit in ((resource.RLIMIT_NPROC, 200), (resource.RLIMIT_FSIZE, 8 << 20), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_AS, 8 << 30), (resource.RLIMIT_NOFILE, 256), (resource.RLIMIT_CPU, 120)):
        resource.setrlimit(what, (limit, limit))


def run(command, rounds, seed, rest):
    """As the first process of the namespace, whom the others' signals do not reach."""
    for s in range(1, signal.NSIG):
        if s not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
            try:
                signal.signal(s, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
    failed = done = 0
    while done < rounds:
        now = min(PER_RUN, rounds - done)
        os.chmod('/place', 0o777)
        for entry in os.scandir('/place'):
            shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
        with os.fdopen(os.memfd_create('out'), 'w+b') as out:
            p = subprocess.Popen(command + [str(seed + done), str(now)] + rest, stdin=out, stdout=out, stderr=out,
                                 preexec_fn=drop_rights, start_new_session=True)
            code = None
            try:
                code = p.wait(now * 3 + 30)
            except subprocess.TimeoutExpired:
                p.kill()
            out.seek(0)
            text = out.read()
        if code != 0 or any(c in text for c in COMPLAINTS):
            failed += 1
            print(f'seed {seed + done}, {now} rounds: ended with {code}')
            print(text[-3000:].decode(errors='replace'))
        done += now
    print(f'{done} rounds from seed {seed}, {failed} runs failed', flush=True)
    return failed != 0


def inside(files, rounds, seed, rest):
    """The child of main: nobody, in namespaces. Answers its exit code."""
    if not enter_namespaces():
        print('no namespaces here', flush=True)
        return SKIPPED
    pid = os.fork()  # the first process of the process namespace
    if pid == 0:
        libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        root = tempfile.mkdtemp(prefix='root-')
        try:
            make_root(root, *files)
        except OSError as e:
            print(f'no sandbox here: {e}', flush=True)
            os._exit(SKIPPED)
        command = ['/hostile'] if files[0] == '-' else ['/metic', '/hostile']
        os._exit(run(command, rounds, seed, rest))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main():
    metic, program, rounds, *rest = sys.argv[1:]
    seed, rest = (rest[0], rest[1:]) if rest else ('1', [])
    with tempfile.TemporaryDirectory(prefix='metic-hostile-') as tmp:
        files = ['-' if f == '-' else shutil.copy(f, f'{tmp}/{n}') for n, f in enumerate((metic, program))]
        os.mkdir(f'{tmp}/own')
        os.chmod(tmp, 0o755)
        os.chmod(f'{tmp}/own', 0o777)
        pid = os.fork()
        if pid == 0:
            tempfile.tempdir = f'{tmp}/own'
            code = 1
            try:
                code = inside(files, int(rounds), int(seed), rest or ['150'])
            except Exception:
                traceback.print_exc()
            os._exit(code & 255)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


sys.exit(main())
