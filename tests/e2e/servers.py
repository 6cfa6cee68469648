#!/usr/bin/env python3
"""nginx and PostgreSQL of Debian's arm64 and riscv64 under metic, asked by this machine's own curl and pgbench.

usage: servers.py GUEST
"""
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
sys.path.insert(0, str(HERE))
import roots  # noqa: E402
import run  # noqa: E402

NOBODY = 65534
NGINX = """worker_processes 2;
daemon off;
pid {work}/pid;
error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    gzip on;
    gzip_types *;
    client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
    server {{ listen 127.0.0.1:{port}; root {work}/files; }}
}}
"""
QUERIES = """select count(*), sum(abalance) = (select coalesce(sum(delta), 0) from pgbench_history) from pgbench_accounts;
select sum(bbalance) = (select sum(tbalance) from pgbench_tellers) from pgbench_branches;
set jit = on; set jit_above_cost = 0; set jit_inline_above_cost = 0; set jit_optimize_above_cost = 0;
select sum(i * i % 7)::bigint, avg(i)::numeric(12, 3), max(md5(i::text)) from generate_series(1, 20000) i where i % 3 <> 0;
select relname, reltuples >= 0 from pg_class where relname like 'pgbench%' order by relname limit 3;
"""
NUMBERS = [i for i in range(1, 20001) if i % 3]
ANSWERS = f"""200000|t
t
{sum(i * i % 7 for i in NUMBERS)}|{sum(NUMBERS) / len(NUMBERS):.3f}|{max(hashlib.md5(b"%d" % i).hexdigest() for i in NUMBERS)}
pgbench_accounts|t
pgbench_accounts_pkey|t
pgbench_branches|t
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, ready, server, seconds=120):
    end = time.monotonic() + seconds
    while not ready():
        if server.poll() is not None or time.monotonic() > end:
            sys.exit(f"{what} does not answer (exit code {server.poll()})")
        time.sleep(0.1)


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Place:
    """A root with a folder of its own in /tmp for one run, which is the user nobody's."""

    def __init__(self, guest, packages):
        self.guest = guest
        self.root = roots.root(guest, "servers", packages)
        roots.configure(self.root)
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="servers-", dir=self.root / "tmp"))
        self.inside = "/" + str(self.work.relative_to(self.root))
        os.chown(self.work, NOBODY, NOBODY)

    def words(self, words):
        """The command as nobody in the root: of a guest by metic."""
        enter = run.CHROOT if self.guest == run.NATIVE else [roots.metic(), "run", "--root"]
        return [*enter, self.root, "/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                "/usr/bin/env", "-i", "-C", self.inside, f"HOME={self.inside}", "LC_ALL=C.UTF-8",
                "PATH=/usr/lib/postgresql/17/bin:/usr/bin:/usr/sbin", *words]

    def start(self, *words):
        return subprocess.Popen(list(map(str, self.words(words))), stdin=subprocess.DEVNULL, start_new_session=True)

    def run(self, *words, given=None):
        return subprocess.run(list(map(str, self.words(words))), input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)

    def output(self, *words, given=None):
        r = self.run(*words, given=given)
        if r.returncode:
            sys.exit(f"{words[0]} ends with {r.returncode}:\n{r.stdout.decode(errors='replace')}")
        return r.stdout

    def process(self, server, pid_file):
        """The number here of the server's descendant whose number in there, in a namespace of its own, is in the file."""
        inside, family = (self.work / pid_file).read_text().split()[0], [server.pid]
        for pid in family:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            if next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1] == inside:
                return pid
            family += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        sys.exit(f"no process {inside} of {pid_file}")


def same(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, not {wanted!r}")


def ends(what, server, pid, signo):
    os.kill(pid, signo)
    same(f"{what}'s exit code", server.wait(60), 0)


def web(server_place, client):
    port, files = free_port(), server_place.work / "files"
    files.mkdir()
    big = bytes(range(256)) * 40000
    (files / "big").write_bytes(big)
    (files / "text").write_text("".join(f"line {i}\n" for i in range(20000)))
    (server_place.work / "conf").write_text(NGINX.format(work=server_place.inside, port=port))
    server = server_place.start("nginx", "-c", server_place.inside + "/conf")
    try:
        until("nginx", lambda: listens(port), server)
        url = f"http://127.0.0.1:{port}/"
        for _ in range(5):
            same("a file", hashlib.sha256(client.output("curl", "-sf", url + "big")).digest(), hashlib.sha256(big).digest())
        same("a range", client.output("curl", "-sf", "-r", "1000-1999", url + "big"), big[1000:2000])
        same("compressed text", client.output("curl", "-sf", "--compressed", url + "text"), (files / "text").read_bytes())
        same("many at once", client.output("curl", "-sf", "--parallel", "-o", "/dev/null", "-w", "%{size_download}\n", url + "big?[1-40]"),
             b"%d\n" % len(big) * 40)
        same("what is missing", client.output("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url + "none"), b"404")
        ends("nginx", server, server_place.process(server, "pid"), signal.SIGQUIT)
    finally:
        server.poll() is None and os.killpg(server.pid, signal.SIGKILL)


def database(server_place, client):
    port = free_port()
    data = server_place.inside + "/data"
    server_place.output("initdb", "-A", "trust", "-U", "nobody", "-D", data)
    server = server_place.start("postgres", "-D", data, "-p", port, "-k", server_place.inside, "-h", "127.0.0.1")
    try:
        until("PostgreSQL", lambda: client.run("pg_isready", "-h", "127.0.0.1", "-p", port).returncode == 0, server)
        where = ["-h", "127.0.0.1", "-p", port, "-U", "nobody"]
        client.output("pgbench", *where, "-q", "-i", "-s", "2", "postgres")
        out = client.output("pgbench", *where, "-n", "-c", "4", "-j", "2", "-t", "250", "postgres").decode()
        same("pgbench", "number of transactions actually processed: 1000/1000" in out and "failed transactions: 0 " in out, True)
        out = client.output("psql", *where, "-qAtX", "postgres", given=QUERIES.encode()).decode()
        same("queries", out, ANSWERS)
        ends("PostgreSQL", server, server_place.process(server, "data/postmaster.pid"), signal.SIGINT)
    finally:
        server.poll() is None and os.killpg(server.pid, signal.SIGKILL)


def main():
    if os.getuid():
        print("skipped: needs to be root, who can be nobody: PostgreSQL and nginx are not run by others' roots")
        sys.exit(77)
    packages = "bash dash coreutils libc-bin util-linux postgresql-17 nginx-light".split()
    places = [Place(sys.argv[1], packages), Place(run.NATIVE, [*packages, "curl"])]
    try:
        web(*places)
        database(*places)
    finally:
        for place in places:
            shutil.rmtree(place.work, ignore_errors=True)


main()
