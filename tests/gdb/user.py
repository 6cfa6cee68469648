#!/usr/bin/env python3
"""gdb against programs that run under `metic -g`.

usage: user.py METIC GUEST COMPILER PROGRAM.c
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

import debugger

metic, guest, compiler, source = sys.argv[1:5]
metic = pathlib.Path(metic).resolve()
failures = 0

# name, argument of the program, gdb's commands, patterns in what gdb prints (in this order), in what the program prints, exit code
CASES = [
    ("break", "plain", """break look_up
continue
backtrace
print i
up
print p
print ratio
set var p.y = 5
delete
break on_signal
finish
info registers pc sp
print $sp != 0
delete
continue""", [r"Breakpoint 1, look_up \(i=0\)", r"^#0 +look_up", r"^#1 .* sum \(", r"^#2 .* main", r"\$1 = 0", r"\$2 = \{x = 3, y = 4\}",
              r"\$3 = 2.5", r"Value returned is \$4 = 47", r"^pc ", r"\$5 = 1", r"exited with code 06"], r"sum 47 ratio 2.5", 6),
    ("step", "plain", """tbreak sum
continue
next
next
next
step
step
stepi
stepi
print doubled
tbreak look_up if i == 3
continue
print i
watch counter
continue
rwatch table[4]
continue
delete
call look_up(2)
print $pc == 0
continue""", [r"sum \(p=", r"look_up \(i=0\)", r"\$1 = 0", r"look_up \(i=3\)", r"\$2 = 3", r"Old value = 3\s+New value = 4",
              r"Hardware read watchpoint 4: table\[4\]\s+Value = 5", r"\$3 = 7", r"\$4 = 0", "exited with code 06"], r"sum 47", 6),
    ("registers", "plain", """break look_up
continue
set $saved = $pc
print /x $saved == $pc
flushregs
info registers float
print ratio = 0.5
stepi
print $pc != $saved
hbreak sum
info breakpoints
delete
continue""", [r"\$1 = 0x1", r"\$2 = 0.5", r"\$3 = 1", r"hw breakpoint", "exited with code 06"], "sum 47 ratio 0.5", 6),
    ("hardware", "plain", """hbreak look_up
continue
continue
info threads
awatch seen
delete
continue""", [r"Breakpoint 1, look_up \(i=0\)", r"Breakpoint 1, look_up \(i=1\)", r"^\* 1 ", "exited with code 06"], "sum 47", 6),
    ("threads", "threads", """break in_thread
continue
info threads
print number
continue
continue
thread apply all print 40 + 2
delete
continue""", [r"Breakpoint 1, in_thread", r"^\* \d .*in_thread", r"\$1 = \d", r"in_thread", r"in_thread", r"= 42", r"= 42", "exited with code 06"],
     "sum 47", 6),
    ("fork, the parent", "fork", """break look_up
continue
print i
delete
continue""", [r"Detaching after fork from child|look_up \(i=0\)", r"look_up \(i=0\)", r"\$1 = 0", "exited with code 06"], "child 10\nsum 47", 6),
    ("fork, the child", "fork", """set follow-fork-mode child
break look_up
continue
print i
next
print doubled
delete
continue""", [r"look_up \(i=3\)", r"\$1 = 3", r"\$2 = 6", "exited with code 012"], "child 10\nsum 47", 6),
    ("fork, both, the child first", "fork", """set detach-on-fork off
set follow-fork-mode child
break look_up
continue
print i
set var i = 4
next
print doubled
continue
inferior 1
continue
print i
delete
continue""", [r"Thread 2.1 hit .* look_up \(i=3\)", r"\$1 = 3", r"\$2 = 8", r"Inferior 2 .* exited with code 015",
              r"Thread 1.1 hit .* look_up \(i=0\)", r"\$3 = 0", r"Inferior 1 .* exited with code 06"], "child 13\nsum 47", 6),
    ("fork, both at once", "fork", """set detach-on-fork off
set schedule-multiple on
break look_up
continue
print i
continue
inferior 1
continue
print i
delete
continue""", [r"New inferior 2", r"Thread 2.1 hit .* look_up \(i=3\)", r"\$1 = 3", r"Inferior 2 .* exited with code 012", r"Switching to inferior 1",
              r"Thread 1.1 hit .* look_up \(i=0\)", r"\$2 = 0", r"Inferior 1 .* exited with code 06"], "child 10\nsum 47", 6),
    ("fork, the parent ends first", "spin-both", """set detach-on-fork off
