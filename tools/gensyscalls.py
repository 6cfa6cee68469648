#!/usr/bin/env python3
"""Turns syscall-tables/*.tbl into C tables, the support page of the documentation, and a layout check.

    gensyscalls.py DIR [--host CPU] --calls calls.h --tables tables.c     what the build uses; the host: x86_64
    gensyscalls.py DIR --rst syscalls.rst                    docs/ref/syscalls.rst
    gensyscalls.py DIR --check generic64|x86_64 FILE.c       static assertions against the kernel's own headers
    gensyscalls.py DIR --hostile hostile-calls.h             what tests/linux/hostile.c calls

The formats are explained at the head of each .tbl file. A mistake is one line: file:line: what.
"""
import re
import sys
from pathlib import Path

GUESTS = ['aarch64', 'riscv64']
PROCESSORS = GUESTS + ['x86_64'] # each may be the host
RESTART = {'wait': 512, 'nohand': 514, 'block': 516}
SIMPLE = ('none fd dirfd path lpath rawpath str int uint long ulong hex ptr off size mode perms dev pid uid gid sig strv envp '
          'word wstatus rlim len pos date epolldata sigval chars bytes address ifindex be16 ethertype mac x08 ioctl ioarg sockoptname dirents futexop sigmask ioprio quota').split()
# How `-e trace=%FAMILY` spells them; the first two follow from the kinds of arguments, the others stand in classes.tbl.
CLASSES = 'file desc clock creds ipc memory network process signal pure'.split()
WHEN = {'': 'ALWAYS', 'v': 'VERBOSE', 'nz': 'NONZERO', 'vnz': 'VERBOSE_NONZERO'}
BASE = {'s8': (1, 1), 'u8': (1, 0), 's16': (2, 1), 'u16': (2, 0), 's32': (4, 1), 'u32': (4, 0),
        's64': (8, 1), 'u64': (8, 0), 'ptr': (8, 0), 'char': (1, 0), 'long': (8, 1), 'ulong': (8, 0)}
