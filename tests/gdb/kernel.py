#!/usr/bin/env python3
"""gdb against a machine that runs Debian's riscv64 kernel: kernel.py METIC-SYSTEM.

The kernel of the package has no symbols: a first run, without a debugger, asks it for the addresses.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import boot  # noqa: E402
import debugger  # noqa: E402

SYMBOLS = """grep -wE 'do_sys_openat2|jiffies_64|start_kernel' /proc/kallsyms
poweroff -f
"""
WORK = """i=0; while [ $i -lt 200 ]; do cat /proc/uptime >/dev/null; i=$((i+1)); done; echo "$i files"
poweroff -f
"""
GDB = """info threads
hbreak *{start_kernel}
continue
info registers priv satp
x/2i $pc
delete
hbreak *{do_sys_openat2}
continue
print $pc == {do_sys_openat2}
print $priv
x/2i $pc
info threads
stepi
stepi
stepi
print $pc != {do_sys_openat2}
x/s $sp
delete
watch *(long *) {jiffies_64}
continue
continue
delete
monitor info status
detach
"""
PATTERNS = [r"Thread 1\.2 \(CPU#1", r"Breakpoint 1,", r"Supervisor", r"satp +0x[89a]0", r"=> 0x", r"Breakpoint 2,", r"= 1$", r"= supervisor", r"=> 0x",
            r"Thread 1\.2", r"= 1$", r"Old value = (\d+)\s+New value = \d+", r"Old value = \d+", r"paused", r"detached"]


def machine(script, folder, *options):
    return subprocess.Popen([sys.argv[1], "-M", "virt", "-m", "512", "-smp", "2", "-nographic", "-monitor", "none", "-no-reboot",
                             *boot.options(script, folder, "console=ttyS0 quiet nokaslr"), *options],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


with tempfile.TemporaryDirectory() as folder:
    out = machine(SYMBOLS, folder).communicate(timeout=300)[0]
    symbols = {name: "0x" + address for address, name in re.findall(r"^([0-9a-f]{16}) \w (\w+)", out, re.M)}
    where = f"{folder}/socket"
    guest = machine(WORK, folder, "-S", "-gdb", f"unix:{where}")
    while not pathlib.Path(where).exists() and guest.poll() is None:
        time.sleep(0.01)
    script = pathlib.Path(f"{folder}/script")
    script.write_text(GDB.format(**symbols))
    gdb = debugger.start(where, script, first=["set architecture riscv:rv64"])
    try:
        said = gdb.communicate(timeout=300)[0]
    finally:
        gdb.kill()
    out = guest.communicate(timeout=300)[0]
at = 0
for p in PATTERNS:
    m = re.compile(p, re.M).search(said, at)
    if not m:
        sys.exit(f"no `{p}` behind byte {at} of\n{said}\n{out}")
    at = m.end()
if guest.returncode or "200 files" not in out:
    sys.exit(f"exit code {guest.returncode}\n{said}\n{out}")
