# Finds a llama.cpp with mtmd and makes the target `llama_cpp` of it, or leaves LLAMA_CPP_WHY_NOT.
#
# WINNOW_LLAMA_PREFIX: an install prefix (include/ and lib/ with llama and mtmd), or a folder where
# npm installed the packages that README.md names. Empty: what find_package(llama) knows.
include(CheckCSourceCompiles)

set(WINNOW_LLAMA_PREFIX "" CACHE PATH
    "llama.cpp for samples/llama: an install prefix, or a folder with its npm packages")
unset(LLAMA_CPP_WHY_NOT)

# npm: one ELF that exports llama, mtmd and ggml; llama.rn's headers prefix ggml's names with lm_.
function(llama_cpp_from_npm package headers)
    set(include ${CMAKE_CURRENT_BINARY_DIR}/include)
    file(GLOB found ${headers}/llama.h ${headers}/ggml*.h ${headers}/gguf.h
        ${headers}/tools/mtmd/mtmd.h ${headers}/tools/mtmd/mtmd-helper.h)
    foreach(path IN LISTS found)
        get_filename_component(name ${path} NAME)
        file(READ ${path} text)
        string(REGEX REPLACE "lm_(ggml|gguf)" "\\1" text "${text}")
        string(REGEX REPLACE "LM_(GGML|GGUF)" "\\1" text "${text}")
        file(WRITE ${include}/${name}.new "${text}")
        configure_file(${include}/${name}.new ${include}/${name} COPYONLY) # keeps times if the same
    endforeach()
    set(llama_include ${include} PARENT_SCOPE)
    set(llama_link -L${package} -l:index.node -Wl,--allow-shlib-undefined -Wl,-rpath,${package}
        PARENT_SCOPE)
endfunction()

function(npm_version folder out)
    file(READ ${folder}/package.json text)
    string(JSON version GET "${text}" version)
    set(${out} ${version} PARENT_SCOPE)
endfunction()

set(llama_include "")
set(llama_link "")
set(llama_version "of unknown version")
file(GLOB llama_package ${WINNOW_LLAMA_PREFIX}/node_modules/@fugood/node-llama-linux-*/index.node)
if(WINNOW_LLAMA_PREFIX AND llama_package)
    list(GET llama_package 0 llama_package)
    get_filename_component(llama_package ${llama_package} DIRECTORY)
    if(EXISTS ${WINNOW_LLAMA_PREFIX}/node_modules/llama.rn/cpp/llama.h)
        llama_cpp_from_npm(${llama_package} ${WINNOW_LLAMA_PREFIX}/node_modules/llama.rn/cpp)
        npm_version(${llama_package} llama_library_version)
        npm_version(${WINNOW_LLAMA_PREFIX}/node_modules/llama.rn llama_header_version)
        set(llama_version "npm ${llama_library_version}, headers ${llama_header_version}")
    else()
        set(LLAMA_CPP_WHY_NOT "${WINNOW_LLAMA_PREFIX} has no llama.rn, whose headers are needed")
    endif()
else()
    # Another prefix than last time: what was found there is not this one's.
    if(NOT "${WINNOW_LLAMA_PREFIX}" STREQUAL "${WINNOW_LLAMA_SOUGHT}")
        foreach(name LIB_mtmd LIB_llama LIB_ggml LIB_ggml-base INCLUDE)
            unset(WINNOW_LLAMA_${name} CACHE)
        endforeach()
        unset(llama_DIR CACHE)
        set(WINNOW_LLAMA_SOUGHT "${WINNOW_LLAMA_PREFIX}" CACHE INTERNAL "")
    endif()
    set(only "")
    if(WINNOW_LLAMA_PREFIX)
        set(only NO_DEFAULT_PATH)
    endif()
    find_package(llama QUIET PATHS ${WINNOW_LLAMA_PREFIX} ${only})
    set(llama_places ${WINNOW_LLAMA_PREFIX} ${LLAMA_LIB_DIR} ${LLAMA_INCLUDE_DIR})
    foreach(name mtmd llama ggml ggml-base)
        find_library(WINNOW_LLAMA_LIB_${name} ${name} HINTS ${llama_places} PATH_SUFFIXES lib lib64
            ${only})
        mark_as_advanced(WINNOW_LLAMA_LIB_${name})
        if(WINNOW_LLAMA_LIB_${name})
            list(APPEND llama_link ${WINNOW_LLAMA_LIB_${name}})
        endif()
    endforeach()
    find_path(WINNOW_LLAMA_INCLUDE mtmd.h HINTS ${llama_places} PATH_SUFFIXES include ${only})
    mark_as_advanced(WINNOW_LLAMA_INCLUDE)
    if(NOT WINNOW_LLAMA_INCLUDE OR NOT WINNOW_LLAMA_LIB_mtmd OR NOT WINNOW_LLAMA_LIB_llama)
        set(LLAMA_CPP_WHY_NOT "no llama.cpp with mtmd found (give -DWINNOW_LLAMA_PREFIX=FOLDER)")
    endif()
    set(llama_include ${WINNOW_LLAMA_INCLUDE})
    if(llama_VERSION)
        set(llama_version "${llama_VERSION}")
    endif()
