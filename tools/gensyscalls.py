#!/usr/bin/env python3
"""Turns syscall-tables/*.tbl into C tables, the support page of the documentation, and a layout check.

    gensyscalls.py DIR --calls calls.h --tables tables.c     what the build uses
    gensyscalls.py DIR --rst syscalls.rst                    docs/ref/syscalls.rst
    gensyscalls.py DIR --check generic64|x86_64 FILE.c       static assertions against the kernel's own headers
    gensyscalls.py DIR --hostile hostile-calls.h             what tests/linux/hostile.c calls

The formats are explained at the head of each .tbl file. A mistake is one line: file:line: what.
"""
import re
import sys
from pathlib import Path

GUESTS = ['aarch64', 'riscv64']
HOST = 'x86_64'
RESTART = {'wait': 512, 'nohand': 514, 'block': 516}
SIMPLE = ('none fd dirfd path lpath rawpath str int uint long ulong hex ptr off size mode dev pid uid gid sig strv envp '
          'word nsec wstatus rlim').split()
BASE = {'s8': (1, 1), 'u8': (1, 0), 's16': (2, 1), 'u16': (2, 0), 's32': (4, 1), 'u32': (4, 0),
        's64': (8, 1), 'u64': (8, 0), 'ptr': (8, 0), 'char': (1, 0)}


class Bad(Exception):
    pass


def lines(path):
    for n, line in enumerate(path.read_text().splitlines(), 1):
        line = re.sub(r'(^|\s)#.*', '', line).rstrip()
        if line:
            yield f'{path.name}:{n}', line


def number(where, s):
    if re.fullmatch(r'0[0-7]+', s):
        return int(s, 8)
    try:
        return int(s.replace('~0', '-1'), 0)
    except ValueError:
        raise Bad(f'{where}: {s!r} is not a number') from None


