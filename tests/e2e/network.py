#!/usr/bin/env python3
"""Debian's ip, ss, bridge, tc, nft, iptables, conntrack, ethtool and iw of a guest against the same programs of amd64 run natively, in a
network namespace of their own: what they show is the same, and what the guest's sets up is there for the native ones.

    network.py arm64|riscv64
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import roots  # noqa: E402

SKIPPED = 77  # to meson
PACKAGES = ["libc-bin", "iproute2", "nftables", "iptables", "conntrack", "ethtool", "iw"]
SHOWN = [
    "ip addr", "ip -d link", "ip -s link", "ip -j -d addr", "ip -o -4 addr", "ip route", "ip route show table all", "ip -6 route",
    "ip rule", "ip neigh", "ip maddr", "ip netconf", "ip -d route get 10.1.2.9", "ip tuntap", "ss -tlnp", "ss -ulnp", "ss -xlp",
    "ss -tlnm", "ss -w -a -n", "ss -0 -a -n", "ss -s",
    "ss -tunap -e -i -m", "ss -tin state established", "ss -xaep", "ss -tn dport = :4711", "ip -s -s -d link", "ip -br addr", "ip netns", "ip tunnel",
    "ip nexthop", "ip addrlabel", "ip ntable", "ip mptcp endpoint", "ip mptcp limits", "ip token", "ip tcp_metrics", "ip mroute", "ip vrf",
    "ip xfrm state", "ip xfrm policy", "ip -s xfrm state", "ip netconf show dev left", "ip -6 addr show dev left", "ip -4 route get 192.168.7.7",
    "bridge link", "bridge -d link", "bridge fdb", "bridge vlan", "bridge mdb", "bridge -j fdb", "tc qdisc", "tc -s -d qdisc", "tc -d class show dev right",
    "tc -j qdisc", "tc filter show dev right", "genl ctrl list", "devlink dev", "nft list ruleset", "nft -a list ruleset", "nft -j list ruleset",
    "nft list tables", "nft list set inet metic ports", "nft list hooks", "xtables-nft-multi iptables-save", "xtables-nft-multi iptables -L -n -v",
    "xtables-legacy-multi iptables -t nat -L -n", "xtables-legacy-multi iptables-save", "conntrack -L", "conntrack -S", "conntrack -C",
    "ethtool left", "ethtool -i left", "ethtool -k left", "ethtool -S left", "ethtool -l left", "ethtool -P left", "ethtool -T left",
    "ethtool -a left", "ethtool --json -k tap7", "ethtool -i tap7", "ethtool nothing7", "iw dev", "iw list", "iw reg get",
]
# Of these programs, which end with an error where the kernel lacks a kind of device, no set-up is needed to go well.
OPTIONAL = ("tc", "ip xfrm", "nft", "xtables", "bridge", "ip link add bridge9", "ip link set right master")
SET_UP = [
    "ip link set lo up", "ip link add left type veth peer name right", "ip addr add 10.1.2.3/24 dev left",
    "ip -6 addr add fd00::1/64 dev left nodad", "ip link set left up", "ip link set right up mtu 1400",
    "ip route add 192.168.7.0/24 via 10.1.2.1", "ip neigh add 10.1.2.9 lladdr 02:00:00:00:00:09 dev left nud permanent",
    "ip rule add from 10.9.0.0/16 table 77", "ip route add blackhole 10.9.0.0/16 table 77", "ip tuntap add dev tap7 mode tap",
    "ip link add bridge9 type bridge ageing_time 12300", "ip link set right master bridge9", "bridge fdb add 02:00:00:00:00:07 dev right master static",
    "bridge link set dev right cost 7", "tc qdisc add dev left root tbf rate 1mbit burst 10kb latency 50ms",
    "tc qdisc add dev right root handle 1: htb default 10", "tc class add dev right parent 1: classid 1:10 htb rate 5mbit ceil 9mbit",
    "ip xfrm state add src 10.1.2.3 dst 10.1.2.4 proto esp spi 0x1234 mode tunnel auth hmac(sha256) 0x" + 64 * "5"
    + " enc cbc(aes) 0x" + 32 * "7",
    "ip xfrm policy add src 10.1.3.0/24 dst 10.1.4.0/24 dir out tmpl src 10.1.2.3 dst 10.1.2.4 proto esp mode tunnel",
    "nft add table inet metic", "nft add chain inet metic some", "nft add set inet metic ports { type inet_service ; flags interval ; elements = { 22, 80-90, 443 } ; }",
    "nft add map inet metic to { type ipv4_addr : verdict ; }", "nft add rule inet metic some tcp dport @ports counter accept comment '\"words of it\"'",
    "nft add rule inet metic some ip saddr 10.0.0.0/8 ct state established,related limit rate 5/second log prefix '\"seen:\"' drop",
    "nft add chain inet metic in { type filter hook input priority 5 ; policy accept ; }", "nft add rule inet metic in iifname nothing7 jump some",
    "nft add counter inet metic counted", "nft add table ip metic-nat",
    "nft add chain ip metic-nat post { type nat hook postrouting priority 100 ; }", "nft add rule ip metic-nat post oifname nothing7 masquerade",
    "xtables-nft-multi iptables -A FORWARD -p tcp --dport 99 -m comment --comment spoken -j ACCEPT",
    "xtables-legacy-multi iptables -A FORWARD -p udp --sport 7:9 -j DROP",
    "conntrack -I -s 10.1.2.3 -d 10.1.2.9 -p udp --sport 5 --dport 6 -t 10000", "ip netns add metic7",
    "ip nexthop add id 5 via 10.1.2.1 dev left", "ip mptcp endpoint add 10.1.2.3 dev left subflow",
]
TAKE_DOWN = ["ip mptcp endpoint flush", "ip nexthop flush", "ip netns del metic7", "conntrack -D -p udp", "nft flush ruleset", "xtables-legacy-multi iptables -F", "ip xfrm state flush",
             "ip xfrm policy flush", "ip link del bridge9", "ip route del blackhole 10.9.0.0/16 table 77", "ip link del left", "ip rule del table 77", "ip link del tap7"]


def command(words, native):
    """The words' program of the guest's root, by metic; or of amd64's."""
    name, *rest = shlex.split(words)
    where = next(p for p in ("usr/bin", "usr/sbin", "bin", "sbin") for r in [native_root] if (r / p / name).exists())
    if native:
        libraries = ":".join(str(native_root / p) for p in ("usr/lib/x86_64-linux-gnu", "usr/lib"))
        return [str(native_root / "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), "--library-path", libraries, str(native_root / where / name), *rest]
    return [roots.metic(), "-L", str(guest_root), str(guest_root / where / name), *rest]


# What passes by itself: times, ages, and the numbers that the kernel gives to what is made anew.
PASSING = re.compile(r"\b(lastsnd|lastrcv|lastack|rtt|minrtt|rcv_rtt|busy|pacing_rate|delivery_rate|send|timer|dsack_dups|used|unreachable)[: ]?\(?[\d./a-zA-Z]+\)?|"
                     r"\w+_timer\"?[: ]+[\d.]+|(?<=expires )\d+sec|\b(lastuse|use|add|ino|sk|updated|reach|delay|ageing|ref)[: ]\S+|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\b10000\b|\b999\d\b")


def run(words, native):
    variables = dict(os.environ, XTABLES_LIBDIR=str(native_root / "usr/lib/x86_64-linux-gnu/xtables")) if native else None
    p = subprocess.run(command(words, native), capture_output=True, text=True, timeout=120, env=variables)
    return p.returncode, PASSING.sub("...", p.stdout), p.stderr


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
made += [socket.create_connection(("127.0.0.1", 4711)), made[0].accept()]
x = socket.socket(socket.AF_UNIX); x.bind("\\0metic-network"); x.listen()
print(flush=True); sys.stdin.read()"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    sockets.stdout.readline()
    for native in (True, False):
        for words in SET_UP[1:]:
            code, out, errors = run(words, native)
            if code and (not words.startswith(OPTIONAL) or run(words, True)[0] == 0): # the kernel can't, or the guest
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
# A /run of its own: the names of `ip netns` are files there, which would outlive a run that is ended early.
sys.exit(subprocess.run([*unshare, "sh", "-c", 'mount -t tmpfs tmpfs /run && { mount -t sysfs sysfs /sys 2>/dev/null; exec "$@"; }', "sh",
                         sys.executable, __file__, guest, "inside"]).returncode)
