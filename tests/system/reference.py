#!/usr/bin/env python3
"""Are the monitor's reference pages what the schema and the commands' tables say? reference.py METIC-SYSTEM [--write]"""

import pathlib
import subprocess
import sys
import tempfile

import qmp

top = pathlib.Path(__file__).resolve().parents[2]


def commands(machine):
    """docs/ref/monitor.rst, from what `help` and `info` print."""
    with qmp.Machine(machine, "-M", "virt", "-m", "64", "-S", "-bios", "none") as m:
        lists = [m.command("human-monitor-command", {"command-line": line}) for line in ("help", "info")]
    out = [".. Made from system/monitor's tables by tests/system/reference.py METIC-SYSTEM --write; edit those.", "", "The human monitor",
           "=================", "", "``-monitor`` says where it is; with ``-nographic``, Ctrl-a c leads to it and back.", ""]
    for text in lists:
        for line in text.splitlines():
            usage, doc = line.split(" -- ")
            out += [f"``{usage}``", f"    {doc}", ""]
    return "\n".join(out).rstrip() + "\n"


def protocol():
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run([top / "tools/gen-qmp.py", top / "system/monitor/qmp.schema", "--rst", f.name], check=True)
        return pathlib.Path(f.name).read_text()


def main():
    machine, *write = sys.argv[1:]
    for name, text in (("qmp", protocol()), ("monitor", commands(machine))):
        page = top / f"docs/ref/{name}.rst"
        if write:
            page.write_text(text)
        elif page.read_text() != text:
            sys.exit(f"{page} is not what the tables give; run this with --write")


main()
