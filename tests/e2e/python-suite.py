#!/usr/bin/env python3
"""Runs modules of Python's own test suite under metic and natively, and compares test by test (suite.py tells how).

--all is the whole suite with the resources that it takes by default: no network, no windows, nothing made to compute or
to fill the disk.
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
sys.path.insert(0, str(HERE))
import roots  # noqa: E402
import suite  # noqa: E402

TEST = re.compile(r"^(\w+) \(([\w.]+)\)(?:$| \.\.\.)")
ENDED = re.compile(r"\.\.\. (?:.*?)(ok|skipped .*|FAIL|ERROR|expected failure|unexpected success)$")
REPORT = re.compile(r"^(?:ERROR|FAIL): (\w+) \(([\w.]+)\)")


class Python(suite.Suite):
    name = "python"
    default = """test_int test_float test_math test_cmath test_struct test_os test_posix test_signal test_threading
                 test_thread test_subprocess test_socket test_select test_selectors test_mmap test_fcntl test_io test_time
                 test_re test_zlib test_hashlib test_decimal test_statistics test_fork1 test_wait3 test_wait4
                 test_multiprocessing_fork""".split()

    def words(self, module):
        return ["python3", "-m", "test", "-v", module]

    def prepare(self, place):
        roots.configure(place.root)

    def modules(self, place):
        code, output = suite.in_root(place, ["python3", "-m", "test", "--list-tests"], self.timeout)
        if code != 0:
            sys.exit(f"python3 -m test --list-tests fails natively: {output}")
        return output.split()

    def results(self, module, output):
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


if __name__ == "__main__":
    suite.main(Python(), __doc__)
