#!/usr/bin/env python3
"""Makes docs/ref/ops.rst from the op table.

usage: gen-op-docs.py tcg/ops.h docs/ref/ops.rst

A row that does not have the five columns of OP(NAME, result, args, props, meaning) is an error.
"""

import pathlib
import re
import sys

TYPES = {"T": "T", "S": "S", "i": "i32", "l": "i64", "f": "f32", "d": "f64", "v": "v128", "-": "", "*": "any"}


def rows(text):
    """(section, None) for a banner, (None, (name, result, args, props, meaning)) for a row, in order."""
    table = text[text.index("#define IR_OPS"):]
    for m in re.finditer(r"/\* --- (.*?)\s*-+ \*/|\bOP\(((?:[^()\"]|\"(?:[^\"\\]|\\.)*\"|\([^()]*\))*)\)", table):
        if m[1]:
            yield m[1].strip(), None
            continue
        columns = re.fullmatch(r"(\w+),\s*\"(.)\",\s*\"(.*?)\",\s*([^\"]*?),\s*(.*)", re.sub(r"\\\n\s*", "", m[2]), re.S)
        if not columns:
            sys.exit(f"gen-op-docs: can't read the row OP({m[2]})")
        meaning = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', columns[5]))
        yield None, (columns[1], columns[2], columns[3], columns[4], meaning)


def escape(s):
    return re.sub(r"([*|\\`_])", r"\\\1", s)


def page(text):
    out = [".. Made from tcg/ops.h by tools/gen-op-docs.py; edit that.", "", "The op table", "============", "",
           "T is the instruction's type, S its second type (``type2``). The text form writes ops in lower case: see",
           ":doc:`../design/ir`."]
    count = 0
    for section, row in rows(text):
        if section:
            title = section[0].upper() + section[1:]
            out += ["", title, "-" * len(title), "", ".. list-table::", "   :header-rows: 1", "   :widths: 12 8 18 22 40", "",
                    "   * - op", "     - result", "     - arguments", "     - properties", "     - meaning"]
            continue
        name, result, args, props, meaning = row
        facts = ", ".join(p.strip().removeprefix("IR_P_").lower().replace("_", " ") for p in props.split("|") if p != "0")
        cells = [f"``{name}``", TYPES[result], " ".join(TYPES[a] for a in args), facts, escape(meaning)]
        out += [("   * - " if i == 0 else "     - ") + c for i, c in enumerate(cells)]
        count += 1
    if count != text.count("\n    OP("):
        sys.exit(f"gen-op-docs: read {count} rows of {text.count(chr(10) + '    OP(')}")
    return "\n".join(line.rstrip() for line in out) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    pathlib.Path(sys.argv[2]).write_text(page(pathlib.Path(sys.argv[1]).read_text()))


if __name__ == "__main__":
    main()