class Tables:
    def __init__(self, folder):
        self.dir = Path(folder)
        self.errnos = self.read_errnos()
        self.numbers = {a: self.read_numbers(a) for a in GUESTS + [HOST]}
        self.sets = self.read_flags()
        self.structs = self.read_structs()
        self.calls = self.read_calls()
        self.ioctls, self.families = self.read_ioctls()

    # -- reading

    def read_errnos(self):
        out = {}
        for where, line in lines(self.dir / 'errnos.tbl'):
            n, name, text = line.split(None, 2)
            if name in out:
                raise Bad(f'{where}: {name} twice')
            out[name] = (number(where, n), text)
        return out

    def read_numbers(self, arch):
        out = {}
        for where, line in lines(self.dir / f'numbers-{arch}.tbl'):
            a, b = line.split()
            if a == 'include':
                out.update(self.read_numbers(b))
                continue
            n = number(where, a)
            if b in out or n in out.values():
                raise Bad(f'{where}: {n} or {b} twice')
            out[b] = n
        return out

    def read_flags(self):
        """{set: (kind, [(name, value, mask, {arch: value})])}; mask None: the value itself."""
        out, cur = {}, None
        for where, line in lines(self.dir / 'flags.tbl'):
            word = line.split()
            if not line.startswith(' '):
                kind, name = word
                if kind not in ('flags', 'enum') or name in out:
                    raise Bad(f'{where}: expected a new `flags NAME` or `enum NAME`')
                cur = []
                out[name] = (kind, cur)
                continue
            archs, plain = {}, []
            for w in word[1:]:
                if '=' in w:
                    a, v = w.split('=')
                    if a not in GUESTS:
                        raise Bad(f'{where}: unknown architecture {a}')
                    archs[a] = number(where, v)
                else:
                    plain.append(number(where, w))
            if not 1 <= len(plain) <= 2 or cur is None:
                raise Bad(f'{where}: expected NAME value [mask] [arch=value]')
            cur.append((word[0], plain[0], plain[1] if len(plain) > 1 else None, archs))
        return out

    def layout(self, where, fields, packed):
        at, align, out = 0, 1, []
        for name, base, count in fields:
            if base in BASE:
                size, al = BASE[base][0], BASE[base][0]
            elif base in self._structs:
                size, al = self._structs[base]['size'], self._structs[base]['align']
            else:
                raise Bad(f'{where}: unknown type {base}')
            al = 1 if packed else al
            at = (at + al - 1) // al * al
            out.append((at, size))
            at += size * count
            align = max(align, al)
        return out, (at + align - 1) // align * align, align

    def read_structs(self):
        self._structs = out = {}
        blocks, cur = [], None
        for where, line in lines(self.dir / 'structs.tbl'):
            word = line.split()
            if not line.startswith(' '):
                if word[0] not in ('struct', 'host') or len(word) < 2:
                    raise Bad(f'{where}: expected `struct NAME C-type headers` or `host NAME`')
                cur = {'where': where, 'host': word[0] == 'host', 'name': word[1], 'rest': word[2:], 'fields': []}
                blocks.append(cur)
                continue
            if cur is None or not 2 <= len(word) <= 3:
                raise Bad(f'{where}: expected NAME type [kind]')
            m = re.fullmatch(r'(\w+)(?:\[(\d+)\])?', word[1])
            if not m:
                raise Bad(f'{where}: bad type {word[1]}')
            cur['fields'].append((word[0], m[1], int(m[2] or 1), word[2] if len(word) > 2 else None, where))
        for b in blocks:
            plain = [f[:3] for f in b['fields']]
            at, size, align = self.layout(b['where'], plain, 'packed' in b['rest'])
            if not b['host']:
                if b['name'] in out:
                    raise Bad(f"{b['where']}: struct {b['name']} twice")
                out[b['name']] = {'size': size, 'align': align, 'ctype': b['rest'], 'where': b['where'], 'host': None,
                                  'fields': [f + a for f, a in zip(b['fields'], at)]}
            else:
                if b['name'] not in out:
                    raise Bad(f"{b['where']}: host layout of an undescribed struct {b['name']}")
                out[b['name']]['host'] = {'size': size, 'packed': 'packed' in b['rest'],
                                          'fields': {f[0]: f + a for f, a in zip(b['fields'], at)}}
        for s in out.values():
            for f in s['fields']:
                self.field_kind(f)
        return out

    def field_kind(self, f):
        """(kind, ref) of a field as C."""
        name, base, count, kind, where = f[:5]
        if kind is None:
            if base not in BASE:
                return 'struct', f'STRUCT_{base}'
            return {'char': 'chars', 'ptr': 'ptr'}.get(base, 'long' if BASE[base][1] else 'ulong'), '0'
        if kind == '-':
            return 'hidden', '0'
        return self.kind_ref(where, kind)

    def kind_ref(self, where, kind):
        m = re.fullmatch(r'(flags|enum):(\w+)', kind)
        if m:
            if m[2] not in self.sets:
                raise Bad(f'{where}: unknown set {m[2]}')
            return m[1], f'SET_{m[2]}'
        if kind not in SIMPLE:
            raise Bad(f'{where}: unknown kind {kind!r}')
        return kind, '0'

    def arg(self, where, s):
        """(kind, count, ref) of an argument as C."""
        m = re.fullmatch(r'(buf|iov|sa|msg|sigset)([<>])(\d?)', s)
        if m:
            kind = m[1] + ('in' if m[2] == '<' else 'out')
            return kind, m[3] or 'NO_COUNT', '0'
        m = re.fullmatch(r'(fdset|cpuset):(\d)', s)
        if m:
            return m[1], m[2], '0'
        m = re.fullmatch(r'(in|out|io):(\w+)(?:\*(=?)(\d))?', s)
        if m:
            if m[2] not in self._structs:
                raise Bad(f'{where}: unknown struct {m[2]}')
            count = 'NO_COUNT' if not m[4] else str(int(m[4]) | 0x80) if m[3] else m[4]
            return m[1], count, f'STRUCT_{m[2]}'
        kind, ref = self.kind_ref(where, s)
        return kind, 'NO_COUNT', ref

    def read_calls(self):
        out = {}
        for where, line in lines(self.dir / 'calls.tbl'):
            line, _, note = line.partition(';')
            line, _, ret = line.partition('->')
            word = line.split()
            if len(word) < 2:
                raise Bad(f'{where}: expected NAME support arguments')
            name, support = word[:2]
            support, _, restart = support.partition('+')
            if restart and restart not in RESTART:
                raise Bad(f'{where}: unknown way to block {restart!r}')
            if support not in ('pass', 'hand') and support not in self.errnos:
                raise Bad(f'{where}: support is pass, hand or an error, not {support!r}')
            if support in self.errnos and not note.strip():
                raise Bad(f'{where}: a refusal needs a reason')
            args = [self.arg(where, a) for a in word[2:]]
            if len(args) > 6:
                raise Bad(f'{where}: more than six arguments')
            for a in args:
                if a[1] != 'NO_COUNT' and 6 <= int(a[1]) < 0x80:
                    raise Bad(f'{where}: argument {a[1]} does not exist')
            if name in out:
                raise Bad(f'{where}: {name} twice')
            if not any(name in self.numbers[a] for a in GUESTS):
                raise Bad(f'{where}: {name} has no number')
            if support == 'pass' and name not in self.numbers[HOST]:
                raise Bad(f'{where}: {name} does not exist on the host')
            convert = any(k in ('path', 'lpath') or k == 'flags' and self.differs(r[4:]) or
                          k in ('in', 'out', 'io') and self._structs[r[7:]]['host'] for k, _, r in args)
            out[name] = {'support': support, 'restart': RESTART.get(restart, 0), 'args': args, 'raw': word[2:],
                         'ret': self.kind_ref(where, ret.strip() or 'int')[0], 'note': note.strip(), 'convert': convert}
        for a in GUESTS:
            for name in self.numbers[a]:
                if name not in out:
                    raise Bad(f'numbers-{a}.tbl: {name} is not described in calls.tbl')
        return out

    def differs(self, name):
        return any(f[3] for f in self.sets[name][1])

    def read_ioctls(self):
        out, families = [], []
        for where, line in lines(self.dir / 'ioctls.tbl'):
            word = line.split()
            if word[0] == 'family':
                families.append(number(where, word[1]))
            else:
                out.append((number(where, word[1]), word[0], self.arg(where, word[2])))
        out.sort(key=lambda r: r[0])
        return out, families

    # -- writing

    def calls_h(self):
        o = ['/* Made from syscall-tables/ by tools/gensyscalls.py. */', '#ifndef SYSCALL_TABLES_CALLS_H',
             '#define SYSCALL_TABLES_CALLS_H', '', '#include <stdint.h>', '', 'enum syscall_call {', '    CALL_unknown,']
        o += [f'    CALL_{n},' for n in self.calls] + ['    CALL_COUNT', '};', '', 'enum flag_set_id {']
        o += [f'    SET_{n},' for n in self.sets] + ['    SET_COUNT', '};', '', 'enum struct_id {']
        o += [f'    STRUCT_{n},' for n in self.structs] + ['    STRUCT_COUNT', '};', '']
        o += ['/* X(name) for every call that has a handler. */', '#define SYSCALLS_BY_HAND(X) \\']
        o += [f'    X({n}) \\' for n, c in self.calls.items() if c['support'] == 'hand'] + ['', '']
        o.append('/* Room for structs that the host lays out otherwise, as the guest and as the host has them; see xlat.h. */')
        for name, s in self.structs.items():
            if s['host']:
                o += [f'struct guest_{name} {{ uint64_t words[{(s["size"] + 7) // 8}]; }};',
                      f'struct host_{name} {{ uint8_t bytes[{s["host"]["size"]}]; }} __attribute__((aligned(8)));']
        return '\n'.join(o + ['', '#endif', ''])

    def tables_c(self):
        o = ['/* Made from syscall-tables/ by tools/gensyscalls.py. */', '#include "syscall-tables/tables.h"', '']
        sup = {'pass': 'SUPPORT_PASS', 'hand': 'SUPPORT_HAND'}
        o.append('const struct call_desc syscall_calls[CALL_COUNT] = {')
        o.append('    [CALL_unknown] = {"unknown", SUPPORT_REFUSED, 6, 0, -1, 38, KIND_int, 0,')
        o.append('        {{KIND_hex}, {KIND_hex}, {KIND_hex}, {KIND_hex}, {KIND_hex}, {KIND_hex}}},')
        for name, c in self.calls.items():
            args = ', '.join(f'{{KIND_{k}, {n}, {r}}}' for k, n, r in c['args'])
            err = 0 if c['support'] in sup else self.errnos[c['support']][0]
            o.append(f'    [CALL_{name}] = {{"{name}", {sup.get(c["support"], "SUPPORT_REFUSED")}, {len(c["args"])}, '
                     f'{c["restart"]}, {self.numbers[HOST].get(name, -1)}, {err}, KIND_{c["ret"]}, '
                     f'{int(c["convert"])}, {{{args or "{0}"}}}}},')
        o += ['};', '']
        for name, (kind, flags) in self.sets.items():
            for arch in [''] + [a for a in GUESTS if any(a in f[3] for f in flags)]:
                o.append(f'static const struct flag_desc flags_{name}{"_" + arch if arch else ""}[] = {{')
                for n, v, m, archs in flags:
                    value = archs.get(arch, v)
                    mask = (value if kind == 'flags' else -1) if m is None else m
                    o.append(f'    {{"{n}", {value & (1 << 64) - 1:#x}u, {mask & (1 << 64) - 1:#x}u}},')
                o += ['};']
                if arch:
                    o.append(f'static const struct flag_pair pairs_{name}_{arch}[] = {{')
                    for n, v, m, archs in flags:
                        g = archs.get(arch, v)
                        if g != v and bin(g).count('1') == 1:
                            o.append(f'    {{{g:#x}, {v:#x}}}, /* {n} */')
                    o += ['};']
        for arch in GUESTS:
            o += ['', f'static const struct flag_set sets_{arch}[SET_COUNT] = {{']
            for name, (kind, flags) in self.sets.items():
                own = any(arch in f[3] for f in flags)
                suffix = f'_{arch}' if own else ''
                pairs = f'pairs_{name}_{arch}' if own else '0'
                npairs = f'sizeof pairs_{name}_{arch} / sizeof(struct flag_pair)' if own else '0'
                o.append(f'    [SET_{name}] = {{flags_{name}{suffix}, {pairs}, {len(flags)}, {npairs}}},')
            o += ['};', f'static const uint16_t calls_{arch}[] = {{']
            o += [f'    [{n}] = CALL_{c},' for c, n in self.numbers[arch].items()]
            o += ['};', f'const struct syscall_abi syscall_abi_{arch} = {{"{arch}", calls_{arch}, '
                  f'sizeof calls_{arch} / sizeof(uint16_t), sets_{arch}}};']
        o.append('')
        for name, s in self.structs.items():
            o.append(f'static const struct field_desc fields_{name}[] = {{')
            host = s['host']
            for f in s['fields']:
                fname, base, count, _, _, at, size = f
                kind, ref = self.field_kind(f)
                hat, hsize = at, size
                if host:
                    h = host['fields'].get(fname)
                    hat, hsize = (h[5], h[6]) if h else (0, 0)
                signed = int(base in BASE and BASE[base][1])
                o.append(f'    {{"{fname}", {at}, {hat}, {size}, {hsize}, KIND_{kind}, {signed}, {count}, {ref}}},')
            o.append('};')
        o += ['', 'const struct struct_desc syscall_structs[STRUCT_COUNT] = {']
        for name, s in self.structs.items():
            hsize = s['host']['size'] if s['host'] else s['size']
            o.append(f'    [STRUCT_{name}] = {{"{name}", fields_{name}, {len(s["fields"])}, {s["size"]}, {hsize}, '
                     f'{int(bool(s["host"]))}}},')
        o += ['};', '', 'const struct errno_desc syscall_errnos[] = {']
        o += [f'    {{{n}, "{name}", "{text}"}},' for name, (n, text) in self.errnos.items()]
        o += ['};', f'const unsigned syscall_nerrnos = {len(self.errnos)};', '',
              'const struct ioctl_desc syscall_ioctls[] = {']
        o += [f'    {{"{n}", {c:#x}, {{KIND_{k}, {cnt}, {r}}}}},' for c, n, (k, cnt, r) in self.ioctls]
        o += ['};', f'const unsigned syscall_nioctls = {len(self.ioctls)};', '',
              'const uint8_t syscall_ioctl_families[] = {' + ', '.join(hex(f) for f in self.families) + ', 0};', '']
        return '\n'.join(o)

    def rst(self):
        count = {'pass': 0, 'hand': 0, 'refused': 0}
        rows = []
        for name, c in sorted(self.calls.items()):
            s = c['support']
            word = {'pass': 'passed on', 'hand': 'own handler'}.get(s, f'refused: {s}')
            count[s if s in count else 'refused'] += 1
            where = ' '.join(str(self.numbers[a].get(name, '-')) for a in GUESTS)
            a, r = where.split()
            rows.append((f'``{name}``', a, r, word + (f'; {c["note"]}' if c['note'] else '')))
        o = ['System calls', '============', '',
             '.. Made from syscall-tables/ by tools/gensyscalls.py; edit those.', '',
             f'Of the {len(rows)} calls that Linux 6.12 has on these guests, {count["pass"]} go to the host as described, '
             f'{count["hand"]} have', f'a handler of their own and {count["refused"]} are refused, with the reason beside them. '
             'Any other number answers ``ENOSYS``.', '',
             '.. list-table::', '   :header-rows: 1', '   :widths: 25 8 8 59', '',
             '   * - call', '     - aarch64', '     - riscv64', '     - support']
        for row in rows:
            o += [f'   * - {row[0]}'] + [f'     - {c}' for c in row[1:]]
        o += ['', 'ioctl commands', '--------------', '',
              f'{len(self.ioctls)} commands are known by name: ' + ', '.join(f'``{n}``' for _, n, _ in self.ioctls) + '.', '']
        return '\n'.join(o)

    def hostile_h(self):
        """Numbers and kinds of arguments of all calls, for each architecture, without those that end the run."""
        kinds = {'fd': 'FD', 'dirfd': 'FD', 'size': 'LENGTH', 'pid': 'PID'}
        kinds |= dict.fromkeys(('path', 'lpath', 'rawpath', 'str'), 'PATH')
        kinds |= dict.fromkeys(('none', 'int', 'uint', 'long', 'ulong', 'hex', 'off', 'mode', 'dev', 'uid', 'gid', 'sig'), 'NUMBER')
        used, rows = set(), {a: [] for a in GUESTS + [HOST]}
        for name, c in self.calls.items():
            if name in NOT_HOSTILE:
                continue
            row = []
            for k, _, ref in c['args']:
                if k in ('flags', 'enum'):
                    used.add(ref[4:])
                    row.append((f'K_VALUE{"S" if k == "flags" else ""}', f'set_{ref[4:]}', f'sizeof set_{ref[4:]} / 8'))
                else:
                    row.append(('K_' + kinds.get(k, 'POINTER'), '0', '0'))
            kind, values, n = ('{' + ', '.join(r[i] for r in row) + '}' if row else '{0}' for i in range(3))
            for a in rows:
                if name in self.numbers[a]:
                    rows[a].append(f'    {{"{name}", {self.numbers[a][name]}, {len(row)}, {int(c["ret"] == "fd")}, {kind}, '
                                   f'{values}, {n}}},')
        o = ['/* Made from syscall-tables/ by tools/gensyscalls.py. */',
             'enum kind { K_NUMBER, K_FD, K_PATH, K_POINTER, K_LENGTH, K_PID, K_VALUES, K_VALUE };',
             'struct call { const char *name; int number; unsigned nargs, makes_fd; enum kind kind[6]; const uint64_t *values[6];'
             ' unsigned nvalues[6]; };']
        for name in sorted(used):
            values = ', '.join(f'{v & (1 << 64) - 1:#x}u' for _, v, _, _ in self.sets[name][1])
            o.append(f'static const uint64_t set_{name}[] = {{{values}}};')
        for a in rows:
            macro = {'riscv64': '__riscv'}.get(a, f'__{a}__')
            o += [f'#ifdef {macro}', 'static const struct call calls[] = {', *rows[a], '};', '#endif']
        return '\n'.join(o + ['enum { ncalls = sizeof calls / sizeof calls[0] };', ''])

    def check_c(self, side):
        """Static assertions of the struct layouts and flag values, for the compiler of that side."""
        arch = None if side in ('generic64', HOST) else side
        headers, o = [], []
        for name, s in self.structs.items():
            if not s['ctype'] or s['ctype'][0] == '-':
                continue
            ctype = s['ctype'][0].replace('_', ' ', 1)
            headers += [h for h in s['ctype'][1:] if h not in headers]
            host = s['host'] if side == HOST else None
            size = host['size'] if host else s['size']
            fields = host['fields'].values() if host else s['fields']
            if name not in GROWS:
                o.append(f'_Static_assert(sizeof({ctype}) == {size}, "size of {name}");')
            for f in fields:
                if f[0].startswith(('_', 'reserved', 'sigev_un', 'pad')) or f[0] in NEWER:
                    continue
                o.append(f'_Static_assert(offsetof({ctype}, {f[0]}) == {f[5]}, "{name}.{f[0]}");')
        heads = ['#include <stddef.h>'] + [f'#include <{h}>' for h in headers]
        heads += [f'#include <{h}>' for h in VALUE_HEADERS if h not in headers]
        for name, (_, flags) in self.sets.items():
            for n, v, m, archs in flags:
                value = archs.get(arch, v) if arch else v
                if n in ('O_LARGEFILE', 'O_ACCMODE'):
                    continue
                o.append(f'#ifdef {n}\n_Static_assert((long long)({n}) == (long long)({value}ll) || '
                         f'(unsigned)({n}) == {value & 0xffffffff}u, "{n}");\n#endif')
        heads.append('#include <asm/unistd.h>')
        for name, n in self.numbers[side if side in self.numbers else 'aarch64'].items():
            o.append(f'#ifdef __NR_{name}\n_Static_assert(__NR_{name} == {n}, "number of {name}");\n#endif')
        for c, n, _ in self.ioctls:
            o.append(f'#ifdef {n}\n_Static_assert((unsigned)({n}) == {c:#x}u, "{n}");\n#endif')
        return '\n'.join(heads + o + [''])


