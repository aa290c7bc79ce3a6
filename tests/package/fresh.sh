#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs inside a fresh Debian, in a folder with the packages, first.c, example.h, a PDF file and CMakeLists.txt: installs,
# compiles against and uses them, removes them, and fails when anything stays behind.
set -eu
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
cd "$1"

strangers() { # every path that no package owns
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path "$PWD" -o -path /var/lib/dpkg \
        -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -print | sort >all
    cat /var/lib/dpkg/info/*.list | sort -u >owned
    sed -n 's,^/\(bin\|sbin\|lib\|lib64\)/,/usr/\1/,p' owned | sort -u - owned >owned.merged
    comm -23 all owned.merged
}

strangers >before
apt-get install -q -y --no-install-recommends ./libshared0_*.deb ./libshared-dev_*.deb ./lex-intel_*.deb

echo "== pkg-config"
pkg-config --validate libshared
# shellcheck disable=SC2046  # flags are words
cc -std=c17 -Wall -Wextra -Werror first.c $(pkg-config --cflags --libs libshared) -o first-pkg-config
ldd first-pkg-config | grep 'libshared.so.0 => /'

echo "== CMake"
cmake -S . -B by-cmake >/dev/null
cmake --build by-cmake >/dev/null
for program in ./version-static by-cmake/version by-cmake/version-static; do
    # shellcheck disable=SC2046  # flags are words
    [ "$program" != ./version-static ] ||
        cc version.c "$(pkg-config --variable=libdir libshared)/libshared.a" \
            $(pkg-config --cflags libshared) $(pkg-config --static --libs libshared) -o version-static
    [ "$("$program")" = "$(pkg-config --modversion libshared)" ]
done

echo "== programs"
lex-intel --version
# No server is here: the doctor runs, and says so.
doctor=0
DATABASE_URL=postgresql://nobody@127.0.0.1:9/none REDIS_URL=redis://127.0.0.1:9/0 lex-intel doctor >doctor.txt 2>&1 ||
    doctor=$?
cat doctor.txt
[ "$doctor" -ne 0 ]
grep -qi 'refused' doctor.txt
extract=$(find /usr/lib -name lex-intel-extract)
"$extract" --version | grep -i 'pdfium'
if ldd "$extract" | grep 'not found'; then exit 1; fi
for unit in backend worker; do
    grep "ExecStart=/usr/bin/lex-intel-$unit" "/lib/systemd/system/lex-intel-$unit.service"
done
[ "$(stat -c %a /etc/lex-intel/lex-intel.env)" = 600 ]

echo "== purge"
apt-get purge -q -y lex-intel libshared-dev libshared0
rm -f /etc/passwd- /etc/group- # dpkg's own, of whatever packages do
strangers >after
comm -13 before after >left
cat left
[ ! -s left ]
echo "== fresh: all of it"
