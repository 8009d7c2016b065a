#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "mtmd-helper.h"

enum { CONTEXT = 2048, LINE_SIZE = 1 << 14 };

static struct llama_context *open_context(const host *h)
{
    struct llama_context_params cp = llama_context_default_params();
    cp.n_ctx = CONTEXT;
    cp.n_batch = cp.n_ubatch = CONTEXT;
    cp.n_threads = cp.n_threads_batch = 1;
    struct llama_context *context = llama_init_from_model(h->model, cp);
    if (!context) {
        stop("no context of", "the model");
    }
    return context;
}

static void write_logits(const host *h, struct llama_context *context, FILE *out)
{
    const int32_t count = llama_vocab_n_tokens(llama_model_get_vocab(h->model));
    fwrite(llama_get_logits_ith(context, -1), sizeof(float), (size_t)count, out);
    llama_free(context);
}

void decode_by_helper(host *h, FILE *out)
{
    struct llama_context *context = open_context(h);
    llama_pos end = 0;
    if (mtmd_helper_eval_chunks(h->mtmd, context, h->chunks, 0, 0, CONTEXT, true, &end) ||
        end != mtmd_helper_get_n_pos(h->chunks)) {
        stop("the helper does not decode", "the chunks");
    }
    write_logits(h, context, out);
}

/* Numbers of a line, or all below `count`. */
static int32_t read_kept(FILE *kept, int32_t *numbers, int32_t count)
{
    char line[LINE_SIZE];
    int32_t used = 0;
    for (int32_t i = 0; !kept && i < count; i++) {
        numbers[used++] = i;
    }
    if (kept && !fgets(line, sizeof line, kept)) {
        stop("too few lines of", "kept tokens");
    }
    for (char *at = line, *end; kept && used < count; at = end) {
        const long number = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        numbers[used++] = (int32_t)number;
    }
    return used;
}

static void fill(struct llama_batch *batch, int32_t i, bool logits)
{
    batch->n_seq_id[i] = 1;
    batch->seq_id[i][0] = 0;
    batch->logits[i] = logits;
}

/* Without M-RoPE text goes on behind the rows, with it behind the whole picture. */
static llama_pos decode_rows(const host *h, struct llama_context *context,
                             const mtmd_input_chunk *chunk, FILE *kept, llama_pos at)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(chunk);
    const int32_t all = (int32_t)mtmd_input_chunk_get_n_tokens(chunk);
    const size_t width = (size_t)llama_model_n_embd_inp(h->model);
    const bool mrope = mtmd_decode_use_mrope(h->mtmd);
    struct llama_batch batch = llama_batch_init(all, (int32_t)width, 1);
    int32_t *numbers = calloc((size_t)all, sizeof *numbers);
    llama_pos *pos = calloc((size_t)all * 4, sizeof *pos), *own = batch.pos;
    if (!numbers || !pos || mtmd_encode_chunk(h->mtmd, chunk)) {
        stop("cannot encode", "a chunk");
    }
    const float *rows = mtmd_get_output_embd(h->mtmd);
    const int32_t count = batch.n_tokens = read_kept(kept, numbers, all);
    for (int32_t i = 0; i < count; i++) {
        const struct mtmd_decoder_pos p =
            mtmd_image_tokens_get_decoder_pos(image, at, (size_t)numbers[i]);
        memcpy(batch.embd + (size_t)i * width, rows + (size_t)numbers[i] * width,
               width * sizeof *rows);
        pos[i] = mrope ? (llama_pos)p.t : at + i;
        if (mrope) {
            pos[count + i] = (llama_pos)p.y;
            pos[2 * count + i] = (llama_pos)p.x;
            pos[3 * count + i] = (llama_pos)p.z;
        }
        fill(&batch, i, false);
    }
    batch.pos = pos;
    llama_set_causal_attn(context, !mtmd_decode_use_non_causal(h->mtmd, chunk));
    if (llama_decode(context, batch)) {
        stop("cannot decode", "rows");
    }
    llama_set_causal_attn(context, true);
    batch.pos = own;
    llama_batch_free(batch);
    free(numbers);
    free(pos);
    return mrope ? mtmd_input_chunk_get_n_pos(chunk) : count;
}

static llama_pos decode_text(struct llama_context *context, const mtmd_input_chunk *chunk,
                             llama_pos at, bool last)
{
    size_t count = 0;
    const llama_token *tokens = mtmd_input_chunk_get_tokens_text(chunk, &count);
    struct llama_batch batch = llama_batch_init((int32_t)count, 0, 1);
    batch.n_tokens = (int32_t)count;
    for (int32_t i = 0; i < batch.n_tokens; i++) {
        batch.token[i] = tokens[i];
        batch.pos[i] = at + i;
        fill(&batch, i, last && i + 1 == batch.n_tokens);
    }
    if (llama_decode(context, batch)) {
        stop("cannot decode", "text");
    }
    llama_batch_free(batch);
    return (llama_pos)count;
}

void decode_by_hand(host *h, FILE *kept, FILE *out)
{
    struct llama_context *context = open_context(h);
    const size_t count = mtmd_input_chunks_size(h->chunks);
    llama_pos at = 0;
    for (size_t i = 0; i < count; i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(h->chunks, i);
        const bool text = mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_TEXT;
        at += text ? decode_text(context, chunk, at, i + 1 == count)
                   : decode_rows(h, context, chunk, kept, at);
    }
    write_logits(h, context, out);
}
