#!/usr/bin/env bash
# on_gpu.sh FOLDER [PYTHON]: everything that wants a GPU, in one go, its figures in FOLDER.
#
# The tests of the shaders, of the vectors and of plugin/gpu on the machine's own Vulkan driver, with the validation layer
# where it is installed; `winnow bench` in f32 and f16; and stages.py beside PyTorch on the same GPU, if PYTHON (default
# python3) has a torch with CUDA and numpy. Each part goes on after one that failed; summary.txt tells how each ended, and
# the exit status is 1 if one did not end well. Builds first (./run build) where nothing is built.
# WINNOW_ON_GPU_DRIVER=lavapipe-25 QUICK=1 tries the script without a GPU: then stages.py refuses, all else is to be good.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$here/../..
build=${WINNOW_BUILD_DIR:-$top/build}
with_driver=("$top/tests/drivers/with-driver.sh" "${WINNOW_ON_GPU_DRIVER:-system}")
failed=0

die() {
    echo "on_gpu.sh: $*" >&2
    exit 1
}

part() { # NAME COMMAND...: its output goes to FOLDER/NAME.txt
    local name=$1 status=0
    shift
    echo "$name ..." >&2
    "$@" >"$out/$name.txt" 2>&1 || status=$?
    [ "$status" -eq 0 ] || failed=1
    echo "$name: $([ "$status" -eq 0 ] && echo good || echo "exit status $status, see $name.txt")" |
        tee -a "$out/summary.txt" >&2
}

has_layer() {
    local dir
    for dir in /usr/local/share /etc /usr/share; do
        [ ! -e "$dir/vulkan/explicit_layer.d/VkLayer_khronos_validation.json" ] || return 0
    done
    return 1
}

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: on_gpu.sh FOLDER [PYTHON]"
mkdir -p "$1" || die "cannot make the folder $1"
out=$(cd "$1" && pwd)
python=${2:-python3}
winnow=$build/bin/winnow
: >"$out/summary.txt"

[ -x "$winnow" ] && [ -x "$build/bin/test_ops" ] || "$top/run" build || die "the build failed"
[ -x "$build/bin/test_ops" ] || cmake --build "$build" || die "the build failed"
"${with_driver[@]}" "$winnow" devices >"$out/devices.txt" || die "winnow devices failed"
if [ -z "${WINNOW_ON_GPU_DRIVER:-}" ] && ! grep -Eq 'kind +(discrete|integrated|virtual)' "$out/devices.txt"; then
    die "no GPU with a Vulkan driver here (install the driver's Vulkan part; winnow devices lists what there is)"
fi

validate=()
if has_layer; then validate=(--validate); else echo "without the validation layer" >>"$out/summary.txt"; fi
tested=("${with_driver[@]}" "${validate[@]}")
part ops "${tested[@]}" "$build/bin/test_ops"
part ops-plain "${tested[@]}" "$build/bin/test_ops" --disable subgroup,storage16
for name in cache cooperative device exec host plans random streams weights; do
    [ ! -x "$build/bin/gpu_test_$name" ] || part "gpu-$name" "${tested[@]}" "$build/bin/gpu_test_$name"
done
part vectors "${tested[@]}" "$python" "$top/tests/tools/check_vectors.py" "$winnow" "$top/tests/vectors" \
    "$top/tests/vectors/extra" -- --backend gpu
for dtype in f32 f16; do
    part "bench-$dtype" "${with_driver[@]}" "$winnow" bench --dtype "$dtype" --no-cpu --backend gpu ${QUICK:+--quick}
    part "bench-$dtype-json" "${with_driver[@]}" "$winnow" bench --dtype "$dtype" --no-cpu --backend gpu --json \
        ${QUICK:+--quick}
done
part peers "${with_driver[@]}" "$python" "$here/stages.py" --winnow "$build/lib/libwinnow.so" --device cuda \
    --dtype f32,f16 --large --markdown --json "$out/peers.json" ${QUICK:+--quick}
cat "$out/summary.txt"
exit "$failed"
