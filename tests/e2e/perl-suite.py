#!/usr/bin/env python3
"""Runs Perl's core tests under metic and natively, and compares test by test (suite.py tells how).

The tests are those of the source package: t/ and lib/, without t/porting, which looks at the source. They are run by
t/TEST with the root's own perl, its libraries beside the source's. A module is a file of tests, as t/TEST names it.
"""

import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import suite  # noqa: E402
from suite import roots  # noqa: E402

FOLDERS = "base comp run cmd io re opbasic op op/hook uni mro class perf lib test_pl".split()
SOURCE = "perl-source"  # the name of the source's folder in a root
HEAD = re.compile(r"^\S+ \.+ ")  # what t/TEST puts before the first line
SKIPPED = re.compile(r"^(?:\S+ \.+ )?1\.\.0 # skip", re.M | re.I)
TEST = re.compile(r"^(not )?ok (\d+)(.*)")


def escape(name):
    """A TAP description as one word, for the list of known ones."""
    return re.sub(r"\s+", "_", name.strip(" -\t"))


def merge(source, into):
    """Copies what is not there yet, links followed."""
    for path in source.rglob("*"):
        to = into / path.relative_to(source)
        if path.is_dir():
            to.mkdir(parents=True, exist_ok=True)
        elif path.exists() and not to.exists():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)


class Perl(suite.Suite):
    name, timeout = "perl", 900
    default = """base/lex.t op/fork.t op/sprintf.t op/sprintf2.t op/pack.t op/numconvert.t op/threads.t op/stat.t op/kill0.t
                 op/sigdispatch.t io/pipe.t io/fs.t io/socket.t re/regexp.t uni/lower.t""".split()

    def prepare(self, place):
        where = place.root / SOURCE
        done = where / ".prepared"
        if done.exists():
            return
        shutil.rmtree(where, ignore_errors=True)
        subprocess.run(["cp", "-a", roots.source("perl"), where], check=True)
        for pattern in ("usr/share/perl/5.*", "usr/lib/*/perl/5.*", "usr/lib/*/perl-base"):
            for folder in place.root.glob(pattern):
                merge(folder, where / "lib")
        for link in (where / "perl", where / "t/perl"):
            link.symlink_to("/usr/bin/perl")
        done.touch()

    def modules(self, place):
        source = place.root / SOURCE
        core = [path.relative_to(source / "t") for folder in FOLDERS for path in sorted((source / "t" / folder).glob("*.t"))]
        return [*map(str, core), *(f"../{path.relative_to(source)}" for path in sorted((source / "lib").rglob("*.t")))]

    def words(self, module):
        return ["env", "-C", f"/{SOURCE}/t", "./perl", "TEST", "-v", module]

    def results(self, module, output):
        """A test is FILE:NUMBER; the file's own name stands for its end, with exit code and plan."""
        lines = output.splitlines()
        found = {}
        for line in lines:
            if m := TEST.match(HEAD.sub("", line)):
                todo = re.search(r"#\s*TODO", m[3], re.I)
                skip = re.search(r"#\s*skip", m[3], re.I)
                bad = f"failed: {escape(m[3])}"
                found[f"{module}:{m[2]}"] = "skipped" if skip or todo else bad if m[1] else "ok"
        if SKIPPED.search(output):
            return {}
        if any(line.startswith("All tests successful") for line in lines):
            found[module] = "ok"
        elif any(line.startswith("Failed ") for line in lines):
            why = [line for line in lines if line.startswith("FAILED")] or [""]
            found[module] = "failed: " + why[-1]
        else:
            return None
        return found


if __name__ == "__main__":
    suite.main(Perl(), __doc__)
