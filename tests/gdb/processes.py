#!/usr/bin/env python3
"""Several processes under one debugger, by the remote protocol's own packets: what gdb itself does not do at a moment of our choice.

usage: processes.py METIC GUEST COMPILER PROGRAM.c
"""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

metic, guest, compiler, source = sys.argv[1:5]
metic = pathlib.Path(metic).resolve()
failures = 0


def stat(process):
    """The words behind the name in its stat; a process that is not there is dead."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return ["X"]


def state(process):
    return stat(process)[0]


def ticks(process):
    """Of processor time for its own code."""
    return int(stat(process)[11])


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("a process does not come to where it is waited for")
        time.sleep(0.01)


class Debugger:
    """A program under metic, and the connection of its debugger."""

    def __init__(self, program, argument, where):
        self.child = subprocess.Popen([metic, "-g", f"unix:{where}", program, argument], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, start_new_session=True)
        while not pathlib.Path(where).exists() and self.child.poll() is None:
            time.sleep(0.01)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(where)
        self.bytes = b""
        self.ask("qSupported:multiprocess+;swbreak+;fork-events+;vfork-events+")
        self.ask("QStartNoAckMode")
        self.acks = False
        self.first = int(re.search(r"thread:p([0-9a-f]+)", self.ask("?"))[1], 16)

    acks = True

    def send(self, payload):
        self.socket.sendall(f"${payload}#{sum(payload.encode()) & 255:02x}".encode())

    def answer(self):
        while not (m := re.search(rb"\$([^#]*)#..", self.bytes)):
            more = self.socket.recv(4096)
            if not more:
                return "(the connection is closed)"
            self.bytes += more
        self.bytes = self.bytes[m.end():]
        if self.acks:
            self.socket.sendall(b"+")
        return m[1].decode()

    def ask(self, payload):
        self.send(payload)
        return self.answer()

    def run(self, *processes):
        """These go on; the stop that comes."""
        return self.ask("vCont" + "".join(f";c:p{p:x}.-1" for p in processes))

    def fork(self, process):
        """The child that the process makes next, which stands."""
        return int(re.search(r"fork:p([0-9a-f]+)", self.run(process))[1], 16)

    def stopped(self, process):
        """The process does not run by the host's means, either, inside of this."""
        return Stopped(process)

    def end(self):
        """What the program printed, and its exit code."""
        try:
            text = self.child.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            text = "(it did not end)"
        self.close()
        return text, self.child.returncode

    def close(self):
        self.socket.close()
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()


class Stopped:
    def __init__(self, process):
        self.process = process

    def __enter__(self):
        os.kill(self.process, signal.SIGSTOP)
        wait_until(lambda: state(self.process) == "T")

    def __exit__(self, *_):
        os.kill(self.process, signal.SIGCONT)


def kill(process):
    """From outside, until its descriptors are closed."""
    os.kill(process, signal.SIGKILL)
    wait_until(lambda: state(process) in "ZX")


def want(what, got, expected):
    global failures
    if got != expected:
        failures += 1
        print(f"{guest} {what}: {got!r}, not {expected!r}")


def detach_among_dead(d):
    """The first process goes; of its children two were killed while it could not look, and the grandchild has the connection."""
    killed = [d.fork(d.first), d.fork(d.first)]
    alive = d.fork(killed[1])
    with d.stopped(d.first):
        for process in killed:
            kill(process)
        d.send(f"D;{d.first:x}")
    want("detach of a parent of dead children", d.answer(), "OK")
    for process in killed:
        want("a dead child's end", d.run(process), f"X09;process:{process:x}")
    want("the grandchild's end", d.run(alive), f"W04;process:{alive:x}")
    want("the parent of dead children", d.end(), ("family 0\nsum 47 ratio 2.5\n", 6))


def detach_before_told(d):
    """The first process goes; its child, which has the connection then, has stopped but another's stop was told first."""
    children = [d.fork(d.first), d.fork(d.first)]
    d.send("vCont" + "".join(f";c:p{p:x}.-1" for p in children))
    wait_until(lambda: all(ticks(p) > 3 for p in children))
    with d.stopped(d.first):
        for process in children:
            os.kill(process, signal.SIGUSR1)
        wait_until(lambda: all(state(p) == "S" for p in children))
    told = int(re.match(r"T1e.*thread:p([0-9a-f]+)", d.answer())[1], 16)
    children.remove(told)
    want("the brother's death", d.ask(f"vKill;{told:x}"), "OK")
    want("detach of the brothers' parent", d.ask(f"D;{d.first:x}"), "OK")
    want("the waiting signal", re.match(r"T..thread:p[0-9a-f]+", d.run(children[0])).group(), f"T1ethread:p{children[0]:x}")
    want("the end by it", d.ask(f"vCont;C1e:p{children[0]:x}.-1"), f"W0a;process:{children[0]:x}")
    want("the brothers' parent", d.end(), ("sum 47 ratio 2.5\n", 6))


def detach_in_vfork(d):
    """The parent goes while its vfork child, whose session is in its memory, stands."""
    child = d.fork(d.first)
    want("detach of a parent in vfork", d.ask(f"D;{d.first:x}"), "OK")
    want("the vfork child's threads", d.ask("qfThreadInfo"), f"mp{child:x}.{child:x}")
    want("the vfork child's end", d.run(child), f"W0a;process:{child:x}")
    want("the parent in vfork", d.end(), ("child 10\nsum 47 ratio 2.5\n", 6))


with tempfile.TemporaryDirectory() as folder:
    program, where = f"{folder}/program", f"{folder}/socket"
    subprocess.run([compiler, "-static", "-g", "-O0", "-pthread", source, "-o", program], check=True)
    for case, argument in [(detach_among_dead, "family"), (detach_before_told, "brothers"), (detach_in_vfork, "vfork")]:
        debugger = Debugger(program, argument, where)
        try:
            case(debugger)
        except (OSError, TypeError, AttributeError) as e:
            failures += 1
            print(f"{guest} {case.__name__}: {e!r}")
        debugger.close()
        pathlib.Path(where).unlink(missing_ok=True)
sys.exit(failures != 0)
