#include "llama_host.h"
#include "llama_why.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AXES = 3, PLANES = 4, GRID_MOST = 1 << 20 };
enum { CLASS_TOKEN = -1 }; /* of Winnow's indices */

llama_host_status llama_host_fail(llama_host *host, llama_host_status status, const char *format,
                                  ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(host->why, sizeof host->why, format, args);
    va_end(args);
    return status;
}

static const struct llama_model *model_of(const llama_host *host)
{
    return llama_get_model(host->context);
}

bool llama_host_uses_mrope(const struct llama_context *context)
{
    const enum llama_rope_type type = llama_model_rope_type(llama_get_model(context));
    return type == LLAMA_ROPE_TYPE_MROPE || type == LLAMA_ROPE_TYPE_IMROPE;
}

/* ---- checks before anything is decoded ---- */

llama_host_status llama_host_fits(llama_host *host, uint32_t tokens)
{
    const uint32_t room = llama_n_ctx_seq(host->context);
    if (tokens <= room && host->cells <= room - tokens) {
        return LLAMA_HOST_OK;
    }
    return llama_host_fail(
        host, LLAMA_HOST_E_CONTEXT,
        "context: %u tokens do not fit behind %u, it holds %u (make it larger, or keep "
        "fewer visual tokens)",
        tokens, host->cells, room);
}

/* What the sequence holds must end where the host says. */
static llama_host_status check_past(llama_host *host)
{
    const llama_pos last =
        llama_memory_seq_pos_max(llama_get_memory(host->context), host->sequence);
    const bool mrope = llama_host_uses_mrope(host->context);
    if (mrope ? last < host->n_past : last == host->n_past - 1) {
        return LLAMA_HOST_OK;
    }
    return llama_host_fail(
        host, LLAMA_HOST_E_ARGUMENT,
        "n_past: it is %d, and the sequence's last position is %d (set it to what was "
        "decoded)",
        host->n_past, last);
}

static llama_host_status check_media(llama_host *host, const llama_host_media *m)
{
    const int32_t width = llama_model_n_embd_inp(model_of(host));
    if (!m->rows || m->count == 0) {
        return llama_host_fail(host, LLAMA_HOST_E_ARGUMENT,
                               "media: it has no rows (keep at least one token of a picture)");
    }
    if (m->width != (uint32_t)width) {
        return llama_host_fail(
            host, LLAMA_HOST_E_ARGUMENT,
            "media: rows have %u channels, the language model takes %d (a stage must not "
            "change them, and the encoder must be this model's)",
            m->width, width);
    }
    return LLAMA_HOST_OK;
}

static uint32_t batch_size(const llama_host *host)
{
    const uint32_t most = llama_n_batch(host->context);
    return host->n_batch > 0 && (uint32_t)host->n_batch < most ? (uint32_t)host->n_batch : most;
}

/* Non-causal rows must be decoded together: llama.cpp aborts where they do not fit a ubatch. */
static llama_host_status check_together(llama_host *host, const llama_host_media *m)
{
    const uint32_t ubatch = llama_n_ubatch(host->context), batch = batch_size(host);
    const uint32_t most = ubatch < batch ? ubatch : batch;
    if (!m->non_causal || m->count <= most) {
        return LLAMA_HOST_OK;
    }
    return llama_host_fail(
        host, LLAMA_HOST_E_CONTEXT,
        "media: its %u rows see each other and must be one batch, which holds %u (raise "
        "n_batch and n_ubatch, or keep fewer)",
        m->count, most);
}

/* ---- positions ---- */

static llama_host_status check_grid(llama_host *host, const llama_host_media *m)
{
    uint64_t tokens = 1;
    for (int a = 0; a < AXES; a++) {
        if (m->grid[a] == 0 || m->grid[a] > GRID_MOST || m->n_pos < (llama_pos)m->grid[a]) {
            return llama_host_fail(
                host, LLAMA_HOST_E_ARGUMENT,
                "media: a grid of %u x %u x %u does not fit its %d positions (give those "
                "of the unreduced media)",
                m->grid[0], m->grid[1], m->grid[2], m->n_pos);
        }
        tokens *= m->grid[a];
    }
    if (tokens > INT32_MAX) {
        return llama_host_fail(host, LLAMA_HOST_E_ARGUMENT,
                               "media: a grid of %llu tokens is too large",
                               (unsigned long long)tokens);
    }
    return LLAMA_HOST_OK;
}

/* Place (t, y, x) of row i; false: there is none. */
static bool place_of(const llama_host_media *m, uint32_t i, uint32_t place[AXES])
{
    const int32_t source = m->sources ? m->sources[i] : (int32_t)i;
    const int32_t *given = m->places ? m->places + (size_t)i * AXES : NULL;
    bool inside = true;
    if (source < 0) { /* the class token is first, the pooled rest last, as their rows are */
        for (int a = 0; a < AXES; a++) {
            place[a] = source == CLASS_TOKEN ? 0 : m->grid[a] - 1;
        }
        return true;
    }
    if (given) {
        for (int a = 0; a < AXES; a++) {
            place[a] = (uint32_t)given[a]; /* a negative one is beyond any grid */
        }
    } else {
        place[0] = (uint32_t)source / (m->grid[1] * m->grid[2]);
        place[1] = (uint32_t)source / m->grid[2] % m->grid[1];
        place[2] = (uint32_t)source % m->grid[2];
    }
    for (int a = 0; a < AXES; a++) {
        inside = inside && place[a] < m->grid[a];
    }
    return inside;
}

