#!/usr/bin/env python3
"""Debian's ip and ss of a guest against the same programs of amd64 run natively, in a network namespace of their own: what they
show of links, addresses, routes and sockets is the same, and what the guest's sets up is there for the native ones.

    network.py arm64|riscv64
"""
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import roots  # noqa: E402

SKIPPED = 77  # to meson
PACKAGES = ["libc-bin", "iproute2"]
SHOWN = [
    "ip addr", "ip -d link", "ip -s link", "ip -j -d addr", "ip -o -4 addr", "ip route", "ip route show table all", "ip -6 route",
    "ip rule", "ip neigh", "ip maddr", "ip netconf", "ip -d route get 10.1.2.9", "ip tuntap", "ss -tlnp", "ss -ulnp", "ss -xlp",
    "ss -tlnm", "ss -w -a -n", "ss -0 -a -n", "ss -f netlink -H -n state all sport = rtnl:kernel", "ss -s",
]
SET_UP = [
    "ip link set lo up", "ip link add left type veth peer name right", "ip addr add 10.1.2.3/24 dev left",
    "ip -6 addr add fd00::1/64 dev left nodad", "ip link set left up", "ip link set right up mtu 1400",
    "ip route add 192.168.7.0/24 via 10.1.2.1", "ip neigh add 10.1.2.9 lladdr 02:00:00:00:00:09 dev left nud permanent",
    "ip rule add from 10.9.0.0/16 table 77", "ip route add blackhole 10.9.0.0/16 table 77", "ip tuntap add dev tap7 mode tap",
]
TAKE_DOWN = ["ip route del blackhole 10.9.0.0/16 table 77", "ip link del left", "ip rule del table 77", "ip link del tap7"]


def command(words, native):
    """The words' program of the guest's root, by metic; or of amd64's."""
    name, *rest = words.split()
    where = next(p for p in ("usr/bin", "usr/sbin", "bin", "sbin") for r in [native_root] if (r / p / name).exists())
    if native:
        libraries = ":".join(str(native_root / p) for p in ("usr/lib/x86_64-linux-gnu", "usr/lib"))
        return [str(native_root / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), "--library-path", libraries, str(native_root / where / name), *rest]
    return [roots.metic(), "-L", str(guest_root), str(guest_root / where / name), *rest]


def run(words, native):
    p = subprocess.run(command(words, native), capture_output=True, text=True, timeout=120)
    return p.returncode, p.stdout, p.stderr


def compare(what):
    failed = 0
    for words in SHOWN:
        for wait in (0, 0.05, 0.1, 0.2, 0.4, 0.8):  # the kernel's own doings may fall between the two: a router's advertisement,
            time.sleep(wait)                        # the end of sockets that were closed. A difference that stays is ours.
            want, got = run(words, True), run(words, False)
            if got == want or got == run(words, True):
                break
        else:
            failed += 1
            print(f"{words} {what}\n--- natively {want[0]}\n{want[1]}{want[2]}--- guest {got[0]}\n{got[1]}{got[2]}")
    return failed


def inside():
    failed = 0
    code, _, errors = run(SET_UP[0], True)
    if code:
        print(f"no links can be changed here: {errors}")
        return SKIPPED
    sockets = subprocess.Popen([sys.executable, "-c", """
import socket, sys
made = [socket.create_server(("127.0.0.1", 4711)), socket.create_server(("::1", 4712), family=socket.AF_INET6)]
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 4713))
x = socket.socket(socket.AF_UNIX); x.bind("\\0metic-network"); x.listen()
print(flush=True); sys.stdin.read()"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sockets.stdout.readline()
    for native in (True, False):
        for words in SET_UP[1:]:
            code, out, errors = run(words, native)
            if code:
                failed += 1
                print(f"{words}: {code} {out}{errors}")
        failed += compare(f"(set up {'natively' if native else 'by the guest'})")
        for words in TAKE_DOWN:
            run(words, not native)
    sockets.stdin.close()
    sockets.wait()
    print(f"{len(SHOWN)} commands compared twice, {failed} failed")
    return int(failed != 0)


guest = sys.argv[1]
guest_root, native_root = (pathlib.Path(roots.root(g, "network", PACKAGES)) for g in (guest, "amd64"))
if sys.argv[2:] == ["inside"]:
    sys.exit(inside())
unshare = ["unshare", "--net", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
if subprocess.run([*unshare, "true"], capture_output=True).returncode:
    print("no network namespaces here")
    sys.exit(SKIPPED)
sys.exit(subprocess.run([*unshare, "sh", "-c", 'mount -t sysfs sysfs /sys 2>/dev/null; exec "$@"', "sh",
                         sys.executable, __file__, guest, "inside"]).returncode)
