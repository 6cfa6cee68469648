"""A private user and mount namespace with a binfmt_misc of its own, so that tests leave the machine's alone; an ordinary user."""

import ctypes
import os
import pathlib
import shutil
import sys
import tempfile
import traceback

CLONE_NEWNS, CLONE_NEWUSER, MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 0x00020000, 0x10000000, 1, 32, 0x1000, 0x4000, 1 << 18
IDS = 1 << 30  # of this machine, that root's namespace has
USER, USER_ID, USER_RANGE = "metic-test", 61234, (500000000, 65536)  # the ordinary one, and its ids in /etc/subuid
FOLDER = pathlib.Path("/proc/sys/fs/binfmt_misc")
SKIP = 77
libc = ctypes.CDLL(None, use_errno=True)


def call(name, *args):
    if getattr(libc, name)(*args):
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def enter():
    """Root in new namespaces: the ids of this machine for root, one for others. Ends the test where that is forbidden."""
    uid, gid = os.geteuid(), os.getegid()
    count = IDS if uid == 0 else 1
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


def in_child(function, *words):
    """The exit code of a process that runs the function: its namespaces end with it, and it cleans nothing of its parent's up."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = function(*words)
        except SystemExit as e:
            code = e.code
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def bind(source, target):
    call("mount", str(source).encode(), str(target).encode(), None, MS_BIND, None)


def private_mounts():
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)


def ordinary_user():
    """Words for subprocess.run that make the child an ordinary user, whom newuidmap(1) serves. The user is in this process's
    mounts alone, which must be private. Ends the test where newuidmap is missing."""
    if not shutil.which("newuidmap"):
        print("newuidmap is missing: install uidmap")
        sys.exit(SKIP)
    lines = {"passwd": f"{USER}:x:{USER_ID}:{USER_ID}::/nonexistent:/bin/sh\n", "group": f"{USER}:x:{USER_ID}:\n",
             "subuid": "{}:{}:{}\n".format(USER, *USER_RANGE), "subgid": "{}:{}:{}\n".format(USER, *USER_RANGE)}
    with tempfile.TemporaryDirectory() as folder:  # bound files stay when their names go
        for name, line in lines.items():
            copy, path = pathlib.Path(folder) / name, pathlib.Path("/etc") / name
            copy.write_text(path.read_text() + line)
            copy.chmod(0o644)
            bind(copy, path)
    return {"user": USER_ID, "group": USER_ID, "extra_groups": []}


def give_to_user(root):
    """The tree's ids become those that the ordinary user's namespace maps to them."""
    for folder, folders, files in os.walk(root):
        for path in [folder, *(os.path.join(folder, f) for f in files + [f for f in folders if os.path.islink(os.path.join(folder, f))])]:
            st = os.lstat(path)
            os.lchown(path, *(USER_ID if i == 0 else USER_RANGE[0] + i - 1 for i in (st.st_uid, st.st_gid)))
            if not os.path.islink(path):
                os.chmod(path, st.st_mode & 0o7777)  # chown takes set-user-ID away


def machine_entries():
    """The text of the machine's own table; None: this user may not see it."""
    read, write = os.pipe()

    def look():
        if not (FOLDER / "register").exists():
            private_mounts()
            mount()
        os.write(write, "".join(f"{f.name}\n{f.read_text()}\n" for f in sorted(FOLDER.iterdir()) if f.name != "register").encode())
    code = in_child(look) if os.geteuid() == 0 else 1
    os.close(write)
    with open(read) as f:
        text = f.read()
    return text if code == 0 else None
