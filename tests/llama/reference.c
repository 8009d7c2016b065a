/* reference.c: what llama.cpp itself makes of a prompt with a picture; check_llama.py's oracle.
 *
 * usage: reference MODEL MMPROJ PICTURE.ppm PROMPT STEPS BATCH OUT [KEPT original|compact]
 *
 * OUT: each step's logits, f32. Without KEPT llama.cpp's own mtmd_helper_eval_chunks does it all.
 * With KEPT (a line of token numbers for each picture chunk) those rows of mtmd's are fed by hand:
 * consecutive positions, or under M-RoPE those that mtmd_image_tokens_get_decoder_pos gives them,
 * with the text behind the whole picture; compact: places are ranks, in the text's order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llama.h"
#include "mtmd-helper.h"
#include "mtmd.h"

enum { LINE_SIZE = 1 << 16, CONTEXT = 2048 };

typedef struct session {
    struct llama_model *model;
    struct llama_context *context;
    mtmd_context *mtmd;
    mtmd_input_chunks *chunks;
    int32_t n_batch, n_past;
    FILE *kept;
    bool compact;
} session;

__attribute__((noreturn)) static void stop(const char *what, const char *which)
{
    fprintf(stderr, "reference: %s %s\n", what, which);
    exit(1);
}

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR) {
        fputs(text, stderr);
    }
}

static mtmd_bitmap *read_picture(const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned w = 0, h = 0;
    if (!file || fscanf(file, "P6 %u %u 255", &w, &h) != 2 || fgetc(file) == EOF) {
        stop("cannot read", path);
    }
    unsigned char *rgb = calloc((size_t)w * h, 3);
    if (!rgb || fread(rgb, 3, (size_t)w * h, file) != (size_t)w * h) {
        stop("cut short:", path);
    }
    mtmd_bitmap *bitmap = mtmd_bitmap_init(w, h, rgb);
    free(rgb);
    fclose(file);
    return bitmap;
}

static void open_session(session *s, char **argv)
{
    struct llama_model_params mp = llama_model_default_params();
    struct llama_context_params cp = llama_context_default_params();
    struct mtmd_context_params vp = mtmd_context_params_default();
    mp.n_gpu_layers = 0;
    s->model = llama_model_load_from_file(argv[1], mp);
    vp.use_gpu = false;
    vp.warmup = false;
    vp.print_timings = false;
    s->mtmd = s->model ? mtmd_init_from_file(argv[2], s->model, vp) : NULL;
    if (!s->mtmd) {
        stop("cannot load", argv[s->model ? 2 : 1]);
    }
    s->n_batch = atoi(argv[6]);
    cp.n_ctx = CONTEXT;
    cp.n_batch = cp.n_ubatch = (uint32_t)s->n_batch;
    s->context = llama_init_from_model(s->model, cp);
    mtmd_bitmap *bitmap = read_picture(argv[3]);
    const mtmd_input_text text = {
        .text = argv[4], .text_len = strlen(argv[4]), .add_special = true, .parse_special = true};
    s->chunks = mtmd_input_chunks_init();
    if (!s->context ||
        mtmd_tokenize(s->mtmd, s->chunks, &text, (const mtmd_bitmap *[]){bitmap}, 1)) {
        stop("cannot prepare", argv[3]);
    }
    mtmd_bitmap_free(bitmap);
}

static int32_t read_kept(session *s, int32_t *kept, int32_t most)
{
    static char line[LINE_SIZE];
    int32_t count = 0;
    if (!fgets(line, sizeof line, s->kept)) {
        stop("too few lines in", "KEPT");
    }
    for (char *at = line, *end; count < most; at = end) {
        const long n = strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        kept[count++] = (int32_t)n;
    }
    return count;
}

/* How many different values of a plane are below value i. */
static llama_pos rank_of(const llama_pos *plane, int32_t count, int32_t i)
{
    llama_pos rank = 0;
    for (int32_t a = 0; a < count; a++) {
        bool first = plane[a] < plane[i];
        for (int32_t b = 0; b < a; b++) {
            first = first && plane[b] != plane[a];
        }
        rank += first;
    }
    return rank;
}

/* Positions [4, count] of kept tokens; gives those that the picture takes. */
static llama_pos place(const session *s, const mtmd_input_chunk *chunk, const int32_t *kept,
                       int32_t count, llama_pos *pos)
{
    const mtmd_image_tokens *image = mtmd_input_chunk_get_tokens_image(chunk);
    llama_pos whole = mtmd_input_chunk_get_n_pos(chunk);
    if (!mtmd_decode_use_mrope(s->mtmd)) {
        for (int32_t i = 0; i < count; i++) {
            pos[i] = s->n_past + i;
        }
        return count;
    }
    for (int32_t i = 0; i < count; i++) {
        const struct mtmd_decoder_pos p =
            mtmd_image_tokens_get_decoder_pos(image, s->n_past, (size_t)kept[i]);
        pos[i] = (llama_pos)p.t;
        pos[count + i] = (llama_pos)p.y;
        pos[2 * count + i] = (llama_pos)p.x;
        pos[3 * count + i] = (llama_pos)p.z;
    }
    if (s->compact) {
        llama_pos *ranks = calloc((size_t)count * 3, sizeof *ranks);
        whole = 0;
        for (int32_t i = 0; ranks && i < 3 * count; i++) {
            ranks[i] = rank_of(pos + i / count * count, count, i % count);
            whole = ranks[i] + 1 > whole ? ranks[i] + 1 : whole;
        }
        for (int32_t i = 0; ranks && i < 3 * count; i++) {
            pos[i] = s->n_past + ranks[i];
        }
        free(ranks);
    }
    return whole;
}

