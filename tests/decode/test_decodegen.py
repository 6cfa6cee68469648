#!/usr/bin/env python3
"""Must-fail tests of the decoder generator.

usage: test_decodegen.py DECODEGEN FOLDER

Each FOLDER/bad-*.decode holds one mistake; its first line says what the generator must answer, with the line number:
`# 3: message`. Each FOLDER/good*.decode must pass, and what is made must be the same twice. In the file's name 16 is the
width of its words, and `-on-NAME` the table whose handlers it shares.
"""

import pathlib
import subprocess
import sys
import tempfile


def run(generator, table, folder):
    header, source = pathlib.Path(folder, "h"), pathlib.Path(folder, "c")
    width = "16" if "16" in table.stem else "32"
    base = ["--base", "b", "b.h", table.with_name(table.stem.partition("-on-")[2] + ".decode")] if "-on-" in table.stem else []
    r = subprocess.run([sys.executable, generator, "--name", "t", *base, "--width", width, "--header", header, "--source", source,
                        table], capture_output=True, text=True)
    return r, header.read_text() + source.read_text() if r.returncode == 0 else None


def check(generator, table, folder):
    """None, or what went wrong."""
    r, made = run(generator, table, folder)
    if table.name.startswith("good"):
        if r.returncode:
            return f"refused: {r.stderr}"
        return None if made == run(generator, table, folder)[1] else "made two different results"
    number, _, text = table.read_text().split("\n")[0].lstrip("# ").partition(": ")
    want = f"{table}:{number}: {text}"
    if r.returncode == 0:
        return f"accepted; expected: {want}"
    return None if r.stderr.strip() == want else f"\n  said     {r.stderr.strip()}\n  expected {want}"


def main():
    generator, tables = sys.argv[1], sorted(pathlib.Path(sys.argv[2]).glob("*.decode"))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for table in tables:
            error = check(generator, table, folder)
            if error:
                failed += 1
                print(f"{table.name}: {error}")
    print(f"{len(tables) - failed} passed, {failed} failed")
    sys.exit(failed != 0 or not tables)


if __name__ == "__main__":
    main()