set schedule-multiple on
continue
info inferiors
inferior 1
print counter > 0
kill inferiors 1
inferior 2
set var seen = 1
continue""", [r"received signal SIGINT", r"^\* 1 +process", r"^  2 +process", r"\$1 = 1", r"Switching to inferior 2", r"Inferior 2 .* exited normally"],
     "", -signal.SIGKILL),
    ("a family", "family", """set detach-on-fork off
set schedule-multiple on
catch fork
continue
continue
continue
info inferiors
python
while True:
    live = [i.num for i in gdb.inferiors() if i.pid]
    if not live:
        break
    gdb.execute("inferior %d" % live[0], to_string=True)
    gdb.execute("continue")
end""", [r"Catchpoint 1 \(forked", r"Thread 1.1 hit Catchpoint 1 \(forked", r"Thread 3.1 hit Catchpoint 1 \(forked", r"exited with code 04",
         r"Inferior 3 .* exited with code 013", r"Inferior 1 .* exited with code 06"], "family 21\nsum 47", 6),
    ("vfork, the parent", "vfork", """catch vfork
break look_up
continue
continue
print i
delete
continue""", [r"Catchpoint 1 \(vforked process", r"Detaching after vfork from child", r"Breakpoint 2, look_up \(i=0\)", r"\$1 = 0",
              "exited with code 06"], "child 10\nsum 47", 6),
    ("vfork, the child", "vfork", """set follow-fork-mode child
break look_up
continue
print i
next
delete
continue""", [r"Attaching after .* vfork to child", r"Thread 2.1 hit .* look_up \(i=3\)", r"\$1 = 3", r"Detaching vfork parent process .* after child exit",
              r"Inferior 2 .* exited with code 012"], "child 10\nsum 47", 6),
    ("vfork, the child that executes", "vfork-exec", """set follow-fork-mode child
handle SIGUSR1 nostop noprint pass
break on_signal
continue
print signo
backtrace
delete
continue""", [r"Attaching after .* vfork to child", r"Detaching vfork parent process .* after child exec", r"is executing new program",
              r"Thread 2.1 hit .* on_signal \(signo=10\)", r"\$1 = 10", r"^#0 +on_signal", r"signal handler called", r"^#\d .* main",
              r"Inferior 2 .* exited with code 06"], "seen 10\nsum 47", 6),
    ("vfork, both", "vfork-exec", """set detach-on-fork off
set follow-fork-mode child
handle SIGUSR1 nostop noprint pass
break on_signal
continue
print signo
info inferiors
delete
continue
inferior 1
continue""", [r"New inferior 2", r"is executing new program", r"Thread 2.1 hit .* on_signal \(signo=10\)", r"\$1 = 10", r"^  1 +process",
              r"^\* 2 +process", r"Inferior 2 .* exited with code 06", r"Inferior 1 .* exited with code 06"], "seen 10\nsum 47", 6),
    ("exec", "exec", """catch exec
continue
break on_signal
handle SIGUSR1 nostop noprint pass
continue
print signo
continue""", [r"is executing new program", r"Catchpoint 1 \(exec", r"Breakpoint 2, on_signal", r"\$1 = 10", r"exited with code 06"],
     "seen 10\nsum 47", 6),
    ("signal", "signal", """continue
print $_siginfo.si_signo
break on_signal
continue
print signo
backtrace
delete
continue""", [r"received signal SIGUSR1", r"\$1 = 10", r"on_signal \(signo=10\)", r"\$2 = 10", r"signal handler called", "exited with code 06"],
     "seen 10\nsum 47", 6),
    ("signal taken away", "signal", """handle SIGUSR1 stop nopass
continue
continue""", [r"received signal SIGUSR1", "exited with code 06"], "seen 0\nsum 47", 6),
    ("fault", "fault", """continue
print $_siginfo._sifields._sigfault.si_addr
continue""", [r"received signal SIGSEGV", r"\$1 = \(void \*\) 0x8", r"terminated with signal SIGSEGV"], "", -signal.SIGSEGV),
    ("hot code", "hot", """break milestone
