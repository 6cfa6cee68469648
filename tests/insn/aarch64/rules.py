"""A64: which instances of a pattern can be executed alone, and what their operands must be. See ../insn.py."""

import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "targets/aarch64"
TABLES = [(32, [FOLDER / name for name in re.findall(r"'([\w-]+\.decode)'", (FOLDER / "meson.build").read_text())])]
COMPILER = "aarch64-linux-gnu"
CFLAGS = ["-mgeneral-regs-only", "-march=armv8-a"]
# One instruction at a time: of neighbours the peer may drop one whose result is dead but not its exception flags.
PEER_OPTIONS = "-cpu neoverse-v1,pauth=off -one-insn-per-tb"
LLVM = ["--triple=aarch64", "-mattr=+v8.4a,+crypto,+fullfp16,+sb"]
REGISTER_FIELDS = (0, 5, 10, 16)  # bit positions
NOP = 0xd503201f
COUNTER = 29

EXEMPT = {
    "SVC": "leaves the program: tests/linux",
    "BRK": "the signal's details are for tests/linux",
    "SB": "the recorded processor lacks it; it has no result",
    "PAC_AUT|PACGA|XPAC|XPACLRI|BRAZ|BLRAZ|RETA|BRA|BLRA|LDRA": "results depend on keys, which every process has of its own",
}

ALIGNED, SIGNED, COMPARE, WORDS = 1, 2, 4, 8
MEMORY, JUMP = 1, 2
STUB_REGISTER = 30
LAST_INSTRUCTION = 2  # from the instruction under test to exit_taken, in words

# op0:op1:CRn:CRm:op2 less the high bit of op0: NZCV, FPCR, FPSR; the others differ from processor to processor
SYSTEM_REGISTERS = (0x5a10, 0x5a20, 0x5a21)
ID_REGISTERS = 0x4020  # of EL1, from ID_AA64PFR0_EL1 on; Linux lets programs read them
DC_ZVA = (3, 7, 4, 1)


def width_of(word):
    return 32


def is_jump(case):
    return re.fullmatch("B|BL|B_cond|CBN?Z|TBN?Z", case.pattern) is not None


def touches(word, register):
    """Whether some register field of the word may be the register."""
    return any(word >> pos & 31 == register for pos in REGISTER_FIELDS)


def writes_base(case):
    return case.word & 31 == case.base or re.match("LDP|LDST_(imm|multi|one)|LDR_rep", case.pattern) is not None


def harmless(case):
    """Memory instructions that need not access memory: prefetches, cache operations, stores without a reservation."""
    prefetch = re.fullmatch("LDST_(imm|uimm|reg)", case.pattern) and case.word >> 22 & 0x313 == 0x302
    return prefetch or case.pattern in ("SYS", "STXR", "STXP")


def loop_end(n, rng):
    """Counts down and goes back by n instructions."""
    if rng.randrange(2):
        return [0xf1000400 | COUNTER << 5 | COUNTER, 0x54000001 | (-(n + 1) & 0x7ffff) << 5]  # SUBS, B.NE
    return [0xd1000400 | COUNTER << 5 | COUNTER, 0xb5000000 | (-(n + 1) & 0x7ffff) << 5 | COUNTER]  # SUB, CBNZ


def writes_back(w):
    if "w" in w:
        return w["w"] != 0
    return w.pattern.name.endswith("_post")


def memory(w, case, rng):
    """The base register gets the address of the scratch memory; large offsets are cut."""
    name = w.pattern.name
    case.kind, case.base = MEMORY, w["rn"]
    registers = [w[r] for r in ("rt", "rt2", "rs") if r in w]
    if w["rn"] == STUB_REGISTER:
        return None
    if name.startswith("LDST_uimm"):
        w["imm"] = w["imm"] & 63
    if name.startswith("LDST_reg"):
        if w["rm"] in (w["rn"], STUB_REGISTER):
            return None
        if w["rm"] != 31:
            case.index = w["rm"]
        case.flags = SIGNED if w["option"] >= 6 or w["option"] == 3 else 0
    if name in ("LDST_imm", "LDP_STP") and writes_back(w) and w["rn"] in registers and w["rn"] != 31:
        return None  # CONSTRAINED UNPREDICTABLE
    if name.startswith("LDP_STP") and w["l"] and w["rt"] == w["rt2"]:
        return None
    if name in ("LDXP",) and w["rt"] == w["rt2"]:
        return None
    if name in ("STXR", "STXP"):
        if w["rs"] in (w["rt"], w["rn"]) or w["rs"] == w["rt2"] and name == "STXP":
            return None
        # A load-exclusive before every second one makes it succeed
        if rng.randrange(2):
            loaded = next(r for r in range(30) if r not in (w["rn"], w["rs"], w["rt"], w["rt2"]))
            prefix = (w.word & 0xc03fffe0 | 0x08400000 | 0x1f0000 | 0x7c00) & ~0x8000 | loaded
            if name == "STXP":
                prefix = prefix & ~0x7c00 | (loaded + 1 if loaded < 29 else 31) << 10
                if (loaded + 1) in (w["rn"], w["rs"], w["rt"], w["rt2"]):
                    return None
            case.prefix = [prefix]
    if name in ("CAS", "CASP"):
        if w["rs"] >= 29 or w["rn"] in (w["rs"], w["rs"] + 1):
            return None
        case.index, case.flags = w["rs"], COMPARE | (WORDS if name == "CASP" and not w["s"] else 0)
    if re.fullmatch("ST?L?XR|STXP|LDXR|LDXP|STLR|LDAR|LDAPR|CASP?|LD(ADD|CLR|EOR|SET|[SU]M(AX|IN))|SWP", name):
        case.flags |= ALIGNED
    if w.pattern.name.startswith(("LD1", "ST1", "LD", "ST")) and "rm" in w and case.index == 255 and w["rm"] == STUB_REGISTER:
        return None
    return case


def make(w, case, rng):
    """Adapts the word and completes the case, or returns None when this instance can't be executed."""
    name, chapter = w.pattern.name, w.pattern.chapter.lower()
    w.word |= w.ignored()  # should-be-one bits
    if name == "SYS":
        w["op1"], w["crn"], w["crm"], w["op2"] = DC_ZVA
        case.kind, case.base = MEMORY, w["rt"]
        return case if w["rt"] < STUB_REGISTER else None
    if name in ("MRS", "MSR_reg"):
        w["reg"] = rng.choice(SYSTEM_REGISTERS)
        if name == "MRS" and rng.randrange(3) == 0:  # one that can be read, or not, into nowhere
            w["reg"], w["rt"] = ID_REGISTERS + rng.randrange(4 * 8), 31
        return case
    if name == "HINT":
        w["crm"] = w["crm"] & 3  # further hints belong to extensions that the guest does not have
        return case
    if name in ("LDR_lit", "LDR_lit_v"):
        w["imm"] = w["imm"] & 3
        return case
    if "load" in chapter or name == "LDST":
        return memory(w, case, rng) if "rn" in w else case
    if name in ("BR", "BLR", "RET"):
        case.kind, case.base = JUMP, w["rn"]
        return case if w["rn"] < STUB_REGISTER else None
    if chapter.startswith("branches") and "imm" in w and name not in ("CLREX", "ISB"):
        w["imm"] = LAST_INSTRUCTION
    return case
