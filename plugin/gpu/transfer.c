/* transfer.c: host rows to mapped memory and back. */
#include <string.h>

#include "gpu/exec.h"

/* From here on, sharing the caller's pages costs less than copying them: a buffer, a memory and commands anew for every
 * run. An image's tokens are below it. */
#define IMPORT_LEAST (8u << 20)

static bool is_packed(const wn_host_rows *rows)
{
    return rows->stride == rows->row_bytes || rows->rows <= 1;
}

/* At most `most`; sizes that overflow are larger. */
static uint64_t bytes_of(const wn_host_rows *rows, uint64_t stride, uint64_t most)
{
    if (!rows->data || !rows->row_bytes)
        return 0;
    return rows->rows > most / stride ? most : rows->rows * stride;
}

uint64_t wn_in_bytes(const wn_host_rows *rows)
{
    return bytes_of(rows, rows->row_bytes, UINT64_MAX);
}

/* Between an output's rows in our buffer. */
static uint64_t packed_stride(const wn_host_io *io, uint32_t output)
{
    return output == WINNOW_OUT_TOKENS && io->tokens_stride ? io->tokens_stride
                                                            : io->out[output].row_bytes;
}

uint64_t wn_out_bytes(const wn_lane *lane, const wn_host_io *io, uint32_t output)
{
    return bytes_of(&io->out[output], packed_stride(io, output), lane->out[output].bytes);
}

static void pack(unsigned char *to, const wn_host_rows *rows)
{
    const unsigned char *from = rows->data;
    if (is_packed(rows)) {
        memcpy(to, from, rows->rows * rows->row_bytes);
        return;
    }
    for (uint64_t i = 0; i < rows->rows; i++)
        memcpy(to + i * rows->row_bytes, from + i * rows->stride, rows->row_bytes);
}

static void unpack(const wn_host_rows *rows, uint64_t packed, uint64_t count,
                   const unsigned char *from)
{
    unsigned char *to = rows->data;
    if (rows->stride == packed && packed == rows->row_bytes) {
        memcpy(to, from, count * packed);
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        memcpy(to + i * rows->stride, from + i * packed, rows->row_bytes);
}

static winnow_status upload_role(wn_exec *exec, wn_lane *lane, uint32_t role,
                                 const wn_host_rows *rows, uint64_t bytes)
{
    const wn_memory *stage = exec->direct_in ? &lane->in[role] : &lane->stage_in[role];
    if (bytes >= IMPORT_LEAST && is_packed(rows)) {
        const winnow_status status =
            wn_memory_import(exec->gpu, rows->data, bytes, &lane->import[role]);
        if (status == WINNOW_OK || status == WINNOW_E_DEVICE_LOST)
            return status;
    }
    pack(stage->mapped, rows);
    return wn_memory_flush(exec->gpu, stage, bytes);
}

winnow_status wn_upload(wn_exec *exec, wn_lane *lane, const wn_host_io *io, wn_slots *slots,
                        bool *imported)
{
    *imported = false;
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++) {
        const uint64_t bytes = wn_in_bytes(&io->in[role]);
        if (bytes > lane->in[role].bytes)
            return wn_fail(&exec->gpu->base.host, WINNOW_E_INTERNAL,
                           "gpu: input %u has %llu bytes, the plan %llu (report this)", role,
                           (unsigned long long)bytes, (unsigned long long)lane->in[role].bytes);
        if (!bytes)
            continue;
        WN_TRY(upload_role(exec, lane, role, &io->in[role], bytes));
        const wn_memory *import = &lane->import[role];
        if (!import->buffer)
            continue;
        *imported = true;
        if (exec->direct_in) /* the shaders read the caller's pages */
            slots->span[WN_SLOT_IN + role] = (wn_gpu_span){import->buffer, 0, import->bytes};
    }
    return WINNOW_OK;
}