/* The places as they are, in planes [3, count]. */
static llama_host_status find_places(llama_host *host, const llama_host_media *m, llama_pos *planes)
{
    uint32_t before = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t place[AXES];
        if (!place_of(m, i, place)) {
            return llama_host_fail(host, LLAMA_HOST_E_ARGUMENT,
                                   "media: row %u comes from outside the grid of %u x %u x %u", i,
                                   m->grid[0], m->grid[1], m->grid[2]);
        }
        if (place[0] < before) {
            return llama_host_fail(
                host, LLAMA_HOST_E_ARGUMENT,
                "media: row %u goes back in time (ask Winnow for WINNOW_ORDER_RASTER)", i);
        }
        before = place[0];
        for (uint32_t a = 0; a < AXES; a++) {
            planes[a * m->count + i] = (llama_pos)place[a];
        }
    }
    return LLAMA_HOST_OK;
}

/* Values of one plane become their ranks. Gives how many there are; 0: out of memory. */
static llama_pos close_up(llama_pos *plane, uint32_t count, uint32_t extent)
{
    llama_pos *rank = calloc(extent, sizeof *rank), ranks = 0;
    if (!rank) {
        return 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        rank[plane[i]] = 1;
    }
    for (uint32_t v = 0; v < extent; v++) {
        ranks += rank[v];
        rank[v] = ranks - 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        plane[i] = rank[plane[i]];
    }
    free(rank);
    return ranks;
}

static llama_host_status close_up_all(llama_host *host, const llama_host_media *m,
                                      llama_pos *planes, llama_pos *n_pos)
{
    *n_pos = 0;
    for (uint32_t a = 0; a < AXES; a++) {
        const llama_pos ranks = close_up(planes + a * m->count, m->count, m->grid[a]);
        if (ranks == 0) {
            return llama_host_fail(host, LLAMA_HOST_E_MEMORY,
                                   "media: out of memory for its places");
        }
        *n_pos = ranks > *n_pos ? ranks : *n_pos;
    }
    return LLAMA_HOST_OK;
}

static llama_host_status mrope_positions(llama_host *host, const llama_host_media *m,
                                         llama_pos *planes, llama_pos *n_pos)
{
    llama_host_status status = check_grid(host, m);
    if (status == LLAMA_HOST_OK) {
        status = find_places(host, m, planes);
    }
    *n_pos = m->n_pos;
    if (status == LLAMA_HOST_OK && host->compact) {
        status = close_up_all(host, m, planes, n_pos);
    }
    if (status != LLAMA_HOST_OK) {
        return status;
    }
    for (uint32_t i = 0; i < AXES * m->count; i++) {
        planes[i] += host->n_past;
    }
    memset(planes + (size_t)AXES * m->count, 0, m->count * sizeof *planes);
    return LLAMA_HOST_OK;
}

llama_host_status llama_host_positions(llama_host *host, const llama_host_media *m,
                                       llama_pos *planes, llama_pos *n_pos)
{
    if (llama_host_uses_mrope(host->context)) {
        return mrope_positions(host, m, planes, n_pos);
    }
    for (uint32_t i = 0; i < m->count; i++) {
        planes[i] = host->n_past + (llama_pos)i;
    }
    *n_pos = (llama_pos)m->count;
    return LLAMA_HOST_OK;
}

/* ---- batches ---- */

/* What a llama_batch points to, of at most `most` tokens. */
typedef struct batch_room {
    llama_pos *pos; /* [planes, most] */
    int32_t *n_seq_id;
    llama_seq_id **seq_id, *own; /* all point to the one */
    int8_t *logits;
} batch_room;

static void free_room(batch_room *r)
{
    free(r->pos);
    free(r->n_seq_id);
    free(r->seq_id);
    free(r->own);
    free(r->logits);
}

static bool take_room(batch_room *r, llama_seq_id sequence, uint32_t planes, uint32_t most)
{
    *r = (batch_room){.pos = calloc((size_t)planes * most, sizeof *r->pos),
                      .n_seq_id = calloc(most, sizeof *r->n_seq_id),
                      .seq_id = calloc((size_t)most + 1, sizeof *r->seq_id),
                      .own = malloc(sizeof *r->own),
                      .logits = calloc(most, sizeof *r->logits)};
    if (!r->pos || !r->n_seq_id || !r->seq_id || !r->own || !r->logits) {
        free_room(r);
        return false;
    }
    *r->own = sequence;
    for (uint32_t i = 0; i < most; i++) {
        r->n_seq_id[i] = 1;
        r->seq_id[i] = r->own;
    }
    return true;
}

