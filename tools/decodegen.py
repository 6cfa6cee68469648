#!/usr/bin/env python3
"""Makes a C decoder from bit-picture tables.

usage: decodegen.py --name NAME [--width 16|32] [--base NAME HEADER TABLE] --header FILE --source FILE TABLE...

A table is read line by line; `#` starts a comment (`##` a chapter heading), a backslash at the end continues the line.

    %field  POS:LEN [POS:LEN...] [*N] [+N] [!NAME]
                                           a field; POS:sLEN is signed; segments go from high to low; the number is
                                           multiplied, added to, then passed through `int NAME(struct DisasContext *, int)`
    &set    name name...                   an argument set: becomes struct arg_SET
    @format BITS... [&set] [%field...]     a format: a picture shared by patterns
    NAME    BITS... [@format] [&set] [%field...] [arg=constant] [^arg=value[,arg=value...]]

A picture is read from the highest bit: 0 and 1 are fixed, `.` is any (a field or the format covers it), `-` is any and
ignored; `name:LEN` (or `name:sLEN`) is a field named in place, `name=%field` gives a field another name. The pictures of a
pattern and its format together must cover the whole width; bits that both fix must agree.

`^` excludes reserved values: a word in which all the named arguments have the given values is not this pattern. A value
is a number, or a picture of the field's bits (before * and +) like `0b1..`. A format may exclude too.

Patterns must not overlap, except inside `{` ... `}`, where the first one whose handler returns true wins.

The header declares `struct arg_SET`, `arg_NAME` for every pattern and `bool TABLE_trans_NAME(struct DisasContext *,
arg_NAME *)`; the source holds `bool decode_TABLE(struct DisasContext *, uintWIDTH_t)`, which is false when nothing
matches, and `TABLE_patterns[]` (base/decode.h), the same table for tests and documentation.
A pattern without a set gets one made of its fields, shared by patterns whose fields have the same names.

--base names another table (of 32 bits) with its header: a pattern named as one of its patterns is another encoding of
the same instruction, takes its argument set and calls its handler (RISC-V's compressed instructions).
"""

import argparse
import re
import sys


class TableError(Exception):
    pass


class Field:
    """Segments (pos, len), high first; the value is sign-extended if signed, times `scale`, plus `bias`, through `func`."""

    def __init__(self, segments, signed, func=None, scale=1, bias=0):
        self.segments, self.signed, self.func, self.scale, self.bias = segments, signed, func, scale, bias

    def mask(self):
        return sum(((1 << n) - 1) << p for p, n in self.segments)

    def expression(self):
        parts, below = [], sum(n for _, n in self.segments)
        for i, (pos, n) in enumerate(self.segments):
            below -= n
            kind = "sextract64" if self.signed and i == 0 else "extract64"
            part = f"(int){kind}(insn, {pos}, {n})"
            parts.append(f"(int)((uint32_t){part} << {below})" if below else part)
        text = " | ".join(parts)
        if len(parts) > 1 and (self.scale != 1 or self.bias):
            text = f"({text})"
        text += f" * {self.scale}" if self.scale != 1 else ""
        text += f" + {self.bias}" if self.bias else ""
        return f"{self.func}(ctx, {text})" if self.func else text

    def width(self):
        return sum(n for _, n in self.segments)

    def place(self, bits):
        """Puts a value of the field's width where its segments are in the word."""
        word, below = 0, self.width()
        for pos, n in self.segments:
            below -= n
            word |= (bits >> below & ((1 << n) - 1)) << pos
        return word

    def match(self, text):
        """The (mask, value) of the words in which the field is `text`; None if it can't be."""
        if m := re.fullmatch(r"0b([01.]+)", text):
            if len(m[1]) != self.width():
                return None
            return (self.place(int(re.sub("[01]", "1", m[1]).replace(".", "0"), 2)),
                    self.place(int(m[1].replace(".", "0"), 2)))
        number, rest = divmod(int(text, 0) - self.bias, self.scale)
        low = -(1 << (self.width() - 1)) if self.signed else 0
        if rest or not low <= number < low + (1 << self.width()):
            return None
        return self.mask(), self.place(number & ((1 << self.width()) - 1))


