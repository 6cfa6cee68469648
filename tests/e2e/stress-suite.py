#!/usr/bin/env python3
"""Runs stress-ng's stressors under metic and natively, and compares stressor by stressor (suite.py tells how).

A module is a stressor: two instances of the guest's stress-ng, which checks its results itself, for a second, as an ordinary
user in namespaces of its own. Left out are those whose purpose is to exhaust the machine, on which other things run.
"""

import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import suite  # noqa: E402

LEFT_OUT = {
    "all memory": "bigheap brk mlockmany mmapfork oom-pipe physmmap physpage ramfs resources stack swap".split(),
    "all processes": "forkheavy vforkmany zombie".split(),
    "disks": "hdd iomix rawdev".split(),
    "processors, their state and the kernel's": "cpu-online cyclic memhotplug module smi softlockup watchdog".split(),
}
USER = "1000"
OUTCOME = re.compile(r"^stress-ng: info: +\[\d+\] (passed|skipped|failed): (\d+)", re.M)


class Stress(suite.Suite):
    name, kind, timeout = "stress", "stress", 120
    default = "access clone fork futex mmap mremap pipe pthread sigfpe sigq timer vfork vecmath".split()

    def modules(self, place):
        code, output = suite.in_root(place, ["stress-ng", "--stressors"], self.timeout)
        if code != 0:
            sys.exit(f"stress-ng --stressors fails natively: {output}")
        left_out = {name for names in LEFT_OUT.values() for name in names}
        return [name for name in output.split() if name not in left_out]

    def words(self, module):
        stress = f"stress-ng --{module} 2 -t 1 --verify --temp-path . --no-rand-seed --oomable"
        user = f"chown {USER}:{USER} . && exec setpriv --reuid {USER} --regid {USER} --clear-groups" if not os.getuid() else "exec"
        return ["unshare", "--pid", "--fork", "--kill-child", "bash", "-c", f"mount -t proc proc /proc && {user} {stress}"]

    def results(self, module, output):
        """One test, the stressor. What the emulator complains about fails it, too."""
        counts = {word: int(n) for word, n in OUTCOME.findall(output)}
        if len(counts) != 3:
            return None
        bad = [line for line in output.splitlines() if line.startswith("metic: ") or " fail: " in line or " error: " in line]
        if counts["failed"] or not counts["passed"] + counts["skipped"] or any(line.startswith("metic: ") for line in bad):
            return {module: f"failed: {(bad or ['no reason given'])[0][:160]}"}
        return {module: "ok" if counts["passed"] else "skipped"}


if __name__ == "__main__":
    suite.main(Stress(), __doc__)
