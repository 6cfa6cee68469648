#!/usr/bin/env python3
"""The translation cache on disk, with real processes: whatever happens to its files, programs do what they should.

usage: cache.py METIC STATIC DYNAMIC     (two builds of guest.c for the guest)
"""

import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

METIC, STATIC, DYNAMIC = (os.path.abspath(p) for p in sys.argv[1:4])
NAME = re.compile(r"[0-9a-f]{32}")
SETTLED = 2.2  # seconds until a new guest file is taken for one that does not change


def settle(path):
    """A file that has just been made is not stored: it might change again within its timestamp."""
    time.sleep(max(0, os.stat(path).st_ctime + SETTLED - time.time()))


class Cache(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="metic-cache-"))
        self.cache = self.folder / "cache"
        settle(STATIC)
        settle(DYNAMIC)

    def tearDown(self):
        shutil.rmtree(self.folder)

    def environment(self, **more):
        return {**os.environ, "METIC_CODE_CACHE": str(self.cache), **more}

    def run_guest(self, *args, program=STATIC, metic=METIC, **more):
        """The program's output; counts of the code generator go to self.stats."""
        kept = {k: more.pop(k) for k in ("preexec_fn",) if k in more}
        r = subprocess.run([metic, "-d", "jit-stats", program, *args], env=self.environment(**more), text=True,
                           capture_output=True, timeout=120, **kept)
        self.stats = {k: int(v) for k, v in re.findall(r"^(.*?)  +(\d+)$", r.stderr, re.M)}
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def run_twice(self, program=STATIC):
        """The second process stores what it translates; the first notes that there is the program."""
        for _ in range(2):
            self.run_guest(program=program)

    def files(self):
        return sorted(p for p in self.cache.iterdir() if NAME.fullmatch(p.name)) if self.cache.is_dir() else []

    def check_warm(self, program=STATIC):
        self.run_guest(program=program)
        self.assertGreater(self.stats["files of the disk cache"], 0)
        self.assertLess(self.stats["units translated"], 10)

    def answer(self, *args):
        return self.run_guest(*args, METIC_CODE_CACHE="off")

    def test_warm(self):
        for program in STATIC, DYNAMIC:
            self.run_guest(program=program)  # notes that there is the program
            self.assertEqual(self.stats["units stored on disk"], 0)
            self.assertGreater(self.stats["instructions interpreted"], 100)
            for args in ([], ["30"]):  # the second makes hot code, too
                want = self.answer(*args)
                self.assertEqual(self.run_guest(*args, program=program), want)
                self.assertGreater(self.stats["units stored on disk"], 16)
                for _ in range(3):
                    self.assertEqual(self.run_guest(*args, program=program), want)
                self.check_warm(program)

    def test_tiers_apart(self):
        want = self.answer()
        for tier in "quick", "hot", "auto":
            for _ in range(2):
                self.assertEqual(self.run_guest(METIC_TIER=tier), want)
                self.assertEqual(self.stats["files of the disk cache"], 0, tier)
            self.assertEqual(self.run_guest(METIC_TIER=tier), want)
            self.assertEqual(self.stats["files of the disk cache"], 1, tier)
        for _ in range(3):
            self.assertEqual(self.run_guest("50", METIC_HOT_AFTER="1"), self.answer("50"))

    def test_damage(self):
        want = self.answer()
        self.run_twice(DYNAMIC)
        good = {p: p.read_bytes() for p in self.files()}
        dice = random.Random(1)
        for _ in range(60):
            for path, data in good.items():
                bad = bytearray(data)
                for _ in range(dice.choice([1, 1, 20])):
                    at = dice.randrange(len(bad))
                    bad[at] ^= dice.randrange(1, 256)
                if dice.random() < 0.2:
                    del bad[dice.randrange(len(bad)):]
                path.write_bytes(bad)
            self.assertEqual(self.run_guest(program=DYNAMIC), want)
            self.assertEqual(self.stats["files of the disk cache"], 0)
        self.check_warm(DYNAMIC)  # the last of them have been replaced

    def test_checked_once(self):
        """A large file is found whole by its first reader, which leaves a mark in its time; whoever changes it wipes that off."""
        want = self.answer("50")
        for _ in range(2):
            self.run_guest("50", program=DYNAMIC)
        path = max(self.files(), key=lambda p: p.stat().st_size)
        self.assertGreater(path.stat().st_size, 65536)
        times = [path.stat().st_mtime_ns]
        for _ in range(2):
            self.assertEqual(self.run_guest("50", program=DYNAMIC), want)
            times.append(path.stat().st_mtime_ns)
        self.assertNotEqual(times[0], times[1])
        self.assertEqual(times[1:], times[1:2] * 2)
        found = self.stats["files of the disk cache"]
        with open(path, "r+b") as f:
            f.seek(path.stat().st_size // 2)
            byte = f.read(1)[0]
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte ^ 1]))
        self.assertEqual(self.run_guest("50", program=DYNAMIC), want)
        self.assertEqual(self.stats["files of the disk cache"], found - 1)

    def test_killed_writers(self):
        want = self.answer()
        dice = random.Random(2)
        self.run_guest()
        start = time.monotonic()
        self.run_guest()
        cold = time.monotonic() - start
        for _ in range(80):
            for p in self.files():
                p.write_bytes(b"")  # as after the first run
            p = subprocess.Popen([METIC, STATIC], env=self.environment(), stdout=subprocess.DEVNULL)
            time.sleep(dice.uniform(0, 1.2 * cold))
            p.kill()
            p.wait()
            self.assertEqual(self.run_guest(), want)
        for p in self.cache.glob("*.new"):  # what a killed writer leaves keeps others out for a minute
            p.unlink()
        self.run_guest()
        self.check_warm()

    def test_full_disk(self):
        want = self.answer()
        script = ('mkdir -p "$1" && mount -t tmpfs -o size=40k,mode=700 none "$1" || exit 77; "$2" "$3" && "$2" "$3" && "$2" "$3" || exit 1; '
                  'cd "$1" && find * -size +0 -type f; readlink seed | wc -c')
        unshare = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
        r = subprocess.run([*unshare, "sh", "-c", script, "sh", str(self.cache), METIC, STATIC], env=self.environment(),
                           text=True, capture_output=True)
        if r.returncode == 77:
            self.skipTest("no right to mount")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout, want * 3 + "17\n")

    def test_limited_file_size(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        for _ in range(2):
            self.assertEqual(self.run_guest(preexec_fn=limit), self.answer())
        self.assertEqual([p.stat().st_size for p in self.files()], [0])

    def test_no_folder(self):
        want = self.answer()
        (self.folder / "file").write_text("")
        for bad in "/proc/nothing", str(self.folder / "file"), "/dev/null/x", str(self.folder / "a/b/c/d"):
            self.assertEqual(self.run_guest(METIC_CODE_CACHE=bad), want)
        if os.getuid():
            self.cache.mkdir(0o500)
            self.assertEqual(self.run_guest(), want)
        self.assertEqual(self.run_guest(METIC_CODE_CACHE="", HOME=str(self.folder)), want)
        self.assertTrue((self.folder / ".cache/metic/code/seed").is_symlink())

    def test_at_the_same_time(self):
        want = self.answer()
        for _ in range(3):
            ps = [subprocess.Popen([METIC, program], env=self.environment(), text=True, stdout=subprocess.PIPE)
                  for program in (STATIC, DYNAMIC) * 4]
            for p in ps:
                self.assertEqual(p.communicate()[0], want)
        self.check_warm(STATIC)
        self.check_warm(DYNAMIC)

    def test_shared_pages(self):
        self.run_twice()
        ps = [subprocess.Popen([METIC, STATIC, "1", "wait"], env=self.environment(), text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE) for _ in range(2)]
        for p in ps:
            self.addCleanup(p.kill)
            p.stdout.readline()
        for p in ps:
            areas = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", pathlib.Path(f"/proc/{p.pid}/smaps").read_text(), flags=re.M)
            code = [a for a in areas if str(self.cache) in a and " r-xp " in a.splitlines()[0]]
            self.assertEqual(len(code), 1)
            field = {k: int(v) for k, v in re.findall(r"^(\w+): +(\d+) kB$", code[0], re.M)}
            self.assertGreater(field["Shared_Clean"] + field["Shared_Dirty"], 0)  # dirty: not on the disk yet
            self.assertEqual(field["Private_Dirty"], 0)
            self.assertEqual(field["Private_Clean"], 0)
        for p in ps:
            p.communicate()
            self.assertEqual(p.returncode, 0)

    def test_changed_program(self):
        """The same name, length and time of modification, another content."""
        program = self.folder / "program"
        shutil.copy2(STATIC, program)
        settle(program)
        before = program.stat()
        for letter in "A", "B":
            data = program.read_bytes()
            data = data.replace(b"the answer is A\0", b"the answer is " + letter.encode() + b"\0")
            with open(program, "r+b") as f:
                f.write(data)
            os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))
            for wait in False, True:
                if wait:
                    settle(program)
                for i in range(3):
                    self.assertIn(f"answer is {letter} ", self.run_guest(program=str(program)))
                    self.assertEqual(self.stats["files of the disk cache"], int(wait and i == 2))

    def test_replaced_page(self):
        """Code of the cache's leads into no page that has been replaced or overwritten in the guest before the code was looked for, nor is such a page's stored."""
        code = self.folder / "code"
        for program in STATIC, DYNAMIC:
            for how, want in ("jump", 1), ("replace", 2), ("jump", 1), ("overwrite", 2), ("jump", 1):
                for i in range(3):
                    self.assertEqual(self.run_guest("1", how, str(code), program=program), f"{3 * 64 * want} {3 * 64 * want}\n")
                    settle(code)
            found = self.stats["files of the disk cache"]  # at last its own, too
            self.run_guest(program=program)
            self.assertEqual(self.stats["files of the disk cache"], found - 1)

    def test_warm_command(self):
        """A folder that is filled ahead serves copies of the programs, too; then the commands that count and shrink."""
        want = self.answer()
        r = subprocess.run([METIC, "cache", "warm", "--system", str(STATIC), str(DYNAMIC)], env=self.environment(), text=True,
                           capture_output=True)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stdout, r"^translated 2 files, \d{3,} units\n$")
        for name in STATIC, DYNAMIC:
            copy = self.folder / "copy"
            shutil.copy2(name, copy)
            settle(copy)
            self.assertEqual(self.run_guest(program=str(copy)), want)
            self.assertGreater(self.stats["files of the disk cache"], 0)
            if name == STATIC:
                self.assertLess(self.stats["units translated"], 150)
        r = subprocess.run([METIC, "cache", "status"], env=self.environment(), text=True, capture_output=True)
        self.assertRegex(r.stdout, rf"user's folder +{self.cache}: {len(self.files())} files, ")
        r = subprocess.run([METIC, "cache", "prune", "-code-cache-size", "1k"], env=self.environment(), text=True, capture_output=True)
        self.assertRegex(r.stdout, r"^removed \d+ files, ")
        self.assertEqual(self.files(), [])
        self.assertEqual(self.run_guest(), want)

    def test_wrong_commands(self):
        for words, code in (["cache"], 2), (["cache", "warm"], 2), (["cache", "dance"], 2), (["cache", "warm", "/nowhere"], 1), \
                (["cache", "prune", "-code-cache-size", "x"], 2), (["-code-cache-size", "0", STATIC], 1):
            r = subprocess.run([METIC, *words], env=self.environment(), text=True, capture_output=True)
            self.assertEqual(r.returncode, code, words)
            self.assertEqual(len(r.stderr.splitlines()), 1, words)

    def test_libraries_come_and_go(self):
        want = self.run_guest("100", "libraries", program=DYNAMIC, METIC_CODE_CACHE="off")
        for _ in range(4):
            self.assertEqual(self.run_guest("100", "libraries", program=DYNAMIC), want)
        self.assertGreater(self.stats["files of the disk cache"], 100)  # the library's each time it comes

    def test_aborted(self):
        for _ in range(2):
            r = subprocess.run([METIC, STATIC, "1", "abort"], env=self.environment(), text=True, capture_output=True,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
            self.assertEqual((r.stdout, r.returncode), (self.answer(), -signal.SIGABRT))
        self.run_guest()  # (its end is new: what abort() leaves out)
        self.assertEqual(self.stats["files of the disk cache"], 1)
        self.check_warm()

    def test_executes_beside_threads(self):
        """What a process has made with several threads is there for the program that it executes."""
        want = 2 * self.answer()
        self.run_guest()
        self.assertEqual(self.run_guest("1", "execute"), want)
        self.assertEqual(self.stats["files of the disk cache"], 1)
        self.assertGreater(self.stats["units found on disk"], 50)  # (its end is new)

    def waiting(self, before=()):
        """A process that has printed its answer and waits for its standard input to end."""
        p = subprocess.Popen([*before, METIC, STATIC, "1", "wait"], env=self.environment(), text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, start_new_session=True)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.wait, 20)
        self.addCleanup(p.stdin.close)
        self.assertEqual(p.stdout.readline(), self.answer())
        return p

    def test_ended_by_signals(self):
        for signo in signal.SIGTERM, signal.SIGPIPE, signal.SIGHUP:
            shutil.rmtree(self.cache, ignore_errors=True)
            self.run_guest()
            self.assertEqual([p.stat().st_size for p in self.files()], [0])
            p = self.waiting()
            p.send_signal(signo)
            self.assertEqual((p.stdout.read(), p.wait(20)), ("", -signo))
            self.assertEqual([p.stat().st_size > 0 for p in self.files()], [True], signo)
            self.run_guest()  # (its end is new)
            self.assertEqual(self.stats["files of the disk cache"], 1)
            self.check_warm()

    def test_killed_at_once(self):
        self.run_guest()
        p = self.waiting()
        p.kill()
        self.assertEqual(p.wait(20), -signal.SIGKILL)
        self.assertEqual([p.stat().st_size for p in self.files()], [0])

    def test_first_process_is_spared(self):
        """The kernel does not end it by signals that it has no handler for, as it would if metic had one."""
        for before in (["unshare", "--pid", "--fork"], ["unshare", "--user", "--map-root-user", "--pid", "--fork"]):
            if not subprocess.run([*before, "true"], capture_output=True).returncode:
                break
        else:
            self.skipTest("needs a pid namespace")
        p = self.waiting(before)
        child = pathlib.Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
        self.assertEqual(len(child), 1)
        os.kill(int(child[0]), signal.SIGTERM)
        time.sleep(0.2)
        self.assertIsNone(p.poll())
        p.stdin.close()
        self.assertEqual(p.wait(20), 0)

    def test_two_metics(self):
        want = self.answer()
        data = bytearray(pathlib.Path(METIC).read_bytes())
        note = data.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")
        data[note + 16] ^= 1
        other = self.folder / "metic"
        other.write_bytes(data)
        other.chmod(0o755)
        for metic in 2 * [METIC, str(other)]:
            self.assertEqual(self.run_guest(metic=metic), want)
            self.assertEqual(self.stats["files of the disk cache"], 0)
        for metic in METIC, str(other):
            self.assertEqual(self.run_guest(metic=metic), want)
            self.assertEqual(self.stats["files of the disk cache"], 1)
        self.assertEqual(len(self.files()), 2)

    def test_set_user_id(self):
        if os.getuid():
            self.skipTest("needs root")
        want = self.answer()
        metic = self.folder / "metic"
        shutil.copy(METIC, metic)
        program = shutil.copy(STATIC, self.folder)  # the build folder may be out of the user's reach
        os.chmod(self.folder, 0o755)
        os.chown(metic, 12345, 12345)
        os.chmod(metic, 0o4755)
        self.cache.mkdir(0o777)
        os.chmod(self.cache, 0o777)
        self.assertEqual(self.run_guest(metic=str(metic), program=program), want)
        self.assertEqual(list(self.cache.iterdir()), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
