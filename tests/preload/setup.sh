#!/usr/bin/env bash
# setup.sh [OUTDIR]: a stock llama.cpp for the tests of samples/preload, in OUTDIR (default:
# build/stock-llama of this checkout): Debian sid's packages, unpacked, never installed, with every
# library that they need, for those are newer than the host's. No root.
#
#   root/      the packages' files: usr/bin/llama-server, usr/include/mtmd.h, libmtmd.so, ...
#   launch     runs a program on them: launch [--preload LIBRARY] PROGRAM ARGUMENT...
#              (PROGRAM: a path, or a name in root/usr/bin)
#   version    of llama.cpp, one line
#
# What is there already is kept, so a second run is quick.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../build/stock-llama}
mkdir -p "$out"
out=$(cd "$out" && pwd)
log=$out/setup.log
packages=(llama.cpp-tools libllama-dev)
: >"$log"

# A sentence on stderr, and the end.
die() {
    echo "stock llama.cpp: $*" >&2
    exit 1
}

# apt with sources, lists, cache and an empty list of installed packages of our own: the resolver
# then names everything that is needed, libc included, and the system stays as it is. A mirror may
# be a snapshot of the past, whose lists have expired.
private_apt() {
    local command=$1
    shift
    "$command" -q \
        -o Dir::Etc::sourcelist="$out/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$out/apt/lists" -o Dir::Cache="$out/apt/cache" \
        -o Dir::State::status="$out/apt/status" -o Acquire::Check-Valid-Until=false \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Sandbox::User=root "$@" </dev/null
}

# The mirror that the system uses, asked for sid.
write_private_sources() {
    local codename mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME-sid}") ||
        die "only Debian has these packages"
    # shellcheck disable=SC2016  # apt expands these, not the shell
    mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | awk -v suite="$codename" \
        '($1 == suite || $1 == "sid") && $2 == "main" {print $3; exit}')
    [ -n "$mirror" ] || die "apt has no source for $codename main (run apt-get update, or add one)"
    [ -e "$keyring" ] || die "$keyring is not there (install debian-archive-keyring)"
    rm -rf "$out/apt"
    mkdir -p "$out/apt/lists/partial" "$out/apt/cache/archives/partial"
    : >"$out/apt/status"
    echo "deb [signed-by=$keyring] $mirror sid main" >"$out/apt/sources.list"
}

needed_packages() {
    private_apt apt-get -s --no-install-recommends install "${packages[@]}" |
        awk '/^Inst/ {print $2}' | grep -Ev '^(debconf|wget|gcc-[0-9]+-base)$'
}

unpack() {
    local names deb
    private_apt apt-get update || return 1
    names=$(needed_packages) || return 1
    rm -rf "$out/root.part" "$out/debs"
    mkdir -p "$out/debs"
    # shellcheck disable=SC2086  # one word a package
    (cd "$out/debs" && private_apt apt-get download $names) || return 1
    for deb in "$out"/debs/*.deb; do
        dpkg -x "$deb" "$out/root.part" || return 1
    done
    basename "$out"/debs/llama.cpp-tools_*.deb |
        sed 's/^[^_]*_//; s/_[^_]*$//; s/^.*%3a//' >"$out/version"
    rm -rf "$out/debs" "$out/apt"
    mv "$out/root.part" "$out/root"
}

# Run by the packages' own dynamic loader, which is told where everything is: nothing of it is in
# the environment, so programs that it starts are the host's as usual. GGML finds its CPU backend
# by a path that is compiled in; the plainest build of it gives the same numbers everywhere.
write_launcher() {
    local libraries loader backend
    libraries=$(dirname "$(find "$out/root" -name libmtmd.so.0 -print -quit)")
    loader=$(find "$out/root" \( -name 'ld-linux-*.so.*' -o -name 'ld-linux.so.*' \) -print -quit)
    backend=$(find "$out/root" \( -name libggml-cpu-x64.so -o -name 'libggml-cpu-armv8.0_1.so' \
        -o -name libggml-cpu.so \) -print -quit)
    [ -n "$loader" ] && [ -n "$backend" ] || die "the packages have no loader or no CPU backend"
    cat >"$out/launch" <<END
#!/bin/sh
# launch [--preload LIBRARY] PROGRAM ARGUMENT...
preload=
if [ "\$1" = --preload ]; then
    preload="--preload \$2"
    shift 2
fi
case \$1 in
*/*) program=\$1 ;;
*) program=$out/root/usr/bin/\$1 ;;
esac
shift
export GGML_BACKEND_PATH=$backend
exec $loader --library-path $libraries:$libraries/llama \$preload "\$program" "\$@"
END
    chmod +x "$out/launch"
}

command -v apt-get >/dev/null && command -v dpkg >/dev/null || die "only Debian has these packages"
if [ ! -e "$out/root" ]; then
    write_private_sources
    if ! unpack >>"$log" 2>&1; then
        tail -n 8 "$log" >&2
        die "sid's llama.cpp cannot be had (the whole of it: $log)"
    fi
fi
write_launcher
said=$("$out/launch" llama-server --version 2>&1) || die "llama-server does not start: $said"
[ -e "$out/root/usr/include/mtmd.h" ] || die "libllama-dev has no mtmd.h"
echo "llama.cpp $(cat "$out/version"), $(du -sh "$out/root" | cut -f1)"
