#!/usr/bin/env bash
# with-driver.sh NAME [--validate] COMMAND...: runs COMMAND on one Vulkan driver, with every other
# driver hidden.
#
# NAME is a manifest that setup.sh made (lavapipe-22, lavapipe-25, swiftshader), the path of any
# other manifest, or `system` for what the machine has. --validate puts the Khronos validation
# layer under the command, with synchronisation validation: then any message of the layer, error
# or warning, in any process and any instance, makes this script exit with 1, and is printed.
# A layer asked for in VK_INSTANCE_LAYERS (tests/faults, found by VK_ADD_LAYER_PATH) then sits
# below the validation layer, which checks against the limits and features that it tells.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${WINNOW_BUILD_DIR:-$here/../../build}
drivers=${WINNOW_DRIVERS_DIR:-$build/drivers}

fail() {
    echo "with-driver: $*" >&2
    exit 1
}

choose_driver() { # NAME
    [ "$1" != system ] || return 0
    local icd=$drivers/$1.json
    [ -e "$icd" ] || icd=$1
    [ -e "$icd" ] || fail "no driver '$1' in $drivers (run tests/drivers/setup.sh)"
    unset VK_ADD_DRIVER_FILES VK_LOADER_DRIVERS_SELECT VK_LOADER_DRIVERS_DISABLE
    export VK_DRIVER_FILES=$icd
    export VK_ICD_FILENAMES=$icd # loaders before 1.3.207
    export NODEVICE_SELECT=1     # Mesa's implicit layer, which asks a display which device to list
}

# lavapipe compiles at the first dispatch, for seconds: what one run compiled serves the next.
# A folder a driver, since Mesa 22's cache key does not tell builds apart.
keep_shader_cache() { # NAME
    MESA_SHADER_CACHE_DIR=$build/shader-cache/$(basename "$1" .json)
    export MESA_SHADER_CACHE_DIR
    mkdir -p "$MESA_SHADER_CACHE_DIR"
}

# The loader only warns of a layer that it cannot find, so that a missing one would pass. And it
# stacks layers in the order in which it finds them, whatever VK_INSTANCE_LAYERS says: the
# validation layer's folder comes first, or else it would stand below the other layers.
add_validation_layer() {
    local dir others=${VK_ADD_LAYER_PATH:-}${VK_LAYER_PATH:+:$VK_LAYER_PATH}
    for dir in /usr/local/share /etc /usr/share ''; do
        dir=$dir/vulkan/explicit_layer.d
        [ ! -e "$dir/VkLayer_khronos_validation.json" ] || break
    done
    [ -d "$dir" ] || fail "no validation layer (install vulkan-validationlayers)"
    unset VK_ADD_LAYER_PATH
    export VK_LAYER_PATH=$dir${others:+:$others}
    export VK_INSTANCE_LAYERS=VK_LAYER_KHRONOS_validation${VK_INSTANCE_LAYERS:+:$VK_INSTANCE_LAYERS}
    layer_settings_of "$dir/VkLayer_khronos_validation.json"
}

# Layers of 1.4 warn of the names that older ones know.
layer_settings_of() { # LAYER
    if grep -q '"api_version": "1\.[0-3]\.' "$1"; then
        sync_setting='enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT'
        export VK_LAYER_ENABLES=VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
    else
        sync_setting='validate_sync = true'
        export VK_LAYER_VALIDATE_SYNC=1
    fi
    export VK_LAYER_SYNCVAL_SHADER_ACCESSES_HEURISTIC=1 # newer layers skip shader accesses without
}

write_layer_settings() { # FILE LOG
    sed 's/^/khronos_validation./' >"$1" <<EOF
debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
report_flags = error,warn
log_filename = $2
$sync_setting
enable_message_limit = false
EOF
}

# The layer truncates its log with every instance; a pipe keeps the messages of all of them.
run_validated() { # COMMAND...
    local dir status=0 reader
    dir=$(mktemp -d)
    # shellcheck disable=SC2064  # the folder's name as it is now
    trap "rm -rf '$dir'" EXIT
    mkfifo "$dir/pipe"
    write_layer_settings "$dir/vk_layer_settings.txt" "$dir/pipe"
    export VK_LAYER_SETTINGS_PATH=$dir/vk_layer_settings.txt
    cat "$dir/pipe" >"$dir/log" &
    reader=$!
    exec 3>"$dir/pipe" # held open: the reader must outlive every instance
    "$@" 3>&- || status=$?
    exec 3>&-
    wait "$reader"
    if [ -s "$dir/log" ]; then
        echo "with-driver: the validation layer objects:" >&2
        cat "$dir/log" >&2
        [ "$status" -ne 0 ] || status=1
    fi
    return "$status"
}

[ $# -ge 2 ] || fail "usage: with-driver.sh NAME [--validate] COMMAND..."
name=$1
shift
choose_driver "$name"
keep_shader_cache "$name"
if [ "$1" != --validate ]; then
    exec "$@"
fi
shift
add_validation_layer
run_validated "$@"
