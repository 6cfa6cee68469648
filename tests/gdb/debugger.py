"""gdb as these tests start it."""
import resource
import subprocess

SETTINGS = ["pagination off", "confirm off", "debuginfod enabled off"]


def start(where, script, *arguments, first=(), **how):
    """gdb with its own session, connected to the socket `where`, which does what the file `script` says; `first`: what it is told before it connects."""
    before = [word for line in SETTINGS for word in ("-iex", f"set {line}")] + [word for line in first for word in ("-iex", line)]
    return subprocess.Popen(["gdb-multiarch", "-nx", "-batch", *before, "-ex", f"target remote {where}", "-x", script, *arguments],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                            # gdb's own core, should it crash, would lie about in the folder of the test
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), **how)
