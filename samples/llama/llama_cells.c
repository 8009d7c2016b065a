#include "llama_cells.h"
#include "llama_why.h"

const char *llama_cells_why_not(const struct llama_model *model)
{
    const enum llama_rope_type type = llama_model_rope_type(model);
    if (type == LLAMA_ROPE_TYPE_MROPE || type == LLAMA_ROPE_TYPE_IMROPE) {
        return "under M-RoPE the tokens of a picture share their position, and the cache forgets "
               "by position (reduce this model's rows before it)";
    }
    if (llama_model_is_recurrent(model) || llama_model_is_hybrid(model)) {
        return "a recurrent state cannot forget single tokens (reduce this model's rows before it)";
    }
    return NULL;
}

static llama_host_status check(llama_host *host)
{
    const char *why = llama_cells_why_not(llama_get_model(host->context));
    return why ? llama_host_fail(host, LLAMA_HOST_E_ARGUMENT, "cells: %s", why) : LLAMA_HOST_OK;
}

/* The end of the run of neighbours that starts at i. */
static uint32_t run_end(const llama_pos *positions, uint32_t count, uint32_t i)
{
    uint32_t end = i + 1;
    while (end < count && positions[end] == positions[end - 1] + 1) {
        end++;
    }
    return end;
}

llama_host_status llama_cells_forget(llama_host *host, const llama_pos *positions, uint32_t count,
                                     bool freed)
{
    llama_memory_t memory = llama_get_memory(host->context);
    llama_host_status status = check(host);
    if (status != LLAMA_HOST_OK || count == 0) {
        return status;
    }
    if (positions[count - 1] >= llama_memory_seq_pos_max(memory, host->sequence)) {
        return llama_host_fail(
            host, LLAMA_HOST_E_ARGUMENT,
            "cells: the last token cannot go, what follows counts from it (end the prompt "
            "with text)");
    }
    for (uint32_t i = 0, end; i < count; i = end) {
        end = run_end(positions, count, i);
        if (!llama_memory_seq_rm(memory, host->sequence, positions[i], positions[end - 1] + 1)) {
            return llama_host_fail(
                host, LLAMA_HOST_E_CACHE,
                "cells: this kind of cache cannot forget a part (clear the sequence)");
        }
    }
    host->cells -= freed ? count : 0;
    return LLAMA_HOST_OK;
}

llama_host_status llama_cells_keep(llama_host *host, llama_seq_id store, llama_pos from)
{
    const llama_host_status status = check(host);
    if (status != LLAMA_HOST_OK) {
        return status;
    }
    if (store == host->sequence || store < 0 || (uint32_t)store >= llama_n_seq_max(host->context) ||
        llama_n_ctx_seq(host->context) != llama_n_ctx(host->context)) {
        return llama_host_fail(
            host, LLAMA_HOST_E_ARGUMENT,
            "cells: sequence %d cannot store them (make the context with n_seq_max 2 and "
            "kv_unified)",
            store);
    }
    llama_memory_seq_cp(llama_get_memory(host->context), host->sequence, store, from, -1);
    return LLAMA_HOST_OK;
}

llama_host_status llama_cells_show(llama_host *host, llama_seq_id store, const llama_pos *positions,
                                   uint32_t count, const int32_t *wanted, int32_t *shown)
{
    llama_memory_t memory = llama_get_memory(host->context);
    for (uint32_t i = 0, end; i < count; i = end) {
        end = i + 1;
        if (wanted[i] == shown[i]) {
            continue; /* llama.cpp counts a cell that is put into a sequence twice as two */
        }
        const int32_t now = wanted[i];
        while (end < count && wanted[end] == now && shown[end] != now &&
               positions[end] == positions[end - 1] + 1) {
            end++;
        }
        if (now) {
            llama_memory_seq_cp(memory, store, host->sequence, positions[i],
                                positions[end - 1] + 1);
        } else if (!llama_memory_seq_rm(memory, host->sequence, positions[i],
                                        positions[end - 1] + 1)) {
            return llama_host_fail(
                host, LLAMA_HOST_E_CACHE,
                "cells: this kind of cache cannot forget a part (clear the sequence)");
        }
        for (uint32_t k = i; k < end; k++) {
            shown[k] = now;
        }
    }
    return LLAMA_HOST_OK;
}