endif()

# Everything of llama.cpp's ABI that is not a plain call with numbers and pointers.
if(NOT LLAMA_CPP_WHY_NOT)
    set(CMAKE_REQUIRED_INCLUDES ${llama_include})
    set(CMAKE_REQUIRED_LIBRARIES ${llama_link})
    set(CMAKE_REQUIRED_QUIET ON)
    set(llama_tried "${llama_include};${llama_link};${llama_version}")
    if(NOT llama_tried STREQUAL "${WINNOW_LLAMA_TRIED}")
        unset(WINNOW_LLAMA_SPEAKS CACHE)
        unset(WINNOW_LLAMA_ATTENDS CACHE)
        unset(WINNOW_LLAMA_MERGEABLE CACHE)
        set(WINNOW_LLAMA_TRIED "${llama_tried}" CACHE INTERNAL "")
    endif()
    check_c_source_compiles("
        #include <llama.h>
        #include <mtmd.h>
        int main(void)
        {
            struct mtmd_context_params p = mtmd_context_params_default();
            struct mtmd_input_text text = {.text = \"\", .text_len = 0, .add_special = true};
            struct mtmd_decoder_pos at = mtmd_image_tokens_get_decoder_pos(0, 0, 0);
            struct llama_batch b = {.embd = 0, .pos = 0, .n_seq_id = 0, .seq_id = 0, .logits = 0};
            p.media_marker = mtmd_default_marker();
            return (int)(at.t + at.x + at.y + at.z) + mtmd_decode_use_non_causal(0, 0) +
                   b.n_tokens + LLAMA_ROPE_TYPE_IMROPE + (int)llama_n_ctx_seq(0) +
                   llama_model_n_embd_inp(0) + p.image_min_tokens + (int)text.text_len +
                   llama_memory_seq_rm(llama_get_memory(0), 0, 0, -1);
        }" WINNOW_LLAMA_SPEAKS)
    # Inside the language model: the callback, tensors, the cache.
    check_c_source_compiles("
        #include <ggml.h>
        #include <ggml-backend.h>
        #include <llama.h>
        static bool watch(struct ggml_tensor *t, bool ask, void *user)
        {
            ggml_backend_tensor_get(t, user, (size_t)t->ne[1] * t->nb[1], sizeof t->op_params[0]);
            return ask || t->src[2] || t->type == GGML_TYPE_F32;
        }
        int main(void)
        {
            struct llama_context_params p = llama_context_default_params();
            struct llama_chat_message m = {.role = \"user\", .content = \"\"};
            p.cb_eval = watch;
            p.cb_eval_user_data = 0;
            p.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
            p.swa_full = p.kv_unified = true;
            llama_memory_seq_cp(llama_get_memory(0), 0, 1, 0, -1);
            return (int)p.n_seq_max + llama_model_n_swa(0) + llama_model_is_hybrid(0) +
                   llama_chat_apply_template(llama_model_chat_template(0, 0), &m, 1, 1, 0, 0);
        }" WINNOW_LLAMA_ATTENDS)
    # Since August 2026 frames must say that they may become a pair.
    check_c_source_compiles("
        #include <mtmd.h>
        int main(void)
        {
            mtmd_bitmap_set_mergeable(0, true);
            return 0;
        }" WINNOW_LLAMA_MERGEABLE)
    unset(CMAKE_REQUIRED_INCLUDES)
    unset(CMAKE_REQUIRED_LIBRARIES)
    if(NOT WINNOW_LLAMA_SPEAKS OR NOT WINNOW_LLAMA_ATTENDS)
        set(LLAMA_CPP_WHY_NOT
            "a program for b10256 or 0.7.0 does not build with the llama.cpp of ${llama_include}")
    endif()
endif()

if(NOT LLAMA_CPP_WHY_NOT)
    add_library(llama_cpp INTERFACE)
    target_include_directories(llama_cpp SYSTEM INTERFACE ${llama_include})
    target_link_libraries(llama_cpp INTERFACE ${llama_link})
endif()