static struct llama_batch batch_in(batch_room *r, uint32_t count, bool logits)
{
    memset(r->logits, 0, count);
    r->logits[count - 1] = logits;
    return (struct llama_batch){.n_tokens = (int32_t)count,
                                .pos = r->pos,
                                .n_seq_id = r->n_seq_id,
                                .seq_id = r->seq_id,
                                .logits = r->logits};
}

/* The cache forgets what came behind n_past, so that the call can be made again. */
static llama_host_status roll_back(llama_host *host, const char *what, int32_t code)
{
    const bool restored =
        llama_memory_seq_rm(llama_get_memory(host->context), host->sequence, host->n_past, -1);
    return llama_host_fail(host, restored ? LLAMA_HOST_E_DECODE : LLAMA_HOST_E_CACHE,
                           "%s: llama_decode answered %d%s%s", what, code,
                           code == 1 ? ", no room in the KV cache" : "",
                           restored ? " (nothing was kept of it)"
                                    : " and the cache cannot forget a part (clear the sequence)");
}

llama_host_status llama_host_text(llama_host *host, const llama_token *tokens, uint32_t count,
                                  bool logits)
{
    const uint32_t size = batch_size(host), most = count < size ? count : size;
    batch_room room;
    int32_t code = 0;
    llama_host_status status = llama_host_fits(host, count);
    status = status == LLAMA_HOST_OK ? check_past(host) : status;
    if (status != LLAMA_HOST_OK || count == 0) {
        return status;
    }
    if (!take_room(&room, host->sequence, 1, most)) {
        return llama_host_fail(host, LLAMA_HOST_E_MEMORY, "text: out of memory for a batch of %u",
                               most);
    }
    for (uint32_t at = 0; at < count && code == 0; at += most) {
        const uint32_t n = count - at < most ? count - at : most;
        struct llama_batch batch = batch_in(&room, n, logits && at + n == count);
        batch.token = (llama_token *)(uintptr_t)(tokens + at); /* only read */
        for (uint32_t i = 0; i < n; i++) {
            room.pos[i] = host->n_past + (llama_pos)(at + i);
        }
        code = llama_decode(host->context, batch);
    }
    free_room(&room);
    if (code != 0) {
        return roll_back(host, "text", code);
    }
    host->n_past += (llama_pos)count;
    host->cells += count;
    return LLAMA_HOST_OK;
}

/* All batches of a picture whose positions are known: planes [plane_count, count]. */
static int32_t decode_rows(const llama_host *host, const llama_host_media *m,
                           const llama_pos *planes, uint32_t plane_count, batch_room *room,
                           uint32_t most, bool logits)
{
    int32_t code = 0;
    for (uint32_t at = 0; at < m->count && code == 0; at += most) {
        const uint32_t n = m->count - at < most ? m->count - at : most;
        struct llama_batch batch = batch_in(room, n, logits && at + n == m->count);
        batch.embd = (float *)(uintptr_t)(m->rows + (size_t)at * m->width); /* only read */
        for (uint32_t p = 0; p < plane_count; p++) { /* a batch's planes are n long */
            memcpy(room->pos + (size_t)p * n, planes + (size_t)p * m->count + at,
                   n * sizeof *planes);
        }
        code = llama_decode(host->context, batch);
    }
    return code;
}

static llama_host_status decode_at(llama_host *host, const llama_host_media *m,
                                   const llama_pos *planes, uint32_t plane_count, bool logits)
{
    const uint32_t size = batch_size(host), most = m->count < size ? m->count : size;
    batch_room room;
    if (!take_room(&room, host->sequence, plane_count, most)) {
        return llama_host_fail(host, LLAMA_HOST_E_MEMORY, "media: out of memory for a batch of %u",
                               most);
    }
    if (m->non_causal) {
        llama_set_causal_attn(host->context, false);
    }
    const int32_t code = decode_rows(host, m, planes, plane_count, &room, most, logits);
    if (m->non_causal) {
        llama_set_causal_attn(host->context, true);
    }
    free_room(&room);
    return code == 0 ? LLAMA_HOST_OK : roll_back(host, "media", code);
}

llama_host_status llama_host_decode_media(llama_host *host, const llama_host_media *m, bool logits)
{
    const uint32_t plane_count = llama_host_uses_mrope(host->context) ? PLANES : 1;
    llama_pos n_pos = 0;
    llama_host_status status = check_media(host, m);
    status = status == LLAMA_HOST_OK ? llama_host_fits(host, m->count) : status;
    status = status == LLAMA_HOST_OK ? check_together(host, m) : status;
    status = status == LLAMA_HOST_OK ? check_past(host) : status;
    if (status != LLAMA_HOST_OK) {
        return status;
    }
    llama_pos *planes = calloc((size_t)plane_count * m->count, sizeof *planes);
    if (!planes) {
        return llama_host_fail(host, LLAMA_HOST_E_MEMORY, "media: out of memory for %u positions",
                               m->count);
    }
    status = llama_host_positions(host, m, planes, &n_pos);
    if (status == LLAMA_HOST_OK) {
        status = decode_at(host, m, planes, plane_count, logits);
    }
    free(planes);
    if (status == LLAMA_HOST_OK) {
        host->n_past += n_pos;
        host->cells += m->count;
    }
    return status;
}
