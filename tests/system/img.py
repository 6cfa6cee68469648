#!/usr/bin/env python3
"""metic-img: images made, copied both ways, stacked, resized, kept in snapshots, checked and refused: img.py METIC-IMG.

Where there is a qemu-img, it judges, and does to metic's images what metic-img does to its own.
"""

import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile


PEER = shutil.which("qemu-img")


def judge(image, raw=None):
    """Says qemu-img, if there is one, that the image is sound, and shows what the raw one has?"""
    if PEER:
        subprocess.run([PEER, "check", "-q", image], check=True)
    if PEER and raw:
        subprocess.run([PEER, "compare", "-q", "-f", "raw", "-F", "qcow2", raw, image], check=True)


def resized(run, folder):
    """Sizes up and down, by metic-img and the peer: what is new is zero, what was cut off does not come back."""
    raw, image, over, back = (folder / n for n in ("r.raw", "r.qcow2", "over.qcow2", "r.back"))
    first = os.urandom(1_000_448)  # no whole clusters
    for cluster in ("512", "64K"):
        for peer in (False, True) if PEER else (False,):
            raw.write_bytes(first)
            run("convert", "-f", "raw", "-O", "qcow2", "-c", cluster, raw, image)

            def change(size, *options):
                subprocess.run([PEER, "resize", "-q", *options, image, size], check=True) if peer else run("resize", *options, image, size)

            run("resize", image, "4K", code=1, says="--shrink")
            cut = 262144 if peer else 300032  # the peer leaves what a cluster has behind the end
            change(str(cut), "--shrink")
            change("+8M")
            change("80M")
            change("-1M", "--shrink")
            run("info", image, says=f"size: {79 << 20} bytes")
            run("check", image, says="0 errors, 0 clusters")
            run("convert", image, back)
            os.truncate(raw, cut)
            os.truncate(raw, 79 << 20)
            if back.read_bytes() != raw.read_bytes():
                sys.exit(f"clusters of {cluster}: not what a resized image must show")
            judge(image, raw)
            back.unlink()
            image.unlink()
    # A disk that grows over a larger backing file shows zeros, not that.
    raw.write_bytes(first)
    run("convert", "-f", "raw", "-O", "qcow2", raw, image)
    run("create", "-f", "qcow2", "-b", image.name, over, "200704")
    run("resize", over, "2M")
    run("convert", over, back)
    if back.read_bytes() != first[:200704].ljust(2 << 20, b"\0"):
        sys.exit("a disk that has grown shows its backing file")
    judge(over)
    run("resize", "-f", "raw", raw, "2M")
    run("resize", "-f", "raw", "--shrink", raw, "1M")
    if raw.read_bytes() != first.ljust(1 << 20, b"\0"):
        sys.exit("a raw image is not what it should be after resizing")
    run("resize", image, "100", code=1, says="whole sectors")
    run("resize", image, "-20G", code=1, says="whole sectors")


def snapshots(run, folder):
    """Snapshots by metic-img and the peer, of sizes that differ."""
    image, back, raw = folder / "s.qcow2", folder / "s.back", folder / "s.raw"
    content = os.urandom(3 << 20)
    raw.write_bytes(content)
    run("convert", "-f", "raw", "-O", "qcow2", raw, image)
    run("snapshot", "-c", "one", image)
    run("resize", "--shrink", image, "1M")
    run("snapshot", "-c", "two", image)
    run("snapshot", "-l", image, says="snapshot: two, id 2")
    judge(image)
    if PEER:
        said = subprocess.run([PEER, "snapshot", "-l", image], check=True, capture_output=True, text=True).stdout
        if "one" not in said or "two" not in said:
            sys.exit(f"qemu-img lists other snapshots:\n{said}")
        subprocess.run([PEER, "snapshot", "-c", "three", image], check=True)
        run("snapshot", "-l", image, says="snapshot: three, id 3")
        run("snapshot", "-d", "three", image)
    run("snapshot", "-a", "one", image)
    run("convert", image, back)
    if back.read_bytes() != content:
        sys.exit("a snapshot does not bring back what was there")
    judge(image, raw)
    run("snapshot", "-a", "two", image)
    run("info", image, says=f"size: {1 << 20} bytes")
    for name in ("one", "two"):
        run("snapshot", "-d", name, image)
    run("check", image, says="0 errors, 0 clusters")
    judge(image)
    run("snapshot", "-a", "one", image, code=1, says="no snapshot one")
    run("snapshot", image, code=1, says="wants one of")
    run("snapshot", "-l", "-d", "x", image, code=1, says="wants one of")
    run("snapshot", "-c", "x", raw, code=1, says="has no snapshots")


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
            judge(image, raw)
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
        run("create", "-f", "qcow2", "-F", "raw", folder / "x", "1M", code=1, says="there is none (-b)")
        r = subprocess.run([img, "create", folder / "x", "1M"], capture_output=True, text=True, restore_signals=False,  # SIGXFSZ stays ignored
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        if r.returncode != 1 or "File too large" not in r.stderr:
            sys.exit(f"an image larger than a file may be: {r}")
        run("create", "-f", "qcow2", "-c", "3000", folder / "x", "1M", code=1, says="power of two")
        run("check", raw, code=1, says="nothing that could be checked")
        run("check", "-O", "raw", raw, code=1, says="no option -O")
        run("convert", raw, code=1, says="the form is")
        run("bend", raw, code=1, says="a command is wanted")
        if (folder / "x").exists():
            sys.exit("a mistake has left a file")
        resized(run, folder)
        snapshots(run, folder)
    print("images are made, copied, resized, kept, checked and refused as they should be")


main()
