#!/usr/bin/env bash
# faults.sh DRIVER LAYER-DIR SMOKE: runs gpu_smoke once for every Vulkan call that it makes, with
# that call failing. Each run must either work or say what failed, and leave nothing behind; nor
# may a lost device.
set -euo pipefail

driver=$1 smoke=$3
with_driver=$(dirname "${BASH_SOURCE[0]}")/../drivers/with-driver.sh
report=$(mktemp)
trap 'rm -f "$report"' EXIT
export VK_ADD_LAYER_PATH=$2 VK_INSTANCE_LAYERS=VK_LAYER_WINNOW_faults
export WINNOW_FAULT_COUNT_FILE=$report
failures=0

run() { # SETTING...: one run under these settings
    local status=0 output
    : >"$report"
    output=$(env "$@" "$with_driver" "$driver" "$smoke" 2>&1) || status=$?
    if [ "$status" -gt 1 ] || grep -qE '^(leaked|misuse) ' "$report"; then
        echo "$driver: $*: exit $status: $output"
        grep -E '^(failed|leaked|misuse) ' "$report" || true
        failures=$((failures + 1))
    fi
}

every_call() { # RESULT FROM STEP [SETTING...]
    local n result=$1 from=$2 step=$3
    shift 3
    run "$@"
    for ((n = from; n <= calls; n += step)); do
        run WINNOW_FAULT_NTH="$n" WINNOW_FAULT_RESULT="$result" "$@"
    done
}

run WINNOW_FAULT_NTH=0
calls=$(sed -n 's/^calls //p' "$report")
[ "${calls:-0}" -gt 50 ] || { echo "$driver: the layer counted ${calls:-no} calls"; exit 1; }
every_call device-memory 1 1
every_call host-memory 1 5
every_call lost 2 7
every_call device-memory 3 11 WINNOW_FAULT_LIMITS=discrete,noncoherent
every_call device-memory 1 11 WINNOW_TEST_DISABLE=push_descriptor,timestamps
[ "$failures" -eq 0 ] || { echo "$driver: $failures runs went wrong"; exit 1; }
echo "$driver: $calls calls failed in turn"
