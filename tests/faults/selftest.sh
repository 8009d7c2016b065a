#!/usr/bin/env bash
# selftest.sh DRIVER LAYER-DIR PROBE: proves that the fault layer and with-driver.sh see what they
# should. Tests that rely on them could pass for nothing otherwise.
set -euo pipefail

driver=$1 probe=$3
with_driver=$(dirname "${BASH_SOURCE[0]}")/../drivers/with-driver.sh
report=$(mktemp)
trap 'rm -f "$report"' EXIT
export VK_ADD_LAYER_PATH=$2 VK_INSTANCE_LAYERS=VK_LAYER_WINNOW_faults
export WINNOW_FAULT_COUNT_FILE=$report
failures=0

check() { # WHAT EXPECTED ACTUAL
    [ "$2" = "$3" ] || {
        echo "$driver: $1: expected $2, not $3"
        failures=$((failures + 1))
    }
}

expect() { # STATUS NAME=VALUE... -- ARGUMENT-OF-PROBE...
    local want=$1 status=0 settings=()
    shift
    while [ "$1" != -- ]; do
        settings+=("$1")
        shift
    done
    shift
    : >"$report"
    output=$(env "${settings[@]}" "$with_driver" "$driver" "${validate[@]}" "$probe" "$@" 2>&1) ||
        status=$?
    check "${settings[*]} probe $*" "$want" "$status"
}

field() { # KEY: the rest of its first line in the report
    sed -n "s/^$1 //p" "$report" | head -n 1
}

validate=()
expect 0 --
calls=$(field calls)
check "leaks of a clean run" "" "$(field leaked)"
for ((n = 1; n <= calls; n++)); do
    expect 3 WINNOW_FAULT_NTH="$n" --
    check "call $n" "$n" "$(field failed | cut -d ' ' -f 2)"
    check "leaks after call $n failed" "" "$(field leaked)"
done
expect 0 WINNOW_FAULT_NTH=$((calls + 1)) --
expect 3 WINNOW_FAULT_CALL=vkMapMemory WINNOW_FAULT_NTH=2 WINNOW_FAULT_RESULT=map --
check "the second vkMapMemory" vkMapMemory "$(field failed | cut -d ' ' -f 1)"
expect 3 WINNOW_FAULT_NTH=1 WINNOW_FAULT_RESULT=lost --
check "what may lose the device first" vkQueueSubmit "$(field failed | cut -d ' ' -f 1)"
expect 4 WINNOW_FAULT_LIMITS=noncoherent -- noflush
expect 4 WINNOW_FAULT_LIMITS=noncoherent -- noinvalidate
expect 0 WINNOW_FAULT_LIMITS=noncoherent,discrete --
expect 3 WINNOW_FAULT_LIMITS=heapSize=100000 --
expect 3 WINNOW_FAULT_LIMITS=nosuchlimit --

validate=(--validate)
expect 0 --
expect 0 WINNOW_FAULT_LIMITS=noncoherent,discrete --
expect 1 -- hazard
check "a missing barrier" SYNC-HAZARD-READ-AFTER-WRITE \
    "$(grep -o -m 1 'SYNC-HAZARD-READ-AFTER-WRITE' <<<"$output" | head -n 1)"
[ "$calls" -gt 0 ] && [ "$failures" -eq 0 ]
