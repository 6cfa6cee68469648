#!/bin/sh
# One object out of capstone's static library, its data in a section of its own (late_data).
# usage: latedata.sh CC... OUTPUT LIBDIR SYMBOL...   (OUTPUT is the word that ends in .o)
set -eu
compiler=
while case $1 in *.o) false ;; esac; do
    compiler="$compiler $1"
    shift
done
output=$1 libdir=$2
shift 2
wanted=
for symbol; do
    wanted="$wanted -Wl,-u,$symbol"
done
$compiler -nostdlib -r $wanted "$libdir/libcapstone.a" -o "$output"
sections=
for section in .data .data.rel .data.rel.local .data.rel.ro .data.rel.ro.local; do
    sections="$sections --rename-section $section=late_data"
done
objcopy $sections "$output"
