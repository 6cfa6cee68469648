#!/usr/bin/env python3
"""Compares -strace with strace(1): the same program, built for the host and for a guest, each traced, line by line.

    strace.py METIC NATIVE-PROGRAM GUEST-PROGRAM [FILE]

Lines are compared process by process, behind the first mark (traced.c). What may differ stands in strace-differences.txt
beside this file, with the reason. FILE: the two normalised traces are left in FILE.native and FILE.guest. tests/e2e/strace.py
compares Debian's programs in the same way.
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
TRIES = 3
PID_MAX = int(Path('/proc/sys/kernel/pid_max').read_text())  # ids begin anew behind it


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


def ruled(side, line, rules):
    """The line as the rules leave it; None: it is dropped."""
    for rule_side, pattern, replacement in rules:
        if rule_side not in (side, 'both'):
            continue
        if replacement is None and pattern.search(line):
            return None
        line = pattern.sub(replacement or '', line)
    return line


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


def ends_of_children_last(lines):
    """They are told at any moment: in front of the call that waits for the child, or behind it. A handler returns as the next line."""
    ends = set()
    for i, line in enumerate(lines):
        if line.startswith('--- SIGCHLD'):
            ends.add(i)
            if i + 1 < len(lines) and lines[i + 1].startswith('rt_sigreturn('):
                ends.add(i + 1)
    return [l for i, l in enumerate(lines) if i not in ends] + [l for i, l in enumerate(lines) if i in ends]


class Lines(list):
    """A trace's. ids: what its processes were called, who are PID0, PID1… now."""
    ids = frozenset()


def normalise(side, log, begin, rules):
    """Lines of all processes, the first one's from the one on that matches `begin`, as the rules leave them."""
    processes = join(log.read_text(errors='surrogateescape').splitlines())
    first = next(iter(processes.values()))
    start = next((i for i, l in enumerate(first) if re.search(begin, l)), None)
    if start is None:
        sys.exit(f'{side}: no line matches {begin}')
    del first[:start]
    oldest = next(iter(processes))
    by_age = sorted(processes, key=lambda pid: (pid - oldest) % PID_MAX)
    names = {pid: f'PID{n}' for n, pid in enumerate(by_age)}
    out = Lines()
    out.ids = frozenset(names)
    for pid in by_age:
        out.append(f'-- {names[pid]}')
        for line in ends_of_children_last(processes[pid]):
            line = re.sub(r' {2,}= ', ' = ', line)
            line = re.sub(r'\b[1-9]\d*\b', lambda m: names.get(int(m[0]), m[0]), line)
            line = ruled(side, line, rules)
            if line is not None:
                out.append(line)
    return out


def mixed_up(a, b):
    """They differ, and some number in one of them happens to be the id of one of the other's processes: to be traced again."""
    def numbers(lines):
        return {int(n) for line in lines for n in re.findall(r'\b[1-9]\d*\b', line)}
    return a != b and (a.ids & numbers(b) or b.ids & numbers(a))


def compare(what, expected, got):
    """Prints the difference; whether there is none."""
    difference = list(difflib.unified_diff(expected, got, 'strace(1)', '-strace', lineterm='', n=0))
    print(f'{what}: {len(got)} lines, {"ok" if not difference else "DIFFERENT"}')
    print('\n'.join(difference).encode(errors='replace').decode(), end='\n' if difference else '')
    return not difference


def trace(side, folder, command, log):
    folder.mkdir()
    r = subprocess.run(command + [str(folder)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT,
                       env={'PATH': os.environ['PATH'], 'TZ': 'UTC'})
    shutil.rmtree(folder)
    if r.returncode or r.stderr:
        sys.exit(f'{side}: exit code {r.returncode}, {r.stderr[:2000]}')
    lines = normalise(side, log, r'^write\(-1, "begin"', RULES)
    log.unlink()
    return lines


def usable():
    """Whether there is a strace(1) that may trace."""
    return shutil.which('strace') and not subprocess.run(['strace', '-o', '/dev/null', 'true'], capture_output=True).returncode


def main(metic, native, guest, keep=None):
    if not usable():
        print('skipped: no strace, or it may not trace')
        return 77
    good = True
    with tempfile.TemporaryDirectory() as tmp:
        log, folder = Path(tmp) / 'log', Path(tmp) / 'folder'
        for words in [], ['-v', '-y']:
            for _ in range(TRIES):
                expected = trace('native', folder, ['strace', '-f', *words, '-o', str(log), native], log)
                got = trace('guest', folder, [metic, '-strace-with', ' '.join(['-f', *words]), '-D', str(log), guest], log)
                if not mixed_up(expected, got):
                    break
            if keep:
                Path(keep + '.native').write_text('\n'.join(expected), errors='surrogateescape')
                Path(keep + '.guest').write_text('\n'.join(got), errors='surrogateescape')
            good = compare(' '.join(words) or 'plain', expected, got) and good
    return int(not good)


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:5]))