void wn_upload_end(wn_exec *exec, wn_lane *lane)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT; role++)
        wn_memory_destroy(exec->gpu, &lane->import[role]);
}

static void copy(const wn_exec *exec, const wn_lane *lane, const wn_memory *from,
                 const wn_memory *to, uint64_t bytes)
{
    const VkBufferCopy region = {.size = bytes};
    exec->gpu->vk.CmdCopyBuffer(lane->job.commands, from->buffer, to->buffer, 1, &region);
}

void wn_upload_record(const wn_exec *exec, const wn_lane *lane, const wn_host_io *io)
{
    for (uint32_t role = 0; role < WINNOW_ROLE_COUNT && !exec->direct_in; role++) {
        const uint64_t bytes = wn_in_bytes(&io->in[role]);
        const wn_memory *import = &lane->import[role];
        if (bytes)
            copy(exec, lane, import->buffer ? import : &lane->stage_in[role], &lane->in[role],
                 bytes);
    }
}

void wn_download_record(wn_exec *exec, const wn_lane *lane, const wn_host_io *io)
{
    if (exec->direct_out)
        return;
    for (uint32_t output = 0; output < WINNOW_OUT_COUNT; output++) {
        const uint64_t bytes = wn_out_bytes(lane, io, output);
        if (bytes)
            copy(exec, lane, &lane->out[output], &lane->stage_out[output], bytes);
    }
    wn_record_read_barrier(exec, lane->job.commands);
}

static const wn_memory *readable(const wn_exec *exec, const wn_lane *lane, uint32_t output)
{
    return exec->direct_out ? &lane->out[output] : &lane->stage_out[output];
}

/* Every output that holds `rows` rows must have room before any is written. */
static winnow_status check_room(const wn_exec *exec, const wn_lane *lane, const wn_host_io *io,
                                uint32_t rows)
{
    static const char *const names[WINNOW_OUT_COUNT] = {"tokens",    "indices",    "sizes",
                                                        "positions", "assignment", "count"};
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        const wn_host_rows *out = &io->out[i];
        if (!out->data || !(io->count_outputs >> i & 1u))
            continue;
        if (out->rows < rows)
            return wn_fail(&exec->gpu->base.host, WINNOW_E_TOO_SMALL,
                           "run: %u rows came out, and output '%s' has room for %llu (give it "
                           "more)",
                           rows, names[i], (unsigned long long)out->rows);
        if (out->row_bytes && rows > lane->out[i].bytes / packed_stride(io, i))
            return wn_fail(&exec->gpu->base.host, WINNOW_E_INTERNAL,
                           "gpu: %u rows came out, more than planned for output '%s' (report this)",
                           rows, names[i]);
    }
    return WINNOW_OK;
}

winnow_status wn_download(const wn_exec *exec, const wn_lane *lane, const wn_host_io *io)
{
    uint32_t rows = 0;
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++)
        WN_TRY(wn_memory_invalidate(exec->gpu, readable(exec, lane, i), wn_out_bytes(lane, io, i)));
    if (io->count_outputs) {
        if (wn_out_bytes(lane, io, WINNOW_OUT_COUNT_WORD) < sizeof rows)
            return wn_fail(&exec->gpu->base.host, WINNOW_E_INTERNAL,
                           "gpu: outputs are counted, but there is no count word (report this)");
        memcpy(&rows, readable(exec, lane, WINNOW_OUT_COUNT_WORD)->mapped, sizeof rows);
        WN_TRY(check_room(exec, lane, io, rows));
    }
    for (uint32_t i = 0; i < WINNOW_OUT_COUNT; i++) {
        const wn_host_rows *out = &io->out[i];
        const bool counted = io->count_outputs >> i & 1u;
        const uint64_t packed = packed_stride(io, i);
        if (out->data && out->row_bytes)
            unpack(out, packed, counted ? rows : wn_out_bytes(lane, io, i) / packed,
                   readable(exec, lane, i)->mapped);
    }
    return WINNOW_OK;
}
