#!/usr/bin/env python3
"""Malformed executables end to end: damaged copies of a guest program are started under metic.

usage: malformed.py METIC PROGRAM COUNT

Whatever the file says, metic either refuses it in one line (exit code 126) or runs it; it never hits a fault of its own,
an internal error or an endless loop in its loader. A damaged program may well crash: that is its own affair.
"""
import os
import random
import resource
import struct
import subprocess
import sys
import tempfile

EDGES = [0, 1, 7, 0xfff, 0x1000, 0x10000, 0x7fffffff, 0xffffffff, 1 << 46, (1 << 47) - 4096, 1 << 47, 1 << 63, (1 << 64) - 1]
HEADER = 64
PHENT = 56
TIMEOUT = 10


def damage(image, rng):
    """One random change of the headers, the length or the contents."""
    data = bytearray(image)
    phnum = struct.unpack_from('<H', image, 56)[0]
    headers = HEADER + PHENT * phnum
    for _ in range(rng.randint(1, 3)):
        kind = rng.randrange(6)
        at = rng.randrange(headers)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.randrange(256)
        elif kind == 2:
            struct.pack_into('<Q', data, at & ~7, rng.choice(EDGES))
        elif kind == 3:
            struct.pack_into('<H', data, at & ~1, rng.choice(EDGES) & 0xffff)
        elif kind == 4:  # two program headers change places or become alike
            a, b = (HEADER + PHENT * rng.randrange(phnum) for _ in range(2))
            data[a:a + PHENT] = data[b:b + PHENT]
        else:
            return bytes(data[:rng.choice([rng.randrange(headers + 8), rng.randrange(len(data))])])
    return bytes(data)


def limits():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


def run(metic, path, *options):
    # No file of the machine's is open: a damaged program once changed the mode of /dev/null.
    return subprocess.run([metic, *options, path], input=b'', stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT,
                          preexec_fn=limits)


def began(metic, path, log):
    """Whether the program that does not end came to run at all."""
    try:
        run(metic, path, '-d', 'in_asm', '-D', log)
    except subprocess.TimeoutExpired:
        pass
    return os.path.getsize(log) > 0


def aborts_itself(metic, path):
    """Does the damaged program end itself by SIGABRT, as its C library does when it finds its heap damaged?"""
    r = subprocess.run([metic, '-strace', path], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT)
    return r.returncode == -6 and b', SIGABRT) ' in r.stderr


def main():
    metic, program, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open(program, 'rb') as f:
        image = f.read()
    bad = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'damaged')
        for seed in ['odd entry', *range(count)]:
            with open(path, 'wb') as f:
                f.write(damage(image, random.Random(seed)) if seed != 'odd entry' else image[:24] + bytes([image[24] | 1]) + image[25:])
            os.chmod(path, 0o755)
            try:
                r = run(metic, path)
            except subprocess.TimeoutExpired:
                if not began(metic, path, os.path.join(folder, 'log')):
                    print(f'seed {seed}: not started after {TIMEOUT} s')
                    bad += 1
                continue
            err = r.stderr.decode(errors='replace')
            is_refusal = r.returncode == 126 and err.startswith('metic: ') and err.count('\n') == 1
            refused += is_refusal
            aborted = r.returncode == -6 and not aborts_itself(metic, path)
            if 'internal error' in err or aborted or (r.returncode == 126 and not is_refusal):
                print(f'seed {seed}: exit {r.returncode}: {err.strip()}')
                bad += 1
    print(f'{count} damaged programs: {refused} refused, {bad} handled wrongly')
    # The test proves something only if both ways are taken.
    sys.exit(bad > 0 or refused < count // 10 or refused == count)


main()
