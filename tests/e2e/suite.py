"""What the suites of languages and of stress-ng share: a module's tests are run natively and under metic, and compared test by test.

Both run in a chroot of a full root (the same Debian release, the same version), with /proc and /dev mounted. A test that
passes natively and does not pass under metic is a failure, unless the suite's list of known ones has it with a reason.
What a module printed stays in the build folder, in NAME-suite/MODULE-GUEST.log; --resume takes it from there.
"""

import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
sys.path.insert(0, str(HERE))
import roots  # noqa: E402
import run  # noqa: E402

MISSING = "failed: missing"


def known(path):
    """[(guest pattern, test pattern, reason)] of a list of known differences."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(None, 2)) for line in lines]


class Suite:
    """What a suite gives: its name, the kind of root (run.SETS), the modules run by default, and the methods that follow."""

    name, kind, default, timeout = "", "full", [], 1800

    def words(self, module):
        """The command that runs a module, in an empty folder of the root."""
        raise NotImplementedError

    def results(self, module, output):
        """{test: "ok", "skipped" or "failed: why"} of what the module printed; None: the module came to no end."""
        raise NotImplementedError

    def modules(self, place):
        """All modules there are."""
        raise NotImplementedError

    def prepare(self, place):
        """Puts into the root what is not of a package; nothing when that is there."""


class Outcome:
    """One run of a module: its output's last lines, exit code (None: it took too long), seconds and results."""

    def __init__(self, suite, module, code, output, seconds):
        self.code, self.seconds, self.tail = code, seconds, output.splitlines()[-3:]
        self.results = suite.results(module, output)


def in_root(place, words, timeout):
    """(exit code or None, output) of a command in an empty folder of the root."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="suite-", dir=place.root / "tmp"))
    try:
        env = run.environment(work, "/" + str(work.relative_to(place.root)))
        case = run.Case("suite; timeout %d" % timeout, "", "", "")
        return run.run(place.command(words, work, env), case, work, env)
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", work], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)


def run_module(suite, place, module, timeout, resume=False):
    log = roots.build_folder() / f"{suite.name}-suite" / f"{module.replace('/', '-')}-{place.guest}.log"
    if resume and log.exists():
        head, _, output = log.read_text().partition("\n")
        code, seconds = head.split()
        return Outcome(suite, module, None if code == "None" else int(code), output, float(seconds))
    start = time.monotonic()
    code, output = in_root(place, suite.words(module), timeout)
    seconds = time.monotonic() - start
    log.parent.mkdir(exist_ok=True)
    log.write_text(f"{code} {seconds:.0f}\n{output}")
    return Outcome(suite, module, code, output, seconds)


def differences(native, found):
    """{test: what happened} of the tests that pass natively and not here."""
    return {test: found.get(test, MISSING) for test, result in native.items()
            if result == "ok" and found.get(test, MISSING).startswith("failed")}


def judge(suite, place, module, native, first, timeout):
    """{test: what happened} of what differs twice; a test that passes alone at the second try was short of time."""
    different = differences(native, first.results) if first.results is not None else None
    if different or different is None:
        second = run_module(suite, place, module, timeout)
        if second.results is None:
            return {module: f"failed: no results, exit code {second.code}: {' / '.join(second.tail)}"}
        again = differences(native, second.results)
        different = again if different is None else {t: why for t, why in again.items() if t in different}
    return different


class Count:
    def __init__(self):
        self.passed = self.failed = self.known = 0


def main(suite, description):
    p = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--guest", action="append", choices=[*roots.GUESTS, run.NATIVE],
                   help="may be repeated; default: arm64 and riscv64; amd64 alone records the native results for --resume")
    p.add_argument("--emulator", metavar="PATTERN", help="{cpu} in it is the processor; default: the metic built")
    p.add_argument("--emulator-options", default="", help="separated by spaces")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--timeout", type=int, default=suite.timeout, help=f"seconds for a module (default {suite.timeout})")
    p.add_argument("--all", action="store_true", help="all modules")
    p.add_argument("--resume", action="store_true", help="take the results of the modules that ran before from their logs")
    p.add_argument("module", nargs="*", default=suite.default, help="default: " + " ".join(suite.default))
    args = p.parse_args()
    args.mode, args.root = "chroot", None
    guests = args.guest or list(roots.GUESTS)
    places = {g: run.Place(args, g, suite.kind) for g in {run.NATIVE, *guests}}
    for place in places.values():
        suite.prepare(place)
    modules = suite.modules(places[run.NATIVE]) if args.all else args.module
    guests = [g for g in guests if g != run.NATIVE]
    excused, counts, silent = known(HERE / f"{suite.name}-known.txt"), {g: Count() for g in guests}, []

    def one(module):
        """The module's native results and for each guest (guest, first outcome, what differs)."""
        native = run_module(suite, places[run.NATIVE], module, args.timeout, args.resume)
        if native.results is None:
            return native, []
        found = []
        for g in guests:
            first = run_module(suite, places[g], module, args.timeout, args.resume)
            found.append((g, first, judge(suite, places[g], module, native.results, first, args.timeout)))
        return native, found

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for module, (native, found) in zip(modules, pool.map(one, modules)):
            if native.results is None:
                silent.append(module)
                print(f"     {module} gives no results natively, exit code {native.code}: {' / '.join(native.tail)}")
            for g, first, different in found:
                counts[g].passed += sum(r == "ok" for r in native.results.values()) - len(different)
                for test, why in different.items():
                    reasons = [r for gp, tp, r in excused if fnmatch.fnmatch(g, gp) and fnmatch.fnmatch(test, tp)]
                    counts[g].known += bool(reasons)
                    counts[g].failed += not reasons
                    print(f"{'known' if reasons else 'FAIL'} {g} {test}: {reasons[0] if reasons else why}")
                print(f"     {g} {module}: {len(first.results or {})} tests, {first.seconds:.0f} s "
                      f"({native.seconds:.0f} s natively)", flush=True)
    for g, c in counts.items():
        print(f"{g}: {c.passed} tests as natively, {c.failed} not, {c.known} known")
    failed = sum(c.failed for c in counts.values())
    print(f"{sum(c.passed for c in counts.values())} passed, {failed} failed, {sum(c.known for c in counts.values())} skipped")
    sys.exit(failed > 0 or len(silent) == len(modules))
