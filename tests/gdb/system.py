#!/usr/bin/env python3
"""gdb against a machine that runs programs of tests/system.

usage: system.py METIC-SYSTEM SOURCES
"""
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import debugger

system, sources = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
only = sys.argv[3:]
FLAGS = """-g -Og -falign-functions=4 -march=rv64gc -mabi=lp64d -mcmodel=medany -ffreestanding -fno-builtin -fno-stack-protector -nostdlib -static -no-pie
-Wl,--build-id=none -Wl,-Ttext=0x80000000 -Wl,-z,norelro -Wl,-N -Wl,--no-warn-rwx-segments""".split()
failures = 0

# name, program, processors, options, gdb's commands, patterns in what gdb prints, exit code of the machine
CASES = [
    ("threads and points", "harts", 4, ["-S"], """info threads
info registers pc priv
hbreak main
continue
delete
break work if $_thread == 2
continue
info threads
thread 2
backtrace
info registers mhartid
print $mhartid
print counter >= 0
delete
watch turn
continue
continue
delete
print turn > 1
rwatch ready
continue
delete
stepi
next
set $before = $pc
stepi
print $pc != $before
monitor info status
continue""", [r"Thread 1\.4 \(CPU#3 \[", r"^priv .*Machine", r"main \(\)", r"work \(\)", r"^\* 2 .*work \(\)", r"^#0 +work \(\)", r"^#1 .*secondary \(hart=",
              r"mhartid +0x1", r"\$1 = 1", r"\$2 = 1", r"Old value = \d+\s+New value = \d+", r"Old value = \d+\s+New value = \d+",
              r"\$3 = 1", r"Hardware read watchpoint \d: ready", r"\$4 = 1", r"VM status: paused", r"exited normally"], 0),
    ("memory and registers", "harts", 4, ["-S"], """break main
continue
x/2i $pc
set $t0 = 0x1234
print /x $t0
set var counter = 77
print counter
set var counter = 0
set $mscratch = 0x55aa
print /x $mscratch
set $fcsr = 0
print $misa < 0
print *(unsigned char *) 0x10000005 & 0x20
info registers csr
detach""", [r"main \(\)", r"=> 0x8", r"\$1 = 0x1234", r"\$2 = 77", r"\$3 = 0x55aa", r"\$4 = 1|\$4 = 0", r"\$5 = 32", r"mstatus", r"pmpaddr15",
            r"[Dd]etach"], 0),
    ("translated addresses", "paging", 1, ["-S"], """awatch *(long *) 0x40000008
continue
info registers priv
print /x *(long *) 0x40000008
print *(int *) 0x80000000 != 0
maintenance packet Qqemu.PhyMemMode:1
maintenance packet qqemu.PhyMemMode
maintenance packet Qqemu.PhyMemMode:0
delete
hbreak *0x40000100
continue
info registers priv
x/2i $pc
stepi
break trap
continue
info registers priv mcause
delete
continue""", [r"Hardware access .*watchpoint 1", r"Thread 1 hit|\(gdb\)|watchpoint 1", r"\$1 = 0x1122334455667788|\$1 = 0x0", r"\$2 = 1", r'received: "1"', r"Breakpoint 2",
              r"Supervisor", r"=> 0x40000100:\tli\ta0,", r"0x40000104:\tecall", r"Machine", r"mcause +0x9", r"exited normally"], 0),
    ("traps", "traps", 1, ["-S", "-tier", "hot"], """hbreak trap
commands
silent
printf "cause %lx\\n", $mcause
end
continue
continue
continue
stepi
finish
delete
continue""", [r"cause ", r"cause ", r"cause ", r"exited normally"], 0),
    ("interrupt", "harts", 1, [], """set $ended = 0
continue
print $pc != 0
kill""", [r"received signal SIGINT", r"\$1 = 1", r"killed"], 0),
]
name, program, processors, options, *rest = CASES[0]
CASES.append((name + ", by turns", program, processors, [*options, "-icount", "shift=2"], *rest))


def check(name, out, code, patterns, expected_code):
    global failures
    at, wrong = 0, []
    for p in patterns:
        m = re.compile(p, re.M).search(out, at)
        if not m:
            wrong.append(f"no `{p}` behind byte {at}")
            break
        at = m.end()
    if code != expected_code:
        wrong.append(f"the machine's exit code is {code}, not {expected_code}")
    if wrong:
        failures += 1
        print(f"{name}: {'; '.join(wrong)}\n--- gdb\n{out}")


with tempfile.TemporaryDirectory() as folder:
    for name, program, processors, options, commands, patterns, expected in CASES:
        if only and name not in only:
            continue
        path, where = f"{folder}/{program}", f"{folder}/socket"
        if not pathlib.Path(path).exists():
            subprocess.run(["riscv64-linux-gnu-gcc", *FLAGS, "-o", path, sources / "start.S", sources / "lib.c", sources / f"{program}.c"], check=True)
        machine = subprocess.Popen([system, "-M", "virt", "-m", "64", "-nographic", "-monitor", "none", "-bios", "none", "-kernel", path, "-smp",
                                    str(processors), "-gdb", f"unix:{where}", *options], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        while not pathlib.Path(where).exists() and machine.poll() is None:
            time.sleep(0.01)
        script = pathlib.Path(f"{folder}/script")
        script.write_text(commands + "\n")
        gdb = debugger.start(where, script, path)
        if name == "interrupt":
            time.sleep(1.5)
            gdb.send_signal(signal.SIGINT)
        try:
            out = gdb.communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            gdb.kill()
            machine.kill()
            out = gdb.communicate()[0] + "\n(gdb did not end)"
        try:
            out += "--- machine\n" + machine.communicate(timeout=30)[0]
        except subprocess.TimeoutExpired:
            machine.kill()
            out += machine.communicate()[0] + "\n(the machine did not end)"
        check(name, out, machine.returncode, patterns, expected)
        pathlib.Path(where).unlink(missing_ok=True)
sys.exit(failures != 0)
