#!/usr/bin/env bash
# setup.sh [OUTDIR]: the three software Vulkan drivers that the tests run on, as ICD manifests
# with absolute library paths in OUTDIR (default: build/drivers of this checkout).
#
#   lavapipe-22.json  Mesa as the distribution ships it (22.3 on Debian 12)
#   lavapipe-25.json  Mesa 25 or newer: the same where the distribution has it, or else unpacked,
#                     never installed, from the distribution's backports
#   swiftshader.json  SwiftShader, from Chromium's package
#
# WINNOW_DRIVERS names the ones to set up (default: all three). Each is proved with vulkaninfo;
# one that cannot be had is an error. What is there already is kept, so a second run is quick.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../build/drivers}
mkdir -p "$out"
out=$(cd "$out" && pwd)
unpacked=$out/mesa-25
log=$out/setup.log
failures=0
: >"$log"

# A sentence on stderr; the caller decides what fails with it.
complain() {
    echo "drivers: $*" >&2
}

write_icd() { # NAME LIBRARY API-VERSION
    printf '{\n  "file_format_version": "1.0.0",\n  "ICD": {\n%s\n%s\n  }\n}\n' \
        "    \"library_path\": \"$2\"," "    \"api_version\": \"$3\"" >"$out/$1.json"
}

packaged_file() { # PACKAGE NAME: the absolute path of a file that a package owns
    dpkg-query -L "$1" 2>/dev/null | grep "/$2\$" | head -n 1
}

system_mesa_major() {
    dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null | sed 's/^[0-9]*://; s/\..*//'
}

# apt with sources, lists and cache of our own: the system's lists stay as they are.
private_apt() {
    local command=$1
    shift
    "$command" -q \
        -o Dir::Etc::sourcelist="$out/apt/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$out/apt/lists" -o Dir::Cache="$out/apt/cache" \
        -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Sandbox::User=root "$@" </dev/null
}

# Writes our sources: the mirror that the system uses, once as it is and once for backports.
write_private_sources() { # CODENAME
    local mirror
    # shellcheck disable=SC2016  # apt expands these, not the shell
    mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' \
        'Created-By: Packages' | awk -v suite="$1" '$1 == suite && $2 == "main" {print $3; exit}')
    if [ -z "$mirror" ]; then
        complain "apt has no source for $1 main (run apt-get update, or add one)"
        return 1
    fi
    mkdir -p "$out/apt/lists/partial" "$out/apt/cache/archives/partial"
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg options=
    [ ! -e "$keyring" ] || options="[signed-by=$keyring] "
    printf "deb $options$mirror %s main\n" "$1" "$1-backports" >"$out/apt/sources.list"
}

# The backported driver and the libraries that the installed ones are too old for. The resolver
# also wants Mesa's OpenGL side kept in step, which no Vulkan driver loads.
backport_packages() { # CODENAME
    private_apt apt-get -s --no-install-recommends -t "$1-backports" install mesa-vulkan-drivers |
        awk '/^Inst/ {print $2}' | grep -Ev '^(mesa-libgallium|libegl|libgl|libgbm)|-dev$'
}

unpack_backport() { # CODENAME
    local packages deb
    write_private_sources "$1" || return 1
    private_apt apt-get update || return 1
    packages=$(backport_packages "$1") || return 1
    rm -rf "$unpacked.part" "$out/debs"
    mkdir -p "$out/debs"
    # shellcheck disable=SC2086  # one word a package
    (cd "$out/debs" && private_apt apt-get -t "$1-backports" download $packages) || return 1
    for deb in "$out"/debs/*.deb; do
        dpkg -x "$deb" "$unpacked.part" || return 1
    done
    find "$unpacked.part" -name 'libvulkan_*.so' ! -name libvulkan_lvp.so -delete
    mv "$unpacked.part" "$unpacked"
    rm -rf "$out/debs" "$out/apt"
    set_run_path "$(find_backport)"
}

# The unpacked libraries find each other by a run path in the driver, so that the manifest alone
# is enough: no environment, and the two Mesas can be loaded side by side.
set_run_path() { # LIBRARY
    patchelf --force-rpath --set-rpath "$(dirname "$1")" "$1" || return 1
    ! ldd -r "$1" 2>&1 | grep -E 'not found|undefined symbol'
}

find_backport() {
    find "$unpacked" -name libvulkan_lvp.so -print -quit 2>/dev/null
}

get_lavapipe_22() {
    local library
    library=$(packaged_file mesa-vulkan-drivers libvulkan_lvp.so)
    [ -n "$library" ] || {
        complain "no lavapipe (install mesa-vulkan-drivers)"
        return 1
    }
    write_icd lavapipe-22 "$library" 1.3.0
}

get_lavapipe_25() {
    local codename
    if [ "$(system_mesa_major)" -ge 25 ] 2>/dev/null; then
        write_icd lavapipe-25 "$(packaged_file mesa-vulkan-drivers libvulkan_lvp.so)" 1.4.0
        return
    fi
    if [ -z "$(find_backport)" ]; then
        codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
        if ! unpack_backport "$codename" >>"$log" 2>&1; then
            rm -rf "$unpacked"
            complain "no Mesa 25 from $codename-backports (the end of $log:)"
            tail -n 8 "$log" >&2
            return 1
        fi
    fi
    write_icd lavapipe-25 "$(find_backport)" 1.4.0
}

get_swiftshader() {
    local library
    library=$(packaged_file chromium-common libvk_swiftshader.so)
    [ -n "$library" ] || {
        complain "no SwiftShader (install chromium-common)"
        return 1
    }
    write_icd swiftshader "$library" 1.3.0
}

# The manifest must yield exactly the driver that its name promises.
verify() { # NAME EXPECTED-DRIVER-NAME
    local summary
    summary=$("$here/with-driver.sh" "$1" vulkaninfo --summary 2>>"$log") || true
    echo "$summary" >>"$log"
    awk -v want="$2" -v name="$1" -F ' *= *' '
        /apiVersion/ {split($2, api, " ")} /driverInfo/ {info = $2}
        /driverName/ && tolower($2) ~ want {found = 1}
        END {if (!found) exit 1; printf "%-12s Vulkan %s, %s\n", name, api[1], info}' \
        <<<"$summary" || {
        complain "$1: vulkaninfo does not show it (see $log)"
        return 1
    }
}

set_up() { # NAME EXPECTED-DRIVER-NAME
    case " ${WINNOW_DRIVERS:-$1} " in
    *" $1 "*) "get_${1//-/_}" && verify "$1" "$2" || failures=$((failures + 1)) ;;
    esac
}

export WINNOW_DRIVERS_DIR=$out
set_up lavapipe-22 llvmpipe
set_up lavapipe-25 llvmpipe
set_up swiftshader swiftshader
[ "$failures" -eq 0 ] || {
    complain "$failures of the drivers cannot be had"
    exit 1
}