IOCTL_DIRECTION = {'in': 1, 'out': 2, 'io': 3}  # _IOC_WRITE, _IOC_READ: the kernel's view is the program's
ANY_SIZE = 0x3fff0000


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
    def __init__(self, folder, host):
        self.dir, self.host = Path(folder), host
        self.errnos = self.read_errnos()
        self.numbers = {a: self.read_numbers(a) for a in PROCESSORS}
        self.sets = self.read_flags()
        self.structs = self.read_structs()
        self.calls = self.read_calls()
        self.ioctls, self.refused_ioctls = self.read_ioctls()
        self.classes = self.read_classes()
        self.variants = self.read_variants()
        self.levels, self.sockopts = self.read_sockopts()
        self.protocols, self.messages, self.attrs = self.read_netlink()

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

    def struct_blocks(self):
        blocks, cur, orders = [], None, {}
        for file in sorted(self.dir.glob('structs*.tbl')):
            for where, line in lines(file):
                word = line.split()
                if word[0] == 'order' and cur:
                    orders.setdefault(word[1], []).extend((where, f) for f in word[2:])
                    continue
                if not line.startswith(' '):
                    if word[0] not in ('struct', 'host') or len(word) < 2:
                        raise Bad(f'{where}: expected `struct NAME C-type headers` or `host NAME`')
                    cur = {'where': where, 'host': word[0] == 'host', 'name': word[1], 'packed': 'packed' in word[2:],
                           'ctype': [w for w in word[2:] if w != 'packed'], 'fields': []}
                    blocks.append(cur)
                    continue
                if cur is None or not 2 <= len(word) <= 3:
                    raise Bad(f'{where}: expected NAME type [kind]')
                m = re.fullmatch(r'(\w+)(?:\[(\d+)\])?', word[1])
                if not m:
                    raise Bad(f'{where}: bad type {word[1]}')
                cur['fields'].append((word[0], m[1], int(m[2] or 1), word[2] if len(word) > 2 else None, where))
        return blocks, orders

    def read_structs(self):
        self._structs = out = {}
        blocks, orders = self.struct_blocks()
        guest = {}
        for b in blocks:
            if not b['host'] and guest.setdefault(b['name'], b) is not b:
                raise Bad(f"{b['where']}: struct {b['name']} twice")

        def place(b):
            """Structs inside first, wherever they stand."""
            for _, base, _, _, _ in b['fields']:
                if base not in BASE and base not in out and base in guest and base != b['name']:
                    place(guest[base])
            at, size, align = self.layout(b['where'], [f[:3] for f in b['fields']], b['packed'])
            out[b['name']] = {'size': size, 'align': align, 'ctype': b['ctype'], 'where': b['where'], 'x86_64': None,
                              'fields': [f + a for f, a in zip(b['fields'], at)]}

        for name, b in guest.items():
            if name not in out:
                place(b)
        for b in blocks:
            if not b['host']:
                continue
            if b['name'] not in out:
                raise Bad(f"{b['where']}: host layout of an undescribed struct {b['name']}")
            at, size, _ = self.layout(b['where'], [f[:3] for f in b['fields']], b['packed'])
            out[b['name']]['x86_64'] = {'size': size, 'packed': b['packed'],
                                      'fields': {f[0]: f + a for f, a in zip(b['fields'], at)}}
        for s in out.values():
            s['host'] = s['x86_64'] if self.host == 'x86_64' else None
            for f in s['fields']:
                self.field_kind(f)
        for name, fields in orders.items():
            known = [f[0] for f in out[name]['fields']] if name in out else []
            for where, f in fields:
                if f not in known:
                    raise Bad(f'{where}: {name} has no field {f}')
            out[name]['order'] = [known.index(f) for _, f in fields]
        return out

    def field_kind(self, f):
        """(kind, ref, when) of a field as C."""
        name, base, count, kind, where = f[:5]
        m = re.fullmatch(r'(v|nz|vnz):(.*)', kind or '')
        kind, ref = self.plain_field_kind(name, base, where, m[2] or None if m else kind)
        return kind, ref, WHEN[m[1] if m else '']

    def plain_field_kind(self, name, base, where, kind):
        if kind is None:
            if base not in BASE:
                return 'struct', f'STRUCT_{base}'
            return {'char': 'chars', 'ptr': 'ptr'}.get(base, 'long' if BASE[base][1] else 'ulong'), '0'
        if kind == '-':
            return 'hidden', '0'
        return self.kind_ref(where, kind)

    def kind_ref(self, where, kind):
        m = re.fullmatch(r'(flags|enum|perm|named|hexed):(\w+)', kind)
        if m:
            if m[2] not in self.sets:
                raise Bad(f'{where}: unknown set {m[2]}')
            return m[1], f'SET_{m[2]}'
        if kind not in SIMPLE:
            raise Bad(f'{where}: unknown kind {kind!r}')
        return kind, '0'

    def arg(self, where, s):
        """(kind, count, ref) of an argument as C."""
        m = re.fullmatch(r'(buf|iov|sa|msg|mmsg|sigset|sigact|cpuset|sockopt|rand|xattr|caps|msgbuf|str|nodes|iocbs)([<>])(\d?)', s)
        if m:
            kind = m[1] + ('in' if m[2] == '<' else 'out')
            return kind, m[3] or 'NO_COUNT', '0'
        m = re.fullmatch(r'(fdset):(\d)', s)
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
            if support == 'pass' and name not in self.numbers[self.host]:
                raise Bad(f'{where}: {name} does not exist on the host')
            convert = any(k in ('path', 'lpath') or k == 'flags' and self.differs(r[4:]) or
                          k in ('in', 'out', 'io') and self._structs[r[7:]]['host'] for k, _, r in args)
            out[name] = {'support': support, 'restart': RESTART.get(restart, 0), 'args': args, 'raw': word[2:],
                         'ret': self.kind_ref(where, ret.strip() or 'int'), 'note': note.strip(), 'convert': convert}
        for a in GUESTS:
            for name in self.numbers[a]:
                if name not in out:
                    raise Bad(f'numbers-{a}.tbl: {name} is not described in calls.tbl')
        return out

    def read_classes(self):
        """{call: bits of CLASSES}"""
        out = dict.fromkeys(self.calls, 0)
        for name, c in self.calls.items():
            kinds = {k for k, _, _ in c['args']}
            out[name] |= bool(kinds & {'path', 'lpath', 'rawpath'}) << CLASSES.index('file')
            out[name] |= bool(kinds & {'fd', 'dirfd'} or c['ret'][0] == 'fd') << CLASSES.index('desc')
        for where, line in lines(self.dir / 'classes.tbl'):
            word = line.split()
            if word[0] not in CLASSES[2:]:
                raise Bad(f'{where}: unknown family {word[0]}')
            for name in word[1:]:
                if name not in out:
                    raise Bad(f'{where}: unknown call {name}')
                out[name] |= 1 << CLASSES.index(word[0])
        return out

    def value(self, where, set_name, flag):
        for n, v, *_ in self.sets[set_name][1]:
            if n == flag:
                return v
        raise Bad(f'{where}: {flag} is not in {set_name}')

    def read_variants(self):
        """[(call, index of the command, its value, [(kind, count, ref)], (kind, ref) of the result)]"""
        out = []
        for where, line in lines(self.dir / 'variants.tbl'):
            line, _, ret = line.partition('->')
            word = line.split()
            if len(word) < 2 or word[0] not in self.calls:
                raise Bad(f'{where}: expected CALL COMMAND kinds')
            kinds = self.calls[word[0]]['args']
            at = next((i for i, k in enumerate(kinds) if k[0] in ('enum', 'futexop')), None)
            if at is None or at + len(word) - 1 > 6:
                raise Bad(f'{where}: {word[0]} takes no such command')
            command = self.value(where, 'futex' if kinds[at][0] == 'futexop' else kinds[at][2][4:], word[1])
            out.append((word[0], at, command, [self.arg(where, a) for a in word[2:]],
                        self.kind_ref(where, ret.strip()) if ret.strip() else (self.calls[word[0]]['ret'])))
        return out

    def read_sockopts(self):
        """[(level, set)], [(level, option, kind, ref)]"""
        levels, out = [], []
        for where, line in lines(self.dir / 'sockopts.tbl'):
            word = line.split()
            if word[0] == 'level' and len(word) == 3:
                if word[2] not in self.sets:
                    raise Bad(f'{where}: unknown set {word[2]}')
                levels.append((self.value(where, 'sol', word[1]), word[2]))
            elif levels and len(word) == 2:
                struct = word[1] in self._structs
                kind = ('struct', f'STRUCT_{word[1]}') if struct else self.kind_ref(where, word[1])
                out.append((levels[-1][0], self.value(where, levels[-1][1], word[0]), *kind))
            else:
                raise Bad(f'{where}: expected `level LEVEL SET` or OPTION kind')
        return levels, out

    def read_netlink(self):
        """[(protocol, set)], [(protocol, first, last, struct, attributes or None)], {attributes: (prefix, [(name, type, kind)])}"""
        protocols, messages, attrs, cur = [], [], {}, None
        rows = [(where, line, line.split()) for where, line in lines(self.dir / 'netlink.tbl')]
        for where, line, word in rows:
            if word[0] == 'protocol' and len(word) == 3:
                if word[2] not in self.sets:
                    raise Bad(f'{where}: unknown set {word[2]}')
                protocols.append((self.value(where, 'netlink', word[1]), word[2]))
                cur = None
            elif word[0] == 'attrs' and len(word) == 3 and word[1] not in attrs:
                cur = []
                attrs[word[1]] = (word[2], cur)
            elif line.startswith(' ') and cur is not None and 2 <= len(word) <= 3:
                cur.append((word[0], number(where, word[1]), word[2] if len(word) > 2 else 'bytes', where))
            elif line.startswith(' ') and protocols and 3 <= len(word) <= 4 and word[2] in self._structs:
                names = protocols[-1][1]
                messages.append((protocols[-1][0], self.value(where, names, word[0]), self.value(where, names, word[1]), word[2],
                                 word[3] if len(word) > 3 else None, where))
            else:
                raise Bad(f'{where}: expected `protocol NAME SET`, `attrs NAME PREFIX`, messages or an attribute')
        for *_, name, where in messages:
            if name and name not in attrs:
                raise Bad(f'{where}: unknown attributes {name}')
        return protocols, messages, {n: (prefix, [(a, t, *self.attr_kind(where, k, attrs)) for a, t, k, where in sorted(rows, key=lambda r: r[1])])
                                     for n, (prefix, rows) in attrs.items()}

    def attr_kind(self, where, kind, attrs):
        """(kind, size, whether longer values count, ref) of an attribute as C."""
        word = kind.split(':')
        m = re.fullmatch(r'(u|s|x|be)(8|16|32|64)(\+?)', word[1] if len(word) == 3 else word[0])
        size, open_end = (int(m[2]) // 8, int(bool(m[3]))) if m else (0, 0)
        if len(word) == 1:
            if m:
                return {'u': 'uint', 's': 'sint', 'x': 'hex', 'be': 'be'}[m[1]], size, open_end, '0'
            if kind in NLA_KINDS:
                return kind, 0, 0, '0'
        elif word[0] in ('enum', 'flags', 'index') and len(word) == 3 and m and word[2] in self.sets:
            return word[0], size, int(m[1] == 's') if word[0] == 'index' else open_end, f'SET_{word[2]}'
        elif word[0] in ('struct', 'structs') and len(word) == 2 and word[1] in self._structs:
            return word[0], 0, 0, f'STRUCT_{word[1]}'
        elif word[0] in ('nested', 'names') and len(word) == 2 and word[1] in attrs:
            return word[0], 0, 0, f'NLA_SET_{word[1]}'
        elif word[0] == 'array' and len(word) == 2:
            m = re.fullmatch(r'(u|x)(8|16|32|64)', word[1])
            if m:
                return 'array', int(m[2]) // 8, int(m[1] == 'x'), '0'
        raise Bad(f'{where}: unknown kind {kind!r}')

    def differs(self, name):
        return any(f[3] for f in self.sets[name][1])

    def pairs(self, name, arch):
        """[(the guest's bit, the host's, name)] of the bits that differ."""
        out = []
        for n, v, _, archs in self.sets[name][1]:
            g, h = archs.get(arch, v), archs.get(self.host, v)
            if g != h and bin(g).count('1') == 1:
                out.append((g, h, n))
        return out

    def read_ioctls(self):
        """Rows of ioctls*.tbl, ascending, those of one command before those of many; {type byte: (error, note)}."""
        out, refused = [], {}
        for where, line in (row for file in sorted(self.dir.glob('ioctls*.tbl')) for row in lines(file)):
            line, _, note = line.partition(';')
            word = line.split()
            if word[0] == 'refused' and len(word) == 3:
                if word[2] not in self.errnos or not note.strip():
                    raise Bad(f'{where}: expected `refused TYPE ERROR ; why`')
                refused[number(where, word[1])] = (word[2], note.strip())
                continue
            m = re.fullmatch(r'(\w+?)(?:-(\w+))?(:size)?(!)?', word[1]) if len(word) == 3 else None
            if not m:
                raise Bad(f'{where}: expected NAME number argument')
            first = number(where, m[1])
            kind, count, ref = arg = self.arg(where, word[2])
            size = first >> 16 & 0x3fff
            if size and not m[3] and not m[4] and kind in IOCTL_DIRECTION:
                described = self._structs[ref[7:]]['size'] * (int(count) & 0x7f if count != 'NO_COUNT' else 1)
                if described != size or first >> 30 != IOCTL_DIRECTION[kind]:
                    raise Bad(f'{where}: {word[0]} passes {size} bytes by its number, {described} as described, or another way')
            out.append({'name': word[0], 'first': first, 'last': number(where, m[2]) if m[2] else first, 'any': bool(m[3]), 'arg': arg})
        out.sort(key=lambda r: (r['any'] or r['first'] != r['last'], r['first']))
        for a, b in zip(out, out[1:]):
            if a['first'] == b['first'] and a['any'] == b['any']:
                raise Bad(f"ioctls.tbl: {a['first']:#x} twice: {a['name']}, {b['name']}")
        return out, refused

    # -- writing

    def calls_h(self):
        o = ['/* Made from syscall-tables/ by tools/gensyscalls.py. */', '#ifndef SYSCALL_TABLES_CALLS_H',
             '#define SYSCALL_TABLES_CALLS_H', '', '#include <stdint.h>', '', 'enum syscall_call {', '    CALL_unknown,']
        o += [f'    CALL_{n},' for n in self.calls] + ['    CALL_COUNT', '};', '', 'enum flag_set_id {']
        o += [f'    SET_{n},' for n in self.sets] + ['    SET_COUNT', '};', '', 'enum struct_id {']
        o += [f'    STRUCT_{n},' for n in self.structs] + ['    STRUCT_COUNT', '};', '', 'enum nla_set_id {']
        o += [f'    NLA_SET_{n},' for n in self.attrs] + ['    NLA_SET_COUNT', '};', '']
        o += ['/* X(NAME) for every family of calls, in the order of the bits of call_desc.classes. */',
              '#define SYSCALL_CLASSES(X) ' + ' '.join(f'X({c})' for c in CLASSES), '']
        o += ['/* X(name) for every call that has a handler. */', '#define SYSCALLS_BY_HAND(X) \\']
        o += [f'    X({n}) \\' for n, c in self.calls.items() if c['support'] == 'hand'] + ['', '']
        o.append('/* Room for structs that some host lays out otherwise, as the guest and as the host has them; see xlat.h. */')
        for name, s in self.structs.items():
            if s['x86_64']:
                o += [f'struct guest_{name} {{ uint64_t words[{(s["size"] + 7) // 8}]; }};',
                      f'struct host_{name} {{ uint8_t bytes[{(s["host"] or s)["size"]}]; }} __attribute__((aligned(8)));']
        return '\n'.join(o + ['', '#endif', ''])

    def tables_c(self):
        o = ['/* Made from syscall-tables/ by tools/gensyscalls.py. */', '#include "syscall-tables/tables.h"', '',
             '/* Only names in them are pointers, which base/late.h relocates. */', '#define LATE __attribute__((section("late_data")))', '']
        sup = {'pass': 'SUPPORT_PASS', 'hand': 'SUPPORT_HAND'}
        o.append('const struct call_desc syscall_calls[CALL_COUNT] = {')
        o.append('    [CALL_unknown] = {"unknown", SUPPORT_REFUSED, 6, 0, -1, 38, KIND_int, 0, 0, 0,')
        o.append('        {{KIND_hex}, {KIND_hex}, {KIND_hex}, {KIND_hex}, {KIND_hex}, {KIND_hex}}},')
        for name, c in self.calls.items():
            args = ', '.join(f'{{KIND_{k}, {n}, {r}}}' for k, n, r in c['args'])
            err = 0 if c['support'] in sup else self.errnos[c['support']][0]
            o.append(f'    [CALL_{name}] = {{"{name}", {sup.get(c["support"], "SUPPORT_REFUSED")}, {len(c["args"])}, '
                     f'{c["restart"]}, {self.numbers[self.host].get(name, -1)}, {err}, KIND_{c["ret"][0]}, '
                     f'{int(c["convert"])}, {self.classes[name]:#x}, {c["ret"][1]}, {{{args or "{0}"}}}}},')
        o += ['};', '']
        for name, (kind, flags) in self.sets.items():
            for arch in [''] + [a for a in GUESTS if any(a in f[3] for f in flags)]:
                o.append(f'static const struct flag_desc flags_{name}{"_" + arch if arch else ""}[] LATE = {{')
                for n, v, m, archs in flags:
                    value = archs.get(arch, v)
                    mask = (value if kind == 'flags' else -1) if m is None else m
                    o.append(f'    {{"{n}", {value & (1 << 64) - 1:#x}u, {mask & (1 << 64) - 1:#x}u}},')
                o += ['};']
        for arch in GUESTS:
            for name in self.sets:
                pairs = self.pairs(name, arch)
                if pairs:
                    o.append(f'static const struct flag_pair pairs_{name}_{arch}[] = {{')
                    o += [f'    {{{g:#x}, {h:#x}}}, /* {n} */' for g, h, n in pairs] + ['};']
            o += ['', f'static const struct flag_set sets_{arch}[SET_COUNT] = {{']
            for name, (kind, flags) in self.sets.items():
                own = any(arch in f[3] for f in flags)
                suffix = f'_{arch}' if own else ''
                npairs = len(self.pairs(name, arch))
                pairs = f'pairs_{name}_{arch}' if npairs else '0'
                o.append(f'    [SET_{name}] = {{flags_{name}{suffix}, {pairs}, {len(flags)}, {npairs}}},')
            o += ['};', f'static const uint16_t calls_{arch}[] = {{']
            o += [f'    [{n}] = CALL_{c},' for c, n in self.numbers[arch].items()]
            o += ['};', f'const struct syscall_abi syscall_abi_{arch} = {{"{arch}", calls_{arch}, '
                  f'sizeof calls_{arch} / sizeof(uint16_t), sets_{arch}}};']
        o.append('')
        for name, s in self.structs.items():
            o.append(f'static const struct field_desc fields_{name}[] LATE = {{')
            host = s['host']
            for f in s['fields']:
                fname, base, count, _, _, at, size = f
                kind, ref, when = self.field_kind(f)
                hat, hsize = at, size
                if host:
                    h = host['fields'].get(fname)
                    hat, hsize = (h[5], h[6]) if h else (0, 0)
                signed = int(base in BASE and BASE[base][1])
                o.append(f'    {{"{fname}", {at}, {hat}, {size}, {hsize}, KIND_{kind}, {signed}, {when}, {count}, {ref}}},')
            o.append('};')
            if 'order' in s:
                o.append(f'static const uint8_t order_{name}[] = {{{", ".join(map(str, s["order"]))}}};')
        o += ['', 'const struct struct_desc syscall_structs[STRUCT_COUNT] = {']
        for name, s in self.structs.items():
            hsize = s['host']['size'] if s['host'] else s['size']
            o.append(f'    [STRUCT_{name}] = {{"{name}", fields_{name}, {len(s["fields"])}, {s["size"]}, {hsize}, '
                     f'{int(bool(s["host"]))}, {"order_" + name if "order" in s else "0"}, {len(s.get("order", s["fields"]))}}},')
        o += ['};', '', 'const struct errno_desc syscall_errnos[] = {']
        o += [f'    {{{n}, "{name}", "{text}"}},' for name, (n, text) in self.errnos.items()]
        o += ['};', f'const unsigned syscall_nerrnos = {len(self.errnos)};', '',
              'const struct ioctl_desc syscall_ioctls[] LATE = {']
        for c in self.ioctls:
            k, cnt, r = c['arg']
            o.append(f'    {{"{c["name"]}", {c["first"]:#x}, {c["last"]:#x}, {int(c["any"])}, {{KIND_{k}, {cnt}, {r}}}}},')
        o += ['};', f'const unsigned syscall_nioctls = {len(self.ioctls)};',
              f'const unsigned syscall_nioctls_exact = {sum(not c["any"] and c["first"] == c["last"] for c in self.ioctls)};', '',
              'const struct ioctl_refusal syscall_ioctl_refusals[] = {']
        o += [f'    {{{t:#x}, {self.errnos[e][0]}, "{note}"}},' for t, (e, note) in self.refused_ioctls.items()]
        o += ['};', f'const unsigned syscall_nioctl_refusals = {len(self.refused_ioctls)};', '',
              'const struct variant_desc syscall_variants[] = {']
        for call, at, command, args, ret in self.variants:
            kinds = ', '.join(f'{{KIND_{k}, {n}, {r}}}' for k, n, r in args) or '{0}'
            o.append(f'    {{CALL_{call}, {at}, {len(args)}, KIND_{ret[0]}, {ret[1]}, {command & (1 << 64) - 1:#x}u, {{{kinds}}}}},')
        o += ['};', f'const unsigned syscall_nvariants = {len(self.variants)};', '',
              'const struct sockopt_level_desc syscall_sockopt_levels[] = {']
        o += [f'    {{{level}, SET_{s}}},' for level, s in self.levels]
        o += ['};', f'const unsigned syscall_nsockopt_levels = {len(self.levels)};', '',
              'const struct sockopt_desc syscall_sockopts[] = {']
        o += [f'    {{{level}, {option}, KIND_{k}, {r}}},' for level, option, k, r in self.sockopts]
        o += ['};', f'const unsigned syscall_nsockopts = {len(self.sockopts)};', '', 'const struct nl_protocol_desc syscall_nl_protocols[] = {']
        o += [f'    {{{p}, SET_{s}}},' for p, s in self.protocols]
        o += ['};', f'const unsigned syscall_nnl_protocols = {len(self.protocols)};', '', 'const struct nl_message_desc syscall_nl_messages[] = {']
        o += [f'    {{{p}, {first}, {last}, STRUCT_{s}, {f"NLA_SET_{a}" if a else "NLA_SET_COUNT"}}},' for p, first, last, s, a, _ in self.messages]
        o += ['};', f'const unsigned syscall_nnl_messages = {len(self.messages)};', '']
        for name, (_, rows) in self.attrs.items():
            o.append(f'static const struct nla_desc attrs_{name}[] LATE = {{')
            o += [f'    {{"{n}", {t}, NLA_{k}, {size}, {more}, {ref}}},' for n, t, k, size, more, ref in rows] + ['};']
        o += ['const struct nla_set_desc syscall_nla_sets[NLA_SET_COUNT] = {']
        o += [f'    [NLA_SET_{n}] = {{"{prefix}", attrs_{n}, {len(rows)}}},' for n, (prefix, rows) in self.attrs.items()] + ['};', '']
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
        o += ['', 'Socket options', '--------------', '',
              f'{sum(len(self.sets[n][1]) for _, n in self.levels)} options of {len(self.levels)} levels are known by name and go to the host as they '
              'are, as do those that are not: no value has another layout there.', '']
        names = {v: n for n, v, *_ in self.sets['sol'][1]}
        o += [f'- ``{names[level]}``: ' + ', '.join(f'``{n}``' for n, *_ in self.sets[s][1]) for level, s in self.levels]
        o += ['', 'ioctl commands', '--------------', '',
              f'{len(self.ioctls)} commands are described by name, direction and argument in ``syscall-tables/ioctls*.tbl``, and go to the host:', '']
        by_type = {}
        for c in self.ioctls:
            by_type.setdefault(c['first'] >> 8 & 0xff, []).append(c['name'])
        for t, names in sorted(by_type.items()):
            text = f'``{t:#04x}``' + (f" ('{chr(t)}')" if 32 < t < 127 and chr(t).isalpha() else '')
            o.append(f'- {text}: ' + ', '.join(f'``{n}``' for n in names))
        o += ['', 'Refused:', '']
        o += [f'- type ``{t:#04x}``: ``{e}``; {note}' for t, (e, note) in self.refused_ioctls.items()]
        o += ['- any other: ``ENOTTY``, and a line in the log of what is not implemented (``-d unimp``), once for each command', '']
        return '\n'.join(o)

    def hostile_h(self):
        """Numbers and kinds of arguments of all calls, for each architecture, without those that end the run."""
        kinds = {'fd': 'FD', 'dirfd': 'FD', 'size': 'LENGTH', 'pid': 'PID'}
        kinds |= dict.fromkeys(('path', 'lpath', 'rawpath', 'str'), 'PATH')
        kinds |= dict.fromkeys(('none', 'int', 'uint', 'long', 'ulong', 'hex', 'off', 'mode', 'perms', 'dev', 'uid', 'gid', 'sig'), 'NUMBER')
        used, rows = set(), {a: [] for a in PROCESSORS}
        for name, c in self.calls.items():
            if name in NOT_HOSTILE:
                continue
            row = []
            for i, (k, _, ref) in enumerate(c['args']):
                own = OWN_VALUES.get((name, i))
                if own:
                    row.append(('K_VALUE', f'set_{own}', f'sizeof set_{own} / 8'))
                elif k in ('flags', 'enum'):
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
        commands = [c['first'] for c in self.ioctls] + [t << 8 | 1 for t in self.refused_ioctls]
        options = sorted({v for _, s in self.levels for _, v, *_ in self.sets[s][1]})
        for name, values in (('ioctls', commands), ('options', options)):
            o.append(f'static const uint64_t set_own_{name}[] = {{{", ".join(hex(v) for v in values)}}};')
        for a in rows:
            macro = {'riscv64': '__riscv'}.get(a, f'__{a}__')
            o += [f'#ifdef {macro}', 'static const struct call calls[] = {', *rows[a], '};', '#endif']
        return '\n'.join(o + ['enum { ncalls = sizeof calls / sizeof calls[0] };', ''])

    def check_c(self, side):
        """
        Static assertions of layouts and values for the compiler of that side: several C files, each behind a line
        CHECK_UNIT, because not all of the kernel's headers go together. IF_DECLARED(NAME, VALUE) stands for one of a
        name that the preprocessor does not know: it is for who reads this to find out whether there is such a constant.
        """
        arch = None if side in ('generic64', 'x86_64') else side
        units = {}  # by last header: those it needs, assertions
        for name, s in self.structs.items():
            if not s['ctype'] or s['ctype'][0] == '-':
                continue
            before, o = units.setdefault(s['ctype'][-1], ([], []))
            before += [h for h in s['ctype'][1:-1] if h not in before]
            ctype = s['ctype'][0].replace('_', ' ', 1)
            host = s['x86_64'] if side == 'x86_64' else None
            size = host['size'] if host else s['size']
            fields = host['fields'].values() if host else s['fields']
            if name not in GROWS:
                o.append(f'_Static_assert(sizeof({ctype}) == {size}, "size of {name}");')
            for f in fields:
                if f[0].startswith(('_', 'reserved', 'sigev_un', 'pad')) or f[0] in NEWER:
                    continue
                o.append(f'_Static_assert(offsetof({ctype}, {f[0]}) == {f[5]}, "{name}.{f[0]}");')
        commands = [f'#ifdef {c["name"]}\n_Static_assert((unsigned)({c["name"]}) == {c["first"]:#x}u, "{c["name"]}");\n#endif'
                    for c in self.ioctls if not c['any'] and c['first'] == c['last']]
        for headers in IOCTL_HEADERS:
            *needed, last = headers.split()
            before, o = units.setdefault(last, ([], []))
            before[:0] = [h for h in ['linux/ioctl.h', 'asm/termbits.h', 'linux/serial.h'] + needed if h not in before]
            o += commands
        out = [self.check_unit(before + [last], o) for last, (before, o) in units.items()]
        o = []
        for name, (_, flags) in self.sets.items():
            for n, v, m, archs in flags:
                value = archs.get(arch, v) if arch else v
                if n in ('O_LARGEFILE', 'O_ACCMODE') or not n.isidentifier():
                    continue
                o.append(f'#ifdef {n}\n_Static_assert((long long)({n}) == (long long)({value}ll) || '
                         f'(unsigned)({n}) == {value & 0xffffffff}u, "{n}");\n#endif')
        for name, n in self.numbers[side if side in self.numbers else 'aarch64'].items():
            o.append(f'#ifdef __NR_{name}\n_Static_assert(__NR_{name} == {n}, "number of {name}");\n#endif')
        out.append(self.check_unit(VALUE_HEADERS, o))
        constants = {n: v for _, flags in self.sets.values() for n, v, _, archs in flags if n.isupper() and not archs}
        constants.update((n, v) for _, attributes in self.attrs.values() for n, v, *_ in attributes)
        out.append('\n'.join([f'#if __has_include(<{h}>)\n#include <{h}>\n#endif' for h in NETLINK_HEADERS] +
                             [f'IF_DECLARED({n}, {v}ll)' for n, v in constants.items()] + ['']))
        return 'CHECK_UNIT\n'.join(out)

    def check_unit(self, headers, assertions):
        """The last header may be missing, and what it would have described is not checked then."""
        o = ['#include <stddef.h>', '#include <linux/types.h>'] + [f'#include <{h}>' for h in headers[:-1]]
        return '\n'.join(o + [f'#if __has_include(<{headers[-1]}>)', f'#include <{headers[-1]}>'] + assertions + ['#endif', ''])


# Of netlink's constants, which are enumerators for the most part.
NETLINK_HEADERS = '''sys/socket.h linux/netlink.h linux/rtnetlink.h linux/if_link.h linux/if_addr.h linux/if_addrlabel.h linux/if_bridge.h linux/if_tun.h
    linux/neighbour.h linux/fib_rules.h linux/nexthop.h linux/netconf.h linux/net_namespace.h linux/dcbnl.h linux/pkt_sched.h linux/pkt_cls.h
    linux/gen_stats.h linux/tc_act/tc_bpf.h linux/sock_diag.h linux/inet_diag.h linux/unix_diag.h linux/netlink_diag.h linux/packet_diag.h linux/tls.h
    linux/genetlink.h linux/xfrm.h linux/selinux_netlink.h linux/audit.h linux/netfilter/nfnetlink.h linux/netfilter/nf_tables.h
    linux/netfilter/nfnetlink_conntrack.h linux/netfilter/nfnetlink_queue.h linux/netfilter/nfnetlink_log.h linux/netfilter/nfnetlink_acct.h
    linux/netfilter/nfnetlink_osf.h linux/netfilter/nfnetlink_cttimeout.h linux/netfilter/nfnetlink_cthelper.h linux/netfilter/nfnetlink_hook.h
    linux/netfilter/ipset/ip_set.h linux/cryptouser.h linux/snmp.h linux/ip.h linux/ipv6.h linux/if_arp.h linux/if_packet.h linux/mpls.h
    linux/lwtunnel.h linux/in_route.h linux/veth.h linux/can/netlink.h'''.split()
# Attributes of netlink that are no numbers, structs or sets.
NLA_KINDS = '''bytes str word mac addr addr4 addr6 ifindex clock ethertype table multipath via linkdata slavedata afspec protinfo shutdown sockopt
    bytecode'''.split()
# Not for random arguments: they end the program, or the machine's peace.
NOT_HOSTILE = {'exit', 'exit_group', 'reboot', 'sync', 'vhangup', 'syslog', 'swapon', 'swapoff', 'sigsuspend'}
# Arguments that have values of their own.
OWN_VALUES = {('ioctl', 1): 'own_ioctls', ('setsockopt', 2): 'own_options', ('getsockopt', 2): 'own_options'}
# Structs that newer kernels lengthen, and fields that older headers lack.
GROWS = {'statx', 'clone_args'}
NEWER = {'stx_dio_mem_align', 'stx_dio_offset_align', 'midi_version'}
VALUE_HEADERS = """linux/fcntl.h linux/fs.h linux/mman.h linux/prctl.h linux/futex.h linux/sockios.h linux/inotify.h linux/fanotify.h
    linux/falloc.h linux/fiemap.h linux/wait.h linux/random.h linux/ipc.h linux/shm.h linux/msg.h linux/sem.h linux/timerfd.h
    linux/ptrace.h linux/if_tun.h linux/loop.h linux/mount.h linux/close_range.h linux/xattr.h linux/tcp.h asm/ioctls.h asm/socket.h
    linux/time.h linux/timex.h linux/signal.h linux/stat.h linux/openat2.h asm/termbits.h asm/termios.h linux/poll.h linux/eventpoll.h
    linux/resource.h linux/sched.h linux/capability.h linux/io_uring.h linux/landlock.h linux/mqueue.h linux/socket.h linux/in.h linux/in6.h linux/udp.h linux/if_packet.h linux/if_xdp.h
    linux/tls.h linux/if_alg.h linux/netlink.h linux/tipc.h linux/icmpv6.h asm/unistd.h""".split()
# Where ioctl commands are defined, behind the headers each of them needs.
IOCTL_HEADERS = """linux/serial.h asm/ioctls.h|linux/kd.h|linux/vt.h|linux/fiemap.h linux/blktrace_api.h linux/fs.h|linux/blkpg.h
    |linux/blkzoned.h|linux/hdreg.h|linux/cdrom.h|linux/pr.h|linux/dm-ioctl.h|linux/nbd.h|linux/loop.h|linux/fscrypt.h|linux/fsverity.h
    |linux/fsmap.h|linux/msdos_fs.h|linux/fuse.h|linux/nsfs.h|linux/userfaultfd.h|linux/fiemap.h linux/blktrace_api.h linux/f2fs.h
    |linux/auto_fs.h|linux/fiemap.h linux/blktrace_api.h linux/btrfs.h|linux/time_types.h linux/sockios.h
    |linux/filter.h linux/if.h linux/if_tun.h|linux/filter.h linux/if.h linux/ppp-ioctl.h|drm/drm.h|drm/virtgpu_drm.h
    |linux/input.h|linux/uinput.h|linux/joystick.h|linux/hidraw.h|sound/asound.h|sound/asound.h sound/asequencer.h|linux/usbdevice_fs.h
    |linux/random.h|linux/watchdog.h|linux/rtc.h|linux/timerfd.h|linux/ptp_clock.h|linux/pps.h|linux/rfkill.h|linux/dma-buf.h
    |linux/dma-heap.h|linux/udmabuf.h|linux/sync_file.h|linux/gpio.h|linux/spi/spidev.h|linux/fb.h|linux/i2c-dev.h|linux/watch_queue.h
    |sys/types.h linux/mtio.h|linux/videodev2.h|linux/media.h|stddef.h scsi/sg.h|linux/fiemap.h linux/blktrace_api.h linux/ext4.h
    |linux/auto_fs.h linux/auto_dev-ioctl.h|linux/inotify.h|linux/udf_fs_i.h|linux/nilfs2_api.h|linux/nvme_ioctl.h|linux/sed-opal.h
    |linux/mmc/ioctl.h|linux/fd.h|linux/chio.h|linux/raid/md_u.h|linux/suspend_ioctls.h|mtd/mtd-abi.h|mtd/ubi-user.h
    |sys/socket.h linux/vm_sockets.h|linux/perf_event.h|sound/asound.h sound/compress_offload.h|sound/firewire.h|linux/soundcard.h
    |linux/v4l2-subdev.h|linux/uvcvideo.h|linux/dvb/frontend.h|linux/dvb/dmx.h|linux/dvb/ca.h|linux/dvb/net.h|linux/dvb/osd.h
    |linux/lirc.h|linux/cec.h|linux/hiddev.h|linux/usb/tmc.h|linux/usb/cdc-wdm.h|linux/usb/functionfs.h|linux/usb/gadgetfs.h
    |linux/usb/raw_gadget.h|sys/time.h linux/ppdev.h|linux/hpet.h|linux/ipmi.h|linux/firewire-cdev.h|linux/nvram.h|linux/tee.h
    |linux/gsmmux.h|linux/mei.h|linux/seccomp.h|sys/types.h sys/socket.h linux/wireless.h""".replace('\n', '').split('|')


def main(argv):
    if len(argv) < 3:
        sys.exit(__doc__)
    try:
        args = argv[2:]
        host = args[1] if args[0] == '--host' else 'x86_64'
        if host not in PROCESSORS:
            raise Bad(f'{host} is none of {PROCESSORS}')
        t = Tables(argv[1], host)
        while args:
            what = args.pop(0)
            if what == '--host':
                args.pop(0)
            elif what == '--calls':
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