class Constant:
    func = None

    def __init__(self, value):
        self.value = value

    def expression(self):
        return str(self.value)

    def mask(self):
        return 0


class Pattern:
    def __init__(self, name, where):
        self.name, self.where = name, where
        self.mask = self.value = self.covered = 0
        self.args, self.set, self.format, self.group, self.chapter = {}, None, None, None, ""
        self.excluded, self.exclusions = [], []  # as (argument, value text) lists; as (mask, value)

    def overlaps(self, other):
        common = self.mask & other.mask
        if (self.value ^ other.value) & common:
            return False
        mask, value = self.mask | other.mask, self.value | other.value
        return not any(m & ~mask == 0 and value & m == v for m, v in self.exclusions + other.exclusions)


class Parser:
    def __init__(self, width, base=None):
        self.width, self.base_names = width, base.names if base else {}
        self.fields, self.sets, self.formats, self.patterns = {}, {}, {}, []
        self.names, self.shared_sets, self.next_group = {}, {}, 0

    def fail(self, where, text):
        raise TableError(f"{where[0]}:{where[1]}: {text}")

    def read(self, path):
        group, pending, chapter, where = None, "", "", (path, 0)
        with open(path) as f:
            for number, line in enumerate(f, 1):
                where = (path, number)
                if line.startswith("##"):
                    chapter = line.strip("# \n")
                line = line.split("#")[0].rstrip()
                if line.endswith("\\"):
                    pending += line[:-1] + " "
                    continue
                words = (pending + line).split()
                pending = ""
                if not words:
                    continue
                if words == ["{"]:
                    if group is not None:
                        self.fail(where, "groups do not nest")
                    group, self.next_group = self.next_group, self.next_group + 1
                elif words == ["}"]:
                    if group is None:
                        self.fail(where, "`}` without `{`")
                    group = None
                else:
                    self.line(words, where, group, chapter)
        if group is not None:
            self.fail(where, "`{` is not closed")
        if pending:
            self.fail(where, "the last line is continued")

    def line(self, words, where, group, chapter):
        head, rest = words[0], words[1:]
        table = {"%": self.fields, "&": self.sets, "@": self.formats}.get(head[0])
        if table is not None:
            if head[1:] in table:
                self.fail(where, f"{head} is defined twice")
            if not re.fullmatch(r"\w+", head[1:]):
                self.fail(where, f"bad name {head}")
        if head[0] == "%":
            self.fields[head[1:]] = self.field(rest, where)
        elif head[0] == "&":
            if len(set(rest)) != len(rest) or not all(re.fullmatch(r"[a-z]\w*", n) for n in rest):
                self.fail(where, f"bad argument names in {head}")
            self.sets[head[1:]] = rest
        elif head[0] == "@":
            self.formats[head[1:]] = self.picture(Pattern(head[1:], where), rest, where)
        elif re.fullmatch(r"[A-Za-z]\w*", head):
            p = self.picture(Pattern(head, where), rest, where)
            p.group, p.chapter = group, chapter
            self.finish(p)
        else:
            self.fail(where, f"what is `{head}`?")

    def field(self, words, where):
        func, segments, signed, scale, bias = None, [], False, 1, 0
        for i, w in enumerate(words):
            m = re.fullmatch(r"(\d+):(s?)(\d+)", w)
            if m and scale == 1 and not bias:
                pos, n = int(m[1]), int(m[3])
                if n == 0 or pos + n > self.width:
                    self.fail(where, f"segment {w} does not lie in {self.width} bits")
                if m[2] and segments:
                    self.fail(where, "only the highest segment can be signed")
                signed |= bool(m[2])
                segments.append((pos, n))
            elif re.fullmatch(r"\*[1-9]\d*", w) and scale == 1 and not bias:
                scale = int(w[1:])
            elif re.fullmatch(r"\+[1-9]\d*", w) and not bias:
                bias = int(w[1:])
            elif re.fullmatch(r"![a-z]\w*", w) and i == len(words) - 1:
                func = w[1:]
            else:
                self.fail(where, f"bad segment {w}")
        if not segments:
            self.fail(where, "a field needs a segment")
        f = Field(segments, signed, func, scale, bias)
        if bin(f.mask()).count("1") != sum(n for _, n in segments):
            self.fail(where, "segments overlap")
        return f

    def picture(self, p, words, where):
        bit, has_bits = self.width, False

        def take(n):
            nonlocal bit, has_bits
            has_bits = True
            bit -= n
            if bit < 0:
                self.fail(where, f"more than {self.width} bits")

        for w in words:
            if re.fullmatch(r"[01.\-]+", w):
                for c in w:
                    take(1)
                    if c in "01":
                        p.mask |= 1 << bit
                        p.value |= int(c) << bit
                    if c != ".":
                        p.covered |= 1 << bit
            elif m := re.fullmatch(r"([a-z]\w*):(s?)(\d+)", w):
                take(int(m[3]))
                self.argument(p, m[1], Field([(bit, int(m[3]))], bool(m[2])), where)
            elif m := re.fullmatch(r"([a-z]\w*)=(-?[0-9]\w*)", w):
                self.argument(p, m[1], Constant(int(m[2], 0)), where)
            elif m := re.fullmatch(r"(?:([a-z]\w*)=)?%(\w+)", w):
                if m[2] not in self.fields:
                    self.fail(where, f"no field %{m[2]}")
                self.argument(p, m[1] or m[2], self.fields[m[2]], where)
            elif re.fullmatch(r"\^[a-z]\w*=-?[0-9][\w.]*(,[a-z]\w*=-?[0-9][\w.]*)*", w):
                p.excluded.append([e.split("=") for e in w[1:].split(",")])
            elif w[0] == "&":
                if w[1:] not in self.sets:
                    self.fail(where, f"no argument set {w}")
                p.set = w[1:]
            elif w[0] == "@":
                p.format = self.formats.get(w[1:])
                if not p.format:
                    self.fail(where, f"no format {w}")
            else:
                self.fail(where, f"what is `{w}`?")
        if has_bits and bit:
            self.fail(where, f"{self.width - bit} bits, not {self.width}")
        f = p.format
        if f:
            if (p.value ^ f.value) & p.mask & f.mask:
                self.fail(where, f"bits contradict @{f.name}")
            p.mask |= f.mask
            p.value |= f.value
            p.covered |= f.covered
            p.set = p.set or f.set
            p.excluded += f.excluded
            for name, a in f.args.items():
                p.args.setdefault(name, a)
        return p

    def argument(self, p, name, value, where):
        if name in p.args:
            self.fail(where, f"argument {name} is given twice")
        p.args[name] = value

    def finish(self, p):
        covered = p.covered
        for a in p.args.values():
            covered |= a.mask()
        missing = ~covered & ((1 << self.width) - 1)
        if missing:
            self.fail(p.where, f"{p.name}: bits {missing:#x} are in no field and not fixed")
        base = self.base_names.get(p.name)
        if base:
            p.set, members = base.set, list(base.args)
        elif p.set is None:
            key = tuple(sorted(p.args))
            p.set = self.shared_sets.setdefault(key, "_".join(("fields",) + tuple(p.args)))
            self.sets.setdefault(p.set, list(p.args))
        if not base:
            members = self.sets[p.set]
        if sorted(p.args) != sorted(members):
            self.fail(p.where, f"{p.name}: arguments {sorted(p.args)} are not those of &{p.set}")
        for e in p.excluded:
            self.exclude(p, e)
        first = self.names.setdefault(p.name, p)
        if first.set != p.set:
            self.fail(p.where, f"{p.name} has another argument set at line {first.where[1]}")
        for other in self.patterns:
            if p.overlaps(other) and (p.group is None or p.group != other.group):
                self.fail(p.where, f"{p.name} overlaps {other.name} of line {other.where[1]}")
        self.patterns.append(p)

    def exclude(self, p, conditions):
        """Adds the exclusion to the pattern, unless its fixed bits or constants rule it out already."""
        mask = value = 0
        for name, text in conditions:
            a = p.args.get(name)
            if a is None or a.func:
                self.fail(p.where, f"{p.name}: can't exclude by {name}")
            if isinstance(a, Constant):
                if a.value != int(text, 0):
                    return
                continue
            m = a.match(text)
            if m is None:
                self.fail(p.where, f"{p.name}: {name} is never {text}")
            mask, value = mask | m[0], value | m[1]
        if (value ^ p.value) & mask & p.mask:
            return
        if mask & ~p.mask == 0:
            self.fail(p.where, f"{p.name}: nothing is left of it")
        if (mask, value) not in p.exclusions:
            p.exclusions.append((mask, value))


