#!/usr/bin/env bash
# check_install.sh BUILD-DIR COMPILER: installs into a folder of its own and builds consumer.c against
# it by pkg-config and by find_package.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 compiler=$2
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'echo "check_install.sh, line $LINENO: this failed" >&2' ERR

quietly() { # COMMAND...: its output only if it fails
    "$@" >"$root/log" 2>&1 || {
        cat "$root/log" >&2
        return 1
    }
}

quietly cmake --install "$build" --prefix "$root/prefix"
library=$(find "$root/prefix" -name 'libwinnow.so')
packages=$(dirname "$(find "$root/prefix" -name winnow.pc)")
version=$(sed -n 's/^Version: //p' "$packages/winnow.pc")

# What winnow.pc says is the prefix that was configured; here it lies elsewhere.
pkg() {
    PKG_CONFIG_PATH=$packages pkg-config --define-variable=prefix="$root/prefix" "$@" winnow
}
read -ra flags <<<"$(pkg --cflags --libs)"
"$compiler" -std=c11 -Wall -Wextra -Werror "$here/consumer.c" "${flags[@]}" -o "$root/by-pkg"
[ "$(LD_LIBRARY_PATH=$(dirname "$library") "$root/by-pkg")" = "winnow $version" ]
[ "$(pkg --variable=plugin)" -ef "$library" ] # the path for dlopen

quietly cmake -G Ninja -S "$here/project" -B "$root/project" -DCMAKE_PREFIX_PATH="$root/prefix" \
    -DCMAKE_C_COMPILER="$compiler"
quietly cmake --build "$root/project"
[ "$("$root/project/consumer")" = "winnow $version" ]

# The installed command line finds its library beside it; two headers are there and no others.
"$root/prefix/bin/winnow" stages >"$root/log"
grep -q evs "$root/log"
[ "$(find "$root/prefix/include" -type f | sort | xargs -n1 basename | tr '\n' ' ')" = \
    "winnow.h winnow_vulkan.h " ]
echo "winnow $version: installed, found and used"