continue
break look_up
continue
print i
continue
print i
finish
print total
backtrace 2
delete 2
continue
print n
tbreak look_up if i == 5
continue
print i
up
stepi
step
step
print i
continue
print n
delete
break sum
continue
delete
continue""", [r"milestone \(n=0\)", r"look_up \(i=0\)", r"\$1 = 0", r"look_up \(i=1\)", r"\$2 = 1", r"Value returned is \$3 = 4",
              r"\$4 = 230001", r"^#0 .* rounds", r"^#1 .* main", r"milestone \(n=1\)", r"\$5 = 1", r"look_up \(i=5\)", r"\$6 = 5",
              r"milestone \(n=2\)", r"\$8 = 2", r"sum \(p=", "exited with code 06"], "rounds 1380000\nsum 47", 6),
    ("system calls", "plain", """catch syscall exit_group
continue
info registers pc
delete
continue""", [r"Catchpoint 1 \(call to syscall exit_group\)", "exited with code 06"], "sum 47", 6),
    ("interrupt", "spin", """continue
print counter > 0
set var seen = 1
continue""", [r"received signal SIGINT", r"\$1 = 1", "exited with code 06"], "spun\nsum 47", 6),
    ("interrupt of a call", "sleep", """continue
backtrace
signal SIGUSR1""", [r"received signal SIGINT", r"sleep|nanosleep", "exited with code 06"], "slept 1\nsum 47", 6),
    ("vfork and descriptors", "close", """break execve
break look_up
continue
print i
delete
continue""", [r"look_up \(i=0\)", r"\$1 = 0", "exited with code 06"], "shell 3\nsum 47", 6),
    ("detach", "plain", """break look_up
continue
detach""", [r"look_up \(i=0\)", r"detached"], "sum 47", 6),
    ("kill", "spin", """print 1
kill""", [r"\$1 = 1", "killed"], "", -signal.SIGKILL),
]


def kill_all(child):
    """With what it has made, which holds its output open."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(program, argument, commands, where):
    option = [] if argument == "signal" else ["-g", f"unix:{where}"]
    child = subprocess.Popen([metic, *option, program, argument], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, start_new_session=True, env={**os.environ, "QEMU_GDB": "" if option else where})
    while not pathlib.Path(where).exists() and child.poll() is None:
        time.sleep(0.01)
    script = pathlib.Path(where + ".gdb")
    script.write_text(commands + "\n")
    gdb = debugger.start(where, script, program, first=["set sysroot target:"], env={**os.environ, "DEBUGINFOD_URLS": ""})
    ready = ""
    if argument in ("spin", "spin-both", "sleep") and not commands.endswith("kill"):
        watchdog = threading.Timer(30, child.kill)
        watchdog.start()
        ready = child.stdout.readline()
        watchdog.cancel()
        time.sleep(0.2)
        gdb.send_signal(signal.SIGINT)
    try:
        out = gdb.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        gdb.kill()
        kill_all(child)
        out = gdb.communicate()[0] + "\n(gdb did not end)"
    try:
        text = child.communicate(timeout=40)[0]
    except subprocess.TimeoutExpired:
        kill_all(child)
        text = child.communicate()[0] + "\n(the program did not end)"
    pathlib.Path(where).unlink(missing_ok=True)
    return out, ready + text, child.returncode


def check(name, out, text, code, patterns, expected, expected_code):
    global failures
    at, wrong = 0, []
    for p in patterns:
        m = re.compile(p, re.M).search(out, at)
        if not m:
            wrong.append(f"no `{p}` behind byte {at}")
            break
        at = m.end()
    if expected not in text:
        wrong.append(f"the program did not print `{expected}`")
    if code != expected_code:
        wrong.append(f"exit code {code}, not {expected_code}")
    if wrong:
        failures += 1
        print(f"{guest} {name}: {'; '.join(wrong)}\n--- gdb\n{out}\n--- program\n{text}")


with tempfile.TemporaryDirectory() as folder:
    only = sys.argv[5:]
    for kind, flags in [("static", ["-static"]), ("dynamic", [])]:
        program = f"{folder}/{kind}"
        subprocess.run([compiler, *flags, "-g", "-O0", "-pthread", source, "-o", program], check=True)
        for name, argument, commands, patterns, expected, code in CASES:
            if name == "system calls" and guest == "riscv64": # gdb knows no names of its calls
                continue
            if only and name not in only or (kind == "static" and not only and name not in ("break", "step", "threads")):
                continue
            out, text, got = run(program, argument, commands, f"{folder}/socket")
            check(f"{name} ({kind})", out, text, got, patterns, expected, code)
sys.exit(failures != 0)
