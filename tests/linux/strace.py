#!/usr/bin/env python3
"""Compares -strace with strace(1): the same program, built for the host and for a guest, each traced, line by line.

    strace.py METIC NATIVE-PROGRAM GUEST-PROGRAM [FILE]

Lines are compared process by process, behind the first mark and up to the last one (traced.c). What may differ stands in
strace-differences.txt beside this file, with the reason. FILE: the two normalised traces are left in FILE.native and FILE.guest.
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TIMEOUT = 100
metic, native, guest = sys.argv[1:4]
keep = sys.argv[4] if len(sys.argv) > 4 else None


def read_rules(path):
    """[(side, regular expression, replacement or None)]; every rule stands under a comment that gives its reason."""
    rules, reason = [], False
    for n, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith('#'):
            reason = True
        elif not line.strip():
            reason = False
        else:
            m = re.fullmatch(r'(native|guest|both) (?:drop (.+)|(.+?) ==> ?(.*))', line)
            if not m or not reason:
                sys.exit(f'{path.name}:{n}: expected a reason, then `SIDE REGEX ==> REPLACEMENT` or `SIDE drop REGEX`')
            rules.append((m[1], re.compile(m[2] or m[3]), None if m[2] else m[4]))
    return rules


RULES = read_rules(Path(__file__).parent / 'strace-differences.txt')


def join(lines):
    """{pid: [lines]}, interrupted ones put together, in the order in which the processes appear."""
    out, open_lines = {}, {}
    for line in lines:
        m = re.match(r'(\d+) +(.*)', line)
        if not m:
            sys.exit(f'not a line of a trace: {line!r}')
        pid, text = int(m[1]), m[2]
        resumed = re.match(r'<\.\.\. \w+ resumed>(.*)', text)
        if resumed:
            text = open_lines.pop(pid, '?') + resumed[1]
        if text.endswith('<unfinished ...>'):
            open_lines[pid] = re.sub(r' ?<unfinished \.\.\.>$', '', text)
            out.setdefault(pid, [])
        else:
            out.setdefault(pid, []).append(text)
    for pid, text in open_lines.items():
        out[pid].append(text + ') = ?')
    return out


def normalise(side, log):
    processes = join(log.read_text(errors='surrogateescape').splitlines())
    first = next(iter(processes.values()))
    begin = next(i for i, l in enumerate(first) if l.startswith('write(-1, "begin"'))
    del first[:begin]
    names = {pid: f'PID{n}' for n, pid in enumerate(sorted(processes))}
    out = []
    for pid in sorted(processes):
        out.append(f'-- {names[pid]}')
        for line in processes[pid]:
            line = re.sub(r' {2,}= ', ' = ', line)
            line = re.sub(r'\b\d+\b', lambda m: names.get(int(m[0]), m[0]), line)
            for rule_side, pattern, replacement in RULES:
                if rule_side not in (side, 'both'):
                    continue
                if replacement is None and pattern.search(line):
                    break
                line = pattern.sub(replacement or '', line)
            else:
                out.append(line)
    return out


def trace(side, name, command, log):
    folder = Path(name)
    folder.mkdir()
    r = subprocess.run(command + [str(folder)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
                       env={'PATH': os.environ['PATH'], 'TZ': 'UTC'})
    shutil.rmtree(folder)
    if r.returncode or r.stderr:
        sys.exit(f'{side}: exit code {r.returncode}, {r.stderr[:2000]}')
    return normalise(side, log)


if not shutil.which('strace'):
    print('skipped: no strace')
    sys.exit(77)
failed = 0
with tempfile.TemporaryDirectory() as tmp:
    tmp, folder = Path(tmp), f'{tmp}/folder'
    for words in [], ['-v', '-y']:
        log = tmp / 'log'
        expected = trace('native', folder, ['strace', '-f', *words, '-o', str(log), native], log)
        log.unlink()
        got = trace('guest', folder, [metic, '-strace-with', ' '.join(['-f', *words]), '-D', str(log), guest], log)
        log.unlink()
        if keep:
            Path(keep + '.native').write_text('\n'.join(expected), errors='surrogateescape')
            Path(keep + '.guest').write_text('\n'.join(got), errors='surrogateescape')
        difference = list(difflib.unified_diff(expected, got, 'strace(1)', '-strace', lineterm='', n=0))
        print(f'{" ".join(words) or "plain"}: {len(got)} lines, {"ok" if not difference else "DIFFERENT"}')
        if difference:
            failed += 1
            print('\n'.join(difference).encode(errors='replace').decode())
sys.exit(failed != 0)