class Writer:
    def __init__(self, name, parser, runs, base_name=None, base_header=None):
        self.name, self.p, self.runs, self.base_name, self.base_header = name, parser, runs, base_name, base_header
        self.type = f"uint{parser.width}_t"

    def header(self, guard):
        out = ["/* Made by tools/decodegen.py: do not edit. */", f"#ifndef {guard}", f"#define {guard}", "",
               '#include "base/decode.h"']
        out += [f'#include "{self.base_header}"'] if self.base_header else []
        out += ["", "struct DisasContext;", ""]
        for name, members in self.p.sets.items():
            out.append(f"struct arg_{self.name}_{name} {{")
            out += [f"    int {m};" for m in members] or ["    int unused;"]
            out.append("};")
        out.append("")
        for name, p in self.p.names.items():
            if name in self.p.base_names:
                continue
            out.append(f"typedef struct arg_{self.name}_{p.set} arg_{name};")
            out.append(f"bool {self.name}_trans_{name}(struct DisasContext *ctx, arg_{name} *a);")
        out.append("")
        for func in sorted({a.func for p in self.p.patterns for a in p.args.values() if a.func}):
            out.append(f"int {func}(struct DisasContext *ctx, int value);")
        out += [f"bool decode_{self.name}(struct DisasContext *ctx, {self.type} insn);",
                f"extern const struct decode_pattern {self.name}_patterns[];",
                f"extern const unsigned {self.name}_npatterns;", "", "#endif", ""]
        return "\n".join(out)

    def source(self, include):
        out = ["/* Made by tools/decodegen.py: do not edit. */", f'#include "{include}"', "", '#include "base/bits.h"', ""]
        out += [f"bool decode_{self.name}(struct DisasContext *ctx, {self.type} insn)", "{"]
        if self.runs:
            self.index_by(out, self.runs)
        else:
            self.tree(out, self.p.patterns, 0, 1)
        out += ["    return false;", "}", "", f"const struct decode_pattern {self.name}_patterns[] = {{"]
        for p in self.p.patterns:
            group = -1 if p.group is None else p.group
            excluded = ", ".join(f"{{{m:#x}, {v:#x}}}" for m, v in p.exclusions)
            excluded = f", {len(p.exclusions)}, (const struct decode_bits[]){{{excluded}}}" if excluded else ""
            out.append(f'    {{"{p.name}", "{p.chapter}", {group}, {{{p.mask:#x}, {p.value:#x}}}{excluded}}},')
        out += ["};", f"const unsigned {self.name}_npatterns = {len(self.p.patterns)};", ""]
        return "\n".join(out)

    def index_by(self, out, runs):
        """Splits all at once by some bits, [(highest, lowest), ...]: a table says which patterns are left."""
        runs, total = [(low, high - low + 1) for high, low in sorted(runs)], 0
        for k, (low, n) in enumerate(runs):
            runs[k] = (low, n, total)
            total += n
        tested, groups, table = sum((1 << n) - 1 << low for low, n, _ in runs), {}, []
        for i in range(1 << total):
            value = sum((i >> place & (1 << n) - 1) << low for low, n, place in runs)
            left = tuple(k for k, p in enumerate(self.p.patterns) if not (p.value ^ value) & p.mask & tested)
            table.append(groups.setdefault(left, len(groups)))
        kind = "uint8_t" if len(groups) <= 256 else "uint16_t"
        out.append(f"    static const {kind} left[{len(table)}] = {{")
        out += ["        " + ", ".join(map(str, table[i:i + 24])) + "," for i in range(0, len(table), 24)]
        out.append("    };")
        parts = " | ".join(f"extract64(insn, {low}, {n}) << {place}" for low, n, place in runs)
        out.append(f"    switch (left[{parts}]) {{")
        for left, number in groups.items():
            if left:
                out.append(f"    case {number}:")
                self.tree(out, [self.p.patterns[k] for k in left], tested, 2)
                out.append("        break;")
        out.append("    }")

    def leaf(self, out, p, tested, pad):
        rest = p.mask & ~tested
        out.append(f"{pad}/* {p.where[0].split('/')[-1]}:{p.where[1]} */")
        cond = f"(insn & {rest:#x}) == {p.value & rest:#x} && " if rest else ""
        cond += "".join(f"(insn & {m:#x}) != {v:#x} && " for m, v in p.exclusions)
        members = ", ".join(f".{n} = {a.expression()}" for n, a in p.args.items())
        owner = self.base_name if p.name in self.p.base_names else self.name
        out.append(f"{pad}if ({cond}{owner}_trans_{p.name}(ctx, &(arg_{p.name}){{{members or '0'}}}))")
        out.append(f"{pad}    return true;")

    def tree(self, out, patterns, tested, depth):
        """Tests the bits that all patterns fix, or else splits on the bit that most of them fix, keeping their order."""
        pad = "    " * depth
        bits = self.split_bits(patterns, tested)
        if not bits:
            for p in patterns:
                self.leaf(out, p, tested, pad)
            return
        out.append(f"{pad}switch (insn & {bits:#x}) {{")
        for value in sorted({p.value & bits for p in patterns if p.mask & bits == bits}):
            out.append(f"{pad}case {value:#x}:")
            side = [p for p in patterns if p.mask & bits != bits or p.value & bits == value]
            self.tree(out, side, tested | bits, depth + 1)
            out.append(f"{pad}    break;")
        out.append(f"{pad}}}")

    def split_bits(self, patterns, tested):
        if len(patterns) < 2:
            return 0
        common = ~tested & ((1 << self.p.width) - 1)
        for p in patterns:
            common &= p.mask
        if common:
            return common
        best, count = 0, len(patterns) // 2
        for bit in range(self.p.width):
            m = 1 << bit
            ones = sum(1 for p in patterns if p.mask & p.value & m)
            zeros = sum(1 for p in patterns if p.mask & ~p.value & m)
            if not tested & m and zeros and ones and zeros + ones > count:
                best, count = m, zeros + ones
        return best


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--name", required=True)
    ap.add_argument("--width", type=int, choices=(16, 32), default=32)
    ap.add_argument("--header", required=True)
    ap.add_argument("--source", required=True)
    ap.add_argument("--include", help="how the source includes the header (default: its path)")
    ap.add_argument("--base", nargs=3, metavar=("NAME", "HEADER", "TABLE"), help="table whose handlers are shared")
    ap.add_argument("--index", type=lambda t: [tuple(map(int, run.split(":"))) for run in t.split(",")], default=[],
                    metavar="HIGH:LOW,...", help="bits by which a table splits the patterns first, at most 12 (default: none)")
    ap.add_argument("tables", nargs="+")
    o = ap.parse_args()
    try:
        base = Parser(32) if o.base else None
        if base:
            base.read(o.base[2])
        parser = Parser(o.width, base)
        for t in o.tables:
            parser.read(t)
    except TableError as e:
        sys.exit(str(e))
    w = Writer(o.name, parser, o.index, *(o.base[:2] if o.base else ()))
    with open(o.header, "w") as f:
        f.write(w.header(f"DECODE_{o.name.upper()}_H"))
    with open(o.source, "w") as f:
        f.write(w.source(o.include or o.header))


if __name__ == "__main__":
    main()
