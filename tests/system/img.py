#!/usr/bin/env python3
"""metic-img: images made, copied both ways, stacked, checked and refused: img.py METIC-IMG."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def main():
    img = sys.argv[1]

    def run(*arguments, code=0, says=""):
        r = subprocess.run([img, *map(str, arguments)], capture_output=True, text=True)
        if r.returncode != code or says not in r.stdout + r.stderr:
            sys.exit(f"{arguments}: exit code {r.returncode}, not {code}, or without {says!r}:\n{r.stdout}{r.stderr}")

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        raw, image, back, top, empty = (folder / n for n in ("raw", "image.qcow2", "back", "top.qcow2", "empty"))
        raw.write_bytes(os.urandom(700_000).ljust(1 << 20, b"\0") + os.urandom(4096).rjust(3 << 20, b"\0") + b"\0" * 1536)
        for cluster in ("512", "4K", "64K", "2M"):
            run("convert", "-f", "raw", "-O", "qcow2", "-c", cluster, raw, image)
            run("check", image, says="0 errors, 0 clusters")
            run("info", image, says=f"size: {raw.stat().st_size} bytes")
            run("convert", image, back)
            if back.read_bytes() != raw.read_bytes():
                sys.exit(f"clusters of {cluster}: a copy of the copy differs")
            if shutil.which("qemu-img"):
                subprocess.run(["qemu-img", "check", image], check=True)
                subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw, image], check=True)
            back.unlink()
            image.unlink() if cluster != "2M" else None
        run("create", "-f", "qcow2", "-b", image.name, top)
        run("info", top, says=f"backing file: {image} (qcow2)")
        run("convert", top, back)
        if back.read_bytes() != raw.read_bytes():
            sys.exit("an image over another shows something else")
        run("create", empty, "10M")
        run("info", "-f", "raw", empty, says="size: 10485760 bytes")
        # An image in which a count is wrong: too high is lost room, too low is damage.
        run("create", "-f", "qcow2", folder / "c.qcow2", "1M")
        data = bytearray((folder / "c.qcow2").read_bytes())
        for value, code in ((2, 3), (0, 2)):
            data[2 * 65536 + 1] = value
            (folder / "c.qcow2").write_bytes(data)
            run("check", folder / "c.qcow2", code=code)
        run("create", "-f", "qcow2", image, "1M", code=1, says="exists")
        run("create", "-f", "vdi", folder / "x", "1M", code=1, says="there are raw and qcow2")
        run("create", folder / "x", "1000", code=1, says="whole sectors")
        run("create", folder / "x", code=1, says="wants a size")
        run("create", "-f", "qcow2", "-c", "3000", folder / "x", "1M", code=1, says="power of two")
        run("check", raw, code=1, says="nothing that could be checked")
        run("check", "-O", "raw", raw, code=1, says="no option -O")
        run("convert", raw, code=1, says="the form is")
        run("bend", raw, code=1, says="a command is wanted")
        if (folder / "x").exists():
            sys.exit("a mistake has left a file")
    print("images are made, copied, checked and refused as they should be")


main()
