#!/usr/bin/env python3
"""Takes relocations that a program rarely needs out of its start-up.

usage: laterelocs.py LINKED OUTPUT

A static position-independent executable relocates itself before main(): every pointer in constant data costs a write, and
every page of them a fault. Tables of a library for debugging are most of that. What lies in sections named `late_data` is
left out here: the relocation table is sorted so that those entries come last, and the dynamic section ends it before
them. base/late.c applies them when they are needed.
"""
import pathlib
import shutil
import struct
import sys

R_X86_64_RELATIVE = 8
DT_RELA, DT_RELASZ, DT_RELACOUNT = 7, 8, 0x6ffffff9
RELA, DYN = 24, 16


def sections(image):
    """{name: (address, offset, size)} of a 64-bit little-endian ELF file."""
    shoff, = struct.unpack_from('<Q', image, 40)
    shentsize, shnum, shstrndx = struct.unpack_from('<HHH', image, 58)
    rows = [struct.unpack_from('<IIQQQQ', image, shoff + i * shentsize) for i in range(shnum)]
    names = rows[shstrndx][4]
    result = {}
    for name, _, _, address, offset, size in rows:
        end = image.index(b'\0', names + name)
        result[image[names + name:end].decode()] = (address, offset, size)
    return result


def main():
    linked, output = sys.argv[1:]
    with open(linked, 'rb') as f:
        image = bytearray(f.read())
    s = sections(image)
    start, _, size = s['late_data']
    rela_at, rela, rela_size = s['.rela.dyn']
    entries = [bytes(image[at:at + RELA]) for at in range(rela, rela + rela_size, RELA)]

    def is_late(entry):
        where, info, _ = struct.unpack('<QQq', entry)
        return info == R_X86_64_RELATIVE and start <= where < start + size

    early = [e for e in entries if not is_late(e)]
    late = [e for e in entries if is_late(e)]
    image[rela:rela + rela_size] = b''.join(early + late)
    if s['.rela.plt'][0] != rela_at + rela_size:
        sys.exit(f'{linked}: .rela.plt does not follow .rela.dyn, which marks the end of the late relocations')
    relative = 0
    while relative < len(early) and struct.unpack_from('<Q', early[relative], 8)[0] == R_X86_64_RELATIVE:
        relative += 1
    new = {DT_RELASZ: len(early) * RELA, DT_RELACOUNT: relative}
    _, dynamic, dynamic_size = s['.dynamic']
    for at in range(dynamic, dynamic + dynamic_size, DYN):
        tag, = struct.unpack_from('<Q', image, at)
        if tag in new:
            struct.pack_into('<Q', image, at + 8, new.pop(tag))
    if new:
        sys.exit(f'{linked}: no relocation table in the dynamic section')
    pathlib.Path(output).unlink(missing_ok=True) # it may be running
    with open(output, 'wb') as f:
        f.write(image)
    shutil.copymode(linked, output)


main()
