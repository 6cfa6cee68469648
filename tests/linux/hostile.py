#!/usr/bin/env python3
"""Runs hostile.c's program in a sandbox of its own (namespaces, an empty root, no capabilities, limits) and looks for
complaints of metic's and for its death.

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

SKIPPED = 77  # to meson
PER_RUN = 20  # rounds of one process
COMPLAINTS = (b'internal error', b'assertion', b'Assertion', b'metic: bug', b'BUG', b'corrupted', b'double free')
UNSHARE = ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child', '--net', '--ipc', '--uts']


def drop_rights():
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    libc.prctl(38, 1, 0, 0, 0)               # PR_SET_NO_NEW_PRIVS
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.syscall({'x86_64': 126, 'aarch64': 91}[os.uname().machine], header, data):
        sys.exit('capset failed')
    for what, limit in ((resource.RLIMIT_NPROC, 200), (resource.RLIMIT_FSIZE, 8 << 20), (resource.RLIMIT_CORE, 0),
                        (resource.RLIMIT_AS, 8 << 30), (resource.RLIMIT_NOFILE, 256), (resource.RLIMIT_CPU, 120)):
        resource.setrlimit(what, (limit, limit))


def inside(root, command, rounds, seed, rest):
    for s in range(1, signal.NSIG):
        if s not in (signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD):
            try:
                signal.signal(s, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
    os.chroot(root)
    os.chdir('/work')
    failed = done = 0
    while done < rounds:
        now = min(PER_RUN, rounds - done)
        os.chmod('/work', 0o777)
        for entry in os.scandir('/work'):
            shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
        with os.fdopen(os.memfd_create('out'), 'w+b') as out:
            p = subprocess.Popen(command + [str(seed + done), str(now)] + rest, stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=out, preexec_fn=drop_rights, start_new_session=True)
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
        else:
            print(text[-200:].decode(errors='replace').splitlines()[-1])
        done += now
    print(f'{done} rounds from seed {seed}, {failed} runs failed')
    return failed != 0


def main():
    if sys.argv[1] == '--inside':
        metic, program, rounds, seed, *rest = sys.argv[2:]
        root = tempfile.mkdtemp(prefix='metic-hostile-')
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', root], check=True)
        for folder in ('proc', 'dev', 'tmp', 'work'):
            os.mkdir(f'{root}/{folder}')
        open(f'{root}/dev/null', 'w').close()
        subprocess.run(['mount', '--bind', '/dev/null', f'{root}/dev/null'], check=True)
        subprocess.run(['mount', '-t', 'proc', 'proc', f'{root}/proc'], stderr=subprocess.DEVNULL)  # better with than without
        shutil.copy(program, f'{root}/hostile')
        command = ['/hostile']
        if metic != '-':
            shutil.copy(metic, f'{root}/metic')
            command = ['/metic', '/hostile']
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', f'{root}/work'], check=True)
        subprocess.run(['mount', '-o', 'remount,ro', root], check=True)
        return inside(root, command, int(rounds), int(seed), rest or ['150'])
    if subprocess.run(UNSHARE + ['mount', '-t', 'tmpfs', 'tmpfs', '/tmp'], stderr=subprocess.DEVNULL).returncode:
        print('no namespaces here')
        return SKIPPED
    metic, program, rounds, *rest = sys.argv[1:]
    seed, rest = (rest[0], rest[1:]) if rest else ('1', [])
    with tempfile.TemporaryDirectory(prefix='metic-hostile-') as tmp:  # the sandbox's own folders are in its mount alone
        env = dict(os.environ, TMPDIR=tmp)
        return subprocess.run(UNSHARE + [sys.executable, os.path.abspath(__file__), '--inside', metic, program, rounds, seed] + rest,
                              env=env).returncode


sys.exit(main())
