#!/usr/bin/env python3
"""Runs modules of Python's own test suite under metic and natively, and compares test by test.

Both run in a chroot of a full root (the same Debian release, the same Python), with /proc and /dev mounted. A test that
passes natively and does not pass under metic is a failure, unless python-known.txt lists it with a reason.
"""

import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import re
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

MODULES = """test_int test_float test_math test_cmath test_struct test_os test_posix test_signal test_threading test_thread
             test_subprocess test_socket test_select test_selectors test_mmap test_fcntl test_io test_time test_re test_zlib
             test_hashlib test_decimal test_statistics test_fork1 test_wait3 test_wait4
             test_multiprocessing_fork""".split()


def known():
    """[(guest pattern, test pattern, reason)] of python-known.txt."""
    found = []
    for line in (HERE / "python-known.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            guest, test, reason = line.split(None, 2)
            found.append((guest, test, reason))
    return found


TEST = re.compile(r"^(\w+) \(([\w.]+)\)(?:$| \.\.\.)")
ENDED = re.compile(r"\.\.\. (?:.*?)(ok|skipped .*|FAIL|ERROR|expected failure|unexpected success)$")
REPORT = re.compile(r"^(?:ERROR|FAIL): (\w+) \(([\w.]+)\)")


def results(output):
    """{test: "ok", "skipped", "failed: why"} of what `-m test -v` prints; None: the module came to no end."""
    lines, found, test = output.splitlines(), {}, None
    if not any(line.startswith(("Total test files:", "== Tests result:")) for line in lines):
        return None
    for number, line in enumerate(lines):
        if m := TEST.match(line):
            test = m[2]
            found.setdefault(test, "ok")
        if test and (m := ENDED.search(line)) and m[1].startswith("skipped"):
            found[test] = "skipped"
        if m := REPORT.match(line):
            trace = lines[number + 1:]
            end = next((k for k, l in enumerate(trace[1:], 1) if l.startswith(("=====", "-----"))), 1)
            why = [l for l in trace[1:end] if l.strip()] or [""]
            found[m[2]] = "failed: " + why[-1][:160]
    return found


def run_module(place, module, timeout):
    """(results or None, exit code or None, seconds, last lines of output)"""
    work = pathlib.Path(tempfile.mkdtemp(prefix="python-", dir=place.root / "tmp"))
    inside = "/" + str(work.relative_to(place.root))
    case = run.Case("suite; timeout %d" % timeout, "", "", "")
    words = ["python3", "-m", "test", "-v", module]
    start = time.monotonic()
    try:
        env = run.environment(work, inside)
        code, output = run.run(place.command(words, work, env), case, work, env)
        (roots.build_folder() / "python-suite").mkdir(exist_ok=True)
        (roots.build_folder() / "python-suite" / f"{module}-{place.guest}.log").write_text(output)
        return results(output), code, time.monotonic() - start, output.splitlines()[-8:]
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", work], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)


def differences(native, found):
    """{test: what happened} of the tests that pass natively and not here."""
    return {test: found.get(test, "failed: missing") for test, result in native.items()
            if result == "ok" and found.get(test, "failed: missing").startswith("failed")}


def judge(place, module, native, first, timeout):
    """{test: what happened} of what differs twice; a test that passes alone at the second try was short of time."""
    found, code, _, tail = first
    different = differences(native, found) if found is not None else None
    if different or different is None:
        found, code, _, tail = run_module(place, module, timeout)
        if found is None:
            return {module: f"failed: no results, exit code {code}: {' / '.join(tail[-3:])}"}
        again = differences(native, found)
        different = again if different is None else {t: why for t, why in again.items() if t in different}
    return different


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--guest", action="append", choices=list(roots.GUESTS), help="may be repeated; default: all")
    p.add_argument("--emulator", metavar="PATTERN", help="{cpu} in it is the processor; default: the metic built")
    p.add_argument("--emulator-options", default="", help="separated by spaces")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--timeout", type=int, default=1800, help="seconds for a module (default 1800)")
    p.add_argument("module", nargs="*", default=MODULES, help="default: " + " ".join(MODULES))
    args = p.parse_args()
    args.mode, args.root = "chroot", None
    guests = args.guest or list(roots.GUESTS)
    places = {g: run.Place(args, g, "full") for g in [run.NATIVE, *guests]}
    excused, counts = known(), {g: [0, 0, 0] for g in guests}

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {(m, g): pool.submit(run_module, place, m, args.timeout) for m in args.module for g, place in places.items()}
        for job in jobs.values():
            job.result()
    for module in args.module:
        native = jobs[module, run.NATIVE].result()[0]
        if native is None:
            sys.exit(f"{module} gives no results natively: {jobs[module, run.NATIVE].result()[3]}")
        for g in guests:
            first = jobs[module, g].result()
            different = judge(places[g], module, native, first, args.timeout)
            counts[g][0] += sum(r == "ok" for r in native.values()) - len(different)
            for test, why in different.items():
                reasons = [r for gp, tp, r in excused if fnmatch.fnmatch(g, gp) and fnmatch.fnmatch(test, tp)]
                counts[g][2 if reasons else 1] += 1
                print(f"{'known' if reasons else 'FAIL'} {g} {test}: {reasons[0] if reasons else why}")
            print(f"     {g} {module}: {len(first[0] or {})} tests, {first[2]:.0f} s", flush=True)
    for g, (passed, failed, excused_ones) in counts.items():
        print(f"{g}: {passed} tests as natively, {failed} not, {excused_ones} known")
    failed = sum(c[1] for c in counts.values())
    print(f"{sum(c[0] for c in counts.values())} passed, {failed} failed, {sum(c[2] for c in counts.values())} skipped")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
