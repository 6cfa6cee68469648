"""RISC-V: which instances of a pattern can be executed alone, and what their operands must be. See ../insn.py."""

import re

TABLES = [(32, ["targets/riscv/insn32.decode"]), (16, ["targets/riscv/insn16.decode"])]
COMPILER = "riscv64-linux-gnu"
CFLAGS = ["-march=rv64gc", "-mabi=lp64", "-mcmodel=medany", "-Wl,--no-relax"]
# One instruction at a time: of neighbours the peer may drop one whose result is dead but not its exception flags.
PEER_OPTIONS = "-cpu max -one-insn-per-tb"
LLVM = ["--triple=riscv64", "-mattr=+m,+a,+f,+d,+c,+zfh,+zba,+zbb,+zbs,+zbc,+zbkb,+zbkc,+zbkx,+zknd,+zkne,+zknh"]
REGISTER_FIELDS = (7, 15, 20, 27, 2)  # bit positions
NOP = 0x13
COUNTER = 30

EXEMPT = {
    "ECALL": "leaves the program: tests/linux",
    "CBO_CLEAN|CBO_FLUSH|CBO_INVAL": "whether programs may use them is the kernel's choice; they have no result",
    "C_RESERVED|C_ZCB": "no instructions: what is undefined inside other patterns",
    "EBREAK": "the signal's details are for tests/linux",
}

ALIGNED, SIGNED, COMPARE, WORDS = 1, 2, 4, 8
MEMORY, JUMP = 1, 2
STUB_REGISTER = 31
CSRS = (1, 2, 3)  # fflags, frm, fcsr; the counters differ from run to run


def width_of(word):
    return 32 if word & 3 == 3 else 16


def is_jump(case):
    return re.fullmatch("JAL|BEQ|BNE|BLTU?|BGEU?", case.pattern) is not None


def touches(word, register):
    """Whether some register field of the word may be the register."""
    if word & 3 == 3:
        return any(word >> pos & 31 == register for pos in (7, 15, 20, 27))
    return register in (2, word >> 7 & 31, word >> 2 & 31, 8 + (word >> 7 & 7), 8 + (word >> 2 & 7))


def writes_base(case):
    return case.word & 3 == 3 and case.word >> 7 & 31 == case.base or case.word & 3 != 3 and 8 + (case.word >> 2 & 7) == case.base


def harmless(case):
    """Memory instructions that need not access memory: cache operations, stores without a reservation."""
    return case.pattern.startswith("CBO_") or case.pattern == "SC"


def loop_end(n, rng):
    """Counts down and goes back by n instructions: ADDI, BNE."""
    offset = -4 * (n + 1)
    bits = (offset >> 12 & 1) << 31 | (offset >> 5 & 63) << 25 | (offset >> 1 & 15) << 8 | (offset >> 11 & 1) << 7
    return [0xfff00013 | COUNTER << 15 | COUNTER << 7, bits | COUNTER << 15 | 0x1063]


def make(w, case, rng):
    """Adapts the word and completes the case, or returns None when this instance can't be executed."""
    name = w.pattern.name
    if "rd" in w and w.number("rd") == STUB_REGISTER:
        return None
    if name == "JALR":
        case.kind, case.base = JUMP, w.number("rs1")
        case.adjust = (w["imm"] ^ 0x800) - 0x800 if width_of(w.word) == 32 else w["imm"]
        return case if 0 < case.base < STUB_REGISTER else None
    if re.fullmatch("JAL|BEQ|BNE|BLTU?|BGEU?", name):
        w["imm"] = 4  # to exit_taken, in units of two bytes
        return case
    if name.startswith("CSRR"):
        w["csr"] = rng.choice(CSRS)
        return case
    if re.fullmatch("F?L[BHWD]U?|F?S[BHWD]|LR|SC|AMO.*|CBO_.*", name):
        case.kind, case.base = MEMORY, w.number("rs1")
        if not 0 < case.base < STUB_REGISTER:
            return None
        if "imm" in w and width_of(w.word) == 32:
            w["imm"] = (w["imm"] & 1023) - 512
        if re.match("LR|SC|AMO", name):
            case.flags = ALIGNED
        if name == "SC" and rng.randrange(2):
            # LR of the same size before every second one makes it succeed
            loaded = next(r for r in range(5, 31) if r not in (w.number("rs1"), w.number("rs2")))
            case.prefix = [0x1000002f | w.word & 0xff000 | loaded << 7]
    return case
