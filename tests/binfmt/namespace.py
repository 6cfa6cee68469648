"""A private user and mount namespace with a binfmt_misc of its own, so that tests leave the machine's alone."""

import ctypes
import os
import pathlib
import sys

CLONE_NEWNS, CLONE_NEWUSER, MS_REC, MS_PRIVATE = 0x00020000, 0x10000000, 0x4000, 1 << 18
FOLDER = pathlib.Path("/proc/sys/fs/binfmt_misc")
SKIP = 77
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def enter():
    """Root in new namespaces: all ids of this machine for root, one for others. Ends the test where that is forbidden."""
    uid, gid = os.geteuid(), os.getegid()
    count = 65536 if uid == 0 else 1
    ready_read, ready_write = os.pipe()
    done_read, done_write = os.pipe()
    child = os.fork()
    if child == 0:  # maps its parent from outside the new namespace
        os.read(ready_read, 1)
        parent = os.getppid()
        if count == 1:
            pathlib.Path(f"/proc/{parent}/setgroups").write_text("deny")
        pathlib.Path(f"/proc/{parent}/uid_map").write_text(f"0 {uid} {count}")
        pathlib.Path(f"/proc/{parent}/gid_map").write_text(f"0 {gid} {count}")
        os.write(done_write, b"x")
        os._exit(0)
    os.close(done_write)
    try:
        call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
    except OSError as e:
        print(f"no user namespaces here: {e}")
        sys.exit(SKIP)
    os.write(ready_write, b"x")
    if os.read(done_read, 1) != b"x":
        sys.exit("the namespace's ids can't be mapped")
    os.waitpid(child, 0)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def mount():
    try:
        call("mount", b"none", str(FOLDER).encode(), b"binfmt_misc", 0, None)
    except OSError as e:
        print(f"the kernel keeps no binfmt_misc of its own for a user namespace (Linux 6.7 does): {e}")
        sys.exit(SKIP)


def unmount():
    call("umount2", str(FOLDER).encode(), 0)
