#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes the static library for users from the objects that unit tests link: one object in which what is
# hidden is local, so that a short name of ours never meets one of theirs.
# Arguments: compiler, objcopy, ar, input archive, output archive.
set -eu
compiler=$1 objcopy=$2 ar=$3 input=$4 output=$5
object=$output.o
# shellcheck disable=SC2086  # a compiler may come with words of its own: ccache gcc
$compiler -r -nostdlib -Wl,--whole-archive "$input" -Wl,--no-whole-archive -o "$object"
"$objcopy" --localize-hidden "$object"
rm -f "$output"
"$ar" rcs "$output" "$object"
rm -f "$object"
