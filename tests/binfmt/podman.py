#!/usr/bin/env python3
"""Podman and the container image of contrib/: podman.py METIC GUEST

The image, run with --privileged, registers and takes away again. With it, podman builds and runs images of the guest's
architecture, as root and as an ordinary user, all in a user namespace with a binfmt_misc of its own. Needs root, podman, crun.
"""

import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path[:0] = [str(HERE), str(TOP / "tools")]
import namespace  # noqa: E402
import roots  # noqa: E402

SMALL = "busybox bash dash coreutils grep sed gawk perl-base python3-minimal libc-bin".split()  # the root of tests/e2e
CLONE_NEWNET = 0x40000000
METIC, GUEST = os.path.abspath(sys.argv[1]), sys.argv[2]
CPU = roots.GUESTS[GUEST][0]
STEPS = """FROM localhost/base
RUN uname -m > /machine && bash -c 'for i in 1 2 3; do echo $i | sed s/^/n/; done' > /numbers
COPY word /word
RUN ["/usr/bin/python3", "-c", "open('/sum', 'w').write(str(sum(range(100))))"]
CMD ["sh", "-c", "cat /machine /numbers /word /sum; uname -m; id -u"]
"""
failures = []


class Podman:
    """One user's podman, with storage of its own in the folder."""

    def __init__(self, folder, **who):
        nofile, nproc = (min(limit, resource.getrlimit(what)[1]) for limit, what in ((1 << 20, resource.RLIMIT_NOFILE), (32768, resource.RLIMIT_NPROC)))
        self.folder, self.name = folder, "user" if who else "root"
        folder.mkdir()
        (folder / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/root"\n')
        (folder / "containers.conf").write_text(f'[containers]\ndefault_ulimits = ["nofile={nofile}:{nofile}", "nproc={nproc}:{nproc}"]\n')
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
        (folder / "xdg").mkdir(mode=0o700)
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "xdg"), "TMPDIR": str(folder),
               "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"), "CONTAINERS_CONF": str(folder / "containers.conf")}
        self.options = {"env": env, "cwd": folder, "stdin": subprocess.DEVNULL, **who}
        if who:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, who["user"], who["group"])

    def words(self, *words):
        return ["podman", "--cgroup-manager", "cgroupfs", "--events-backend", "none", *map(str, words)]

    def __call__(self, *words, **options):
        r = subprocess.run(self.words(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **{**self.options, **options})
        return r.returncode, r.stdout.strip()

    def run(self, *words):
        return self("run", "--rm", "--network", "host", "--cgroups", "disabled", *words)


def expect(what, got, code, *texts):
    if got[0] != code or any(t not in got[1] for t in texts):
        failures.append(what)
        print(f"{what}: expected {code} and {texts}, got {got}")


def entries():
    return sorted(f.name for f in namespace.FOLDER.iterdir() if f.name not in ("register", "status"))


def check_image(podman, context):
    """contrib/container, as a machine's administrator uses it; the registration stays."""
    image = "localhost/metic-binfmt"
    expect("the image", podman("build", "-t", image, context), 0, "COMMIT")
    expect("says who", podman.run("--privileged", image), 1, f"{CPU}: not registered")
    expect("no rights", podman.run("--cap-drop", "all", image, "install"), 1, "--privileged")
    expect("registers", podman.run("--privileged", image, "install"), 0, f"metic-{CPU}: {CPU} programs are run by")
    expect("there", (0, " ".join(entries())), 0, f"metic-{CPU}")
    expect("twice", podman.run("--privileged", image, "install"), 0, f"metic-{CPU}: ")
    expect("says that it is", podman.run("--privileged", image), 0, f"{CPU}: /usr/bin/metic (entry metic-{CPU}")
    expect("--uninstall", podman.run("--privileged", image, "--uninstall", "all"), 0, f"metic-{CPU}: removed")
    expect("nothing is left", (len(entries()), ""), 0)
    p = subprocess.Popen(podman.words("run", "--rm", "--network", "host", "--cgroups", "disabled", "--privileged", image, "hold"),
                         stdout=subprocess.PIPE, text=True, **podman.options)
    while line := p.stdout.readline():
        if f"{CPU} programs are run by" in line:
            break
    expect("held", (0, " ".join(entries())), 0, f"metic-{CPU}")
    p.send_signal(signal.SIGTERM)
    p.stdout.read()
    p.wait(60)
    expect("let go", (len(entries()), ""), 0)
    expect("--install", podman.run("--privileged", image, "--install", GUEST), 0, f"metic-{CPU}: {CPU} programs are run by")


def check_guest(podman, archive):
    who = podman.name
    with open(archive) as f:
        expect(f"{who}: import", podman("import", "--arch", GUEST, "-", "localhost/base", stdin=f), 0)
    expect(f"{who}: run", podman.run("--arch", GUEST, "localhost/base", "uname", "-m"), 0, CPU)
    context = podman.folder / "context"
    context.mkdir()  # its files may be read by all
    (context / "Containerfile").write_text(STEPS)
    (context / "word").write_text("a word\n")
    expect(f"{who}: build", podman("build", "--arch", GUEST, "--isolation", "chroot", "--network", "host", "-t", "localhost/steps", context), 0, "COMMIT")
    expect(f"{who}: what it built", podman.run("--arch", GUEST, "localhost/steps"), 0, f"{CPU}\nn1\nn2\nn3\na word\n4950{CPU}\n0")


def in_namespace(folder, archive):
    namespace.enter()
    namespace.mount()
    namespace.call("unshare", CLONE_NEWNET)  # whose /sys this namespace's root may mount
    if pathlib.Path("/sys/fs/cgroup/unified").is_dir():  # crun wants one kind of cgroups or the other
        namespace.bind("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
    user = namespace.ordinary_user()
    context = folder / "context"
    shutil.copytree(TOP / "contrib/container", context)
    shutil.copy(METIC, context / "metic")
    administrator = Podman(folder / "administrator")
    check_image(administrator, context)
    check_guest(administrator, archive)
    check_guest(Podman(folder / "ordinary", **user), archive)
    print(*failures, sep="\n")
    return len(failures) > 0


def main():
    if os.geteuid() or not shutil.which("podman") or not shutil.which("crun"):
        print("root, podman and crun are needed")
        return namespace.SKIP
    small = roots.root(GUEST, "small", SMALL)
    with tempfile.TemporaryDirectory(prefix="metic-podman-", dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        archive = folder / "root.tar"
        subprocess.run(["tar", "-C", small, "-cf", archive, "."], check=True)
        return namespace.in_child(in_namespace, folder, archive)


sys.exit(main())