/* One batch: these pictures are small. */
static void feed_rows(session *s, const mtmd_input_chunk *chunk)
{
    const int32_t all = (int32_t)mtmd_input_chunk_get_n_tokens(chunk);
    const size_t width = (size_t)llama_model_n_embd_inp(s->model);
    struct llama_batch batch = llama_batch_init(all, (int32_t)width, 1);
    int32_t *kept = calloc((size_t)all, sizeof *kept);
    llama_pos *pos = calloc((size_t)all * 4, sizeof *pos), *own = batch.pos;
    if (!kept || !pos || mtmd_encode_chunk(s->mtmd, chunk)) {
        stop("cannot encode", "a chunk");
    }
    const float *rows = mtmd_get_output_embd(s->mtmd);
    batch.n_tokens = read_kept(s, kept, all);
    for (int32_t i = 0; i < batch.n_tokens; i++) {
        memcpy(batch.embd + (size_t)i * width, rows + (size_t)kept[i] * width,
               width * sizeof *rows);
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = false;
    }
    const llama_pos taken = place(s, chunk, kept, batch.n_tokens, pos);
    const bool non_causal = mtmd_decode_use_non_causal(s->mtmd, chunk);
    batch.pos = pos;
    llama_set_causal_attn(s->context, !non_causal);
    if (llama_decode(s->context, batch)) {
        stop("cannot decode", "rows");
    }
    llama_set_causal_attn(s->context, true);
    s->n_past += taken;
    batch.pos = own;
    llama_batch_free(batch);
    free(kept);
    free(pos);
}

static void prefill(session *s)
{
    const size_t count = mtmd_input_chunks_size(s->chunks);
    if (!s->kept) {
        if (mtmd_helper_eval_chunks(s->mtmd, s->context, s->chunks, 0, 0, s->n_batch, true,
                                    &s->n_past)) {
            stop("cannot evaluate", "the prompt");
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(s->chunks, i);
        llama_pos next = s->n_past;
        if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_IMAGE) {
            feed_rows(s, chunk);
        } else if (mtmd_helper_eval_chunk_single(s->mtmd, s->context, chunk, s->n_past, 0,
                                                 s->n_batch, i + 1 == count, &next)) {
            stop("cannot evaluate", "text");
        } else {
            s->n_past = next;
        }
    }
}

static void answer(session *s, int steps, FILE *out)
{
    const int32_t count = llama_vocab_n_tokens(llama_model_get_vocab(s->model));
    struct llama_batch batch = llama_batch_init(1, 0, 1);
    for (int i = 0; i < steps; i++) {
        const float *logits = llama_get_logits_ith(s->context, -1);
        llama_token top = 0;
        for (llama_token t = 1; t < count; t++) {
            top = logits[t] > logits[top] ? t : top;
        }
        fwrite(logits, sizeof *logits, (size_t)count, out);
        batch.n_tokens = 1;
        batch.token[0] = top;
        batch.pos[0] = s->n_past++;
        batch.n_seq_id[0] = 1;
        batch.seq_id[0][0] = 0;
        batch.logits[0] = true;
        if (llama_vocab_is_eog(llama_model_get_vocab(s->model), top)) {
            break;
        }
        if (llama_decode(s->context, batch)) {
            stop("cannot decode", "a token");
        }
    }
    llama_batch_free(batch);
}

int main(int argc, char **argv)
{
    session s = {0};
    if (argc != 8 && argc != 10) {
        stop("usage: MODEL MMPROJ PICTURE.ppm PROMPT STEPS BATCH OUT", "[KEPT original|compact]");
    }
    FILE *out = fopen(argv[7], "wb");
    s.kept = argc > 8 ? fopen(argv[8], "r") : NULL;
    s.compact = argc > 9 && strcmp(argv[9], "compact") == 0;
    if (!out || (argc > 8 && !s.kept)) {
        stop("cannot open", argv[out ? 8 : 7]);
    }
    llama_log_set(quiet, NULL);
    mtmd_helper_log_set(quiet, NULL);
    llama_backend_init();
    open_session(&s, argv);
    prefill(&s);
    answer(&s, atoi(argv[5]), out);
    if (s.kept) {
        fclose(s.kept);
    }
    mtmd_input_chunks_free(s.chunks);
    mtmd_free(s.mtmd);
    llama_free(s.context);
    llama_model_free(s.model);
    llama_backend_free();
    return fclose(out) ? 1 : 0;
}
