#!/bin/sh
# One object out of capstone's static library, its constant data with pointers in a section of its own (late_data).
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
objcopy --rename-section .data.rel.ro=late_data --rename-section .data.rel.ro.local=late_data "$output"