# Not for random arguments: they end the program, or the machine's peace.
NOT_HOSTILE = {'exit', 'exit_group', 'reboot', 'sync', 'vhangup', 'syslog', 'swapon', 'swapoff', 'sigsuspend'}
# Structs that newer kernels lengthen, and fields that older headers lack.
GROWS = {'statx', 'clone_args'}
NEWER = {'stx_dio_mem_align', 'stx_dio_offset_align'}
VALUE_HEADERS = ['linux/fcntl.h', 'linux/fs.h', 'linux/mman.h', 'linux/prctl.h', 'linux/futex.h', 'linux/sockios.h',
                 'linux/inotify.h', 'linux/fanotify.h', 'linux/falloc.h', 'linux/fiemap.h', 'linux/wait.h', 'linux/random.h',
                 'linux/ipc.h', 'linux/shm.h', 'linux/msg.h', 'linux/timerfd.h', 'linux/ptrace.h',
                 'linux/if_tun.h', 'linux/loop.h', 'linux/mount.h', 'linux/close_range.h',
                 'linux/xattr.h', 'linux/tcp.h', 'asm/ioctls.h', 'asm/socket.h']


def main(argv):
    if len(argv) < 3:
        sys.exit(__doc__)
    try:
        t = Tables(argv[1])
        args = argv[2:]
        while args:
            what = args.pop(0)
            if what == '--calls':
                Path(args.pop(0)).write_text(t.calls_h())
            elif what == '--tables':
                Path(args.pop(0)).write_text(t.tables_c())
            elif what == '--rst':
                Path(args.pop(0)).write_text(t.rst())
            elif what == '--hostile':
                Path(args.pop(0)).write_text(t.hostile_h())
            elif what == '--check':
                side = args.pop(0)
                Path(args.pop(0)).write_text(t.check_c(side))
            else:
                sys.exit(__doc__)
    except (Bad, OSError) as e:
        sys.exit(f'gensyscalls: {e}')


if __name__ == '__main__':
    main(sys.argv)
