/* reference.c: what llama.cpp itself makes of a prompt with pictures; the oracle of check_*.py.
 *
 * usage: reference MODEL MMPROJ PICTURE.ppm[,PICTURE.ppm] PROMPT STEPS BATCH OUT [NAME=VALUE ...]
 *
 * OUT: each step's logits, f32. Alone, llama.cpp's own mtmd_helper_eval_chunks does it all.
 *   kept=FILE   (a line of token numbers for each picture chunk): those rows of mtmd's are fed by
 *               hand, at consecutive positions, or under M-RoPE where they are in the whole
 *               picture, with the text behind all of it
 *   how=compact places are ranks, in the text's order
 *   how=video   all picture chunks are frames of one video, tick=T (1) apart in time, with the text
 *               around the first and the last
 *   pairs=yes   neighbouring pictures are frames that Qwen-VL takes as one (older mtmd: always)
 *   seen=FILE   numbers among all visual tokens: the first line's others are removed from the cache
 *               behind the prompt. Where there are more lines (one for each step) they stay in the
 *               cache, and each step sees those of its line
 *   attention=FILE layer=L  the last prompt token's: i32 count and positions of the visual tokens,
 *               then f32 [heads, cells] of the layer's softmax */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml.h"
#include "llama.h"
#include "mtmd-helper.h"
#include "mtmd.h"

enum { LINE_SIZE = 1 << 16, CONTEXT = 2048, PICTURES = 16, STORE = 1 };

typedef struct session {
    struct llama_model *model;
    struct llama_context *context;
    mtmd_context *mtmd;
    mtmd_input_chunks *chunks;
    int32_t n_batch, n_past;
    FILE *kept, *seen, *attention;
    bool compact, video, pairs, many; /* many: lines of seen */
    int layer;
    bool wanted;               /* the attention of what is decoded now */
    llama_pos visual[CONTEXT]; /* where visual tokens are */
    int32_t visual_count, frame;
    double tick; /* places in time from a frame to the next */
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

/* The last query's row of all heads; tensors of the CPU backend are plain memory. */
static bool watch(struct ggml_tensor *node, bool ask, void *user)
{
    session *s = user;
    char name[32];
    snprintf(name, sizeof name, "kq_soft_max-%d", s->layer);
    if (!s->wanted || strcmp(node->name, name) != 0) {
        return !ask;
    }
    for (int64_t h = 0; !ask && h < node->ne[2]; h++) {
        const char *row = (const char *)node->data + (size_t)h * node->nb[2] +
                          (size_t)(node->ne[1] - 1) * node->nb[1];
        fwrite(row, sizeof(float), (size_t)node->ne[0], s->attention);
    }
    return true;
}

static size_t read_pictures(const session *s, char *paths, const mtmd_bitmap **bitmaps)
{
    size_t count = 0;
    (void)s;
    for (char *at = strtok(paths, ","); at; at = strtok(NULL, ",")) {
        if (count == PICTURES) {
            stop("too many pictures, from", at);
        }
        mtmd_bitmap *bitmap = read_picture(at);
#ifdef LLAMA_MERGEABLE
        mtmd_bitmap_set_mergeable(bitmap, s->pairs);
#endif
        bitmaps[count++] = bitmap;
    }
    return count;
}

static void open_session(session *s, char **argv)
{
    const mtmd_bitmap *bitmaps[PICTURES];
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
    if (s->seen || s->attention) {
        cp.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        cp.n_seq_max = s->many ? 2 : 1;
        cp.kv_unified = s->many;
    }
    if (s->attention) {
        cp.cb_eval = watch;
        cp.cb_eval_user_data = s;
    }
    s->context = llama_init_from_model(s->model, cp);
    const size_t count = read_pictures(s, argv[3], bitmaps);
    const mtmd_input_text text = {
        .text = argv[4], .text_len = strlen(argv[4]), .add_special = true, .parse_special = true};
    s->chunks = mtmd_input_chunks_init();
    if (!s->context || mtmd_tokenize(s->mtmd, s->chunks, &text, bitmaps, count)) {
        stop("cannot prepare", argv[3]);
    }
    for (size_t i = 0; i < count; i++) {
        mtmd_bitmap_free((mtmd_bitmap *)bitmaps[i]);
    }
}

static int32_t read_line(FILE *file, int32_t *kept, int32_t most)
{
    static char line[LINE_SIZE];
    int32_t count = 0;
    if (!fgets(line, sizeof line, file)) {
        stop("too few lines in", "kept or seen");
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
    for (int32_t i = 0; s->video && i < count; i++) {
        pos[i] += (llama_pos)(s->frame * s->tick);
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
static void feed_rows(session *s, const mtmd_input_chunk *chunk, bool last)
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
    batch.n_tokens = read_line(s->kept, kept, all);
    for (int32_t i = 0; i < batch.n_tokens; i++) {
        memcpy(batch.embd + (size_t)i * width, rows + (size_t)kept[i] * width,
               width * sizeof *rows);
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = last && i + 1 == batch.n_tokens;
    }
    const llama_pos taken = place(s, chunk, kept, batch.n_tokens, pos);
    const bool non_causal = mtmd_decode_use_non_causal(s->mtmd, chunk);
    for (int32_t i = 0; i < batch.n_tokens; i++) {
        s->visual[s->visual_count++] = pos[i];
    }
    batch.pos = pos;
    llama_set_causal_attn(s->context, !non_causal);
    if (batch.n_tokens > 0 && llama_decode(s->context, batch)) {
        stop("cannot decode", "rows");
    }
    llama_set_causal_attn(s->context, true);
    if (!s->video) {
        s->n_past += taken;
    }
    batch.pos = own;
    llama_batch_free(batch);
    free(kept);
    free(pos);
}

/* Whether a chunk is text inside a video: the frames have none between them. */
static bool is_between(const session *s, size_t i)
{
    bool before = false, behind = false;
    for (size_t k = 0; k < mtmd_input_chunks_size(s->chunks); k++) {
        const bool picture = mtmd_input_chunk_get_type(mtmd_input_chunks_get(s->chunks, k)) ==
                             MTMD_INPUT_CHUNK_TYPE_IMAGE;
        before = before || (picture && k < i);
        behind = behind || (picture && k > i);
    }
    return s->video && before && behind;
}

/* Text, or a picture of which all rows stay. */
static void feed_whole(session *s, const mtmd_input_chunk *chunk, bool last)
{
    llama_pos next = s->n_past;
    if (mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_IMAGE) {
        for (size_t k = 0; k < mtmd_input_chunk_get_n_tokens(chunk); k++) {
            s->visual[s->visual_count++] = s->n_past + (llama_pos)k;
        }
    }
    if (mtmd_helper_eval_chunk_single(s->mtmd, s->context, chunk, s->n_past, 0, s->n_batch, last,
                                      &next)) {
        stop("cannot evaluate", "a chunk");
    }
    s->n_past = next;
}

static void prefill(session *s)
{
    const size_t count = mtmd_input_chunks_size(s->chunks);
    llama_pos taken = 0;
    if (!s->kept && !s->seen && !s->attention) {
        if (mtmd_helper_eval_chunks(s->mtmd, s->context, s->chunks, 0, 0, s->n_batch, true,
                                    &s->n_past)) {
            stop("cannot evaluate", "the prompt");
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const mtmd_input_chunk *chunk = mtmd_input_chunks_get(s->chunks, i);
        const bool picture = mtmd_input_chunk_get_type(chunk) == MTMD_INPUT_CHUNK_TYPE_IMAGE;
        if (s->video && picture) {
            const llama_pos one = mtmd_input_chunk_get_n_pos(chunk);
            feed_rows(s, chunk, i + 1 == count);
            taken = (llama_pos)(s->frame++ * s->tick) + 1;
            taken = one > taken ? one : taken;
        } else if (is_between(s, i)) {
            continue;
        } else if (picture && s->kept) {
            feed_rows(s, chunk, i + 1 == count);
        } else {
            s->n_past += taken;
            taken = 0;
            s->wanted = s->attention && i + 1 == count;
            if (s->wanted) {
                fwrite(&s->visual_count, sizeof s->visual_count, 1, s->attention);
                fwrite(s->visual, sizeof *s->visual, (size_t)s->visual_count, s->attention);
            }
            feed_whole(s, chunk, i + 1 == count);
            s->wanted = false;
        }
    }
}

/* What the next token sees, from behind: the order that llama_cells does not take. */
static void hide(session *s)
{
    static int32_t kept[CONTEXT];
    static bool shown[CONTEXT];
    llama_memory_t memory = llama_get_memory(s->context);
    const int32_t count = read_line(s->seen, kept, s->visual_count);
    if (s->many) {
        llama_memory_seq_cp(memory, 0, STORE, s->n_past - 1, -1);
        llama_memory_seq_rm(memory, 0, -1, -1);
        llama_memory_seq_cp(memory, STORE, 0, -1, -1);
    }
    memset(shown, 0, sizeof shown);
    for (int32_t i = 0; i < count; i++) {
        shown[kept[i]] = true;
    }
    for (int32_t i = s->visual_count - 1; i >= 0; i--) {
        if (!shown[i] && !llama_memory_seq_rm(memory, 0, s->visual[i], s->visual[i] + 1)) {
            stop("cannot remove", "a cell");
        }
    }
}

static void answer(session *s, int steps, FILE *out)
{
    const int32_t count = llama_vocab_n_tokens(llama_model_get_vocab(s->model));
    struct llama_batch batch = llama_batch_init(1, 0, 1);
    if (s->many) { /* hide takes the last token alone */
        llama_memory_seq_cp(llama_get_memory(s->context), 0, STORE, 0, s->n_past - 1);
    }
    for (int i = 0; i < steps; i++) {
        if (s->seen && (s->many || i == 0)) {
            hide(s);
        }
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

static FILE *open_file(const char *path, const char *how)
{
    FILE *file = fopen(path, how);
    if (!file) {
        stop("cannot open", path);
    }
    return file;
}

static void read_option(session *s, const char *word)
{
    const char *value = strchr(word, '=');
    if (!value) {
        stop("no NAME=VALUE:", word);
    }
    value++;
    if (strncmp(word, "kept=", 5) == 0) {
        s->kept = open_file(value, "r");
    } else if (strncmp(word, "seen=", 5) == 0) {
        s->seen = open_file(value, "r");
        for (int c, lines = 0; (c = fgetc(s->seen)) != EOF;) {
            lines += c == '\n';
            s->many = lines > 1;
        }
        rewind(s->seen);
    } else if (strncmp(word, "attention=", 10) == 0) {
        s->attention = open_file(value, "wb");
    } else if (strncmp(word, "layer=", 6) == 0) {
        s->layer = atoi(value);
    } else if (strncmp(word, "how=", 4) == 0) {
        s->compact = strcmp(value, "compact") == 0;
        s->video = strcmp(value, "video") == 0;
    } else if (strncmp(word, "tick=", 5) == 0) {
        s->tick = atof(value);
    } else if (strcmp(word, "pairs=yes") == 0) {
        s->pairs = true;
    } else {
        stop("no such option:", word);
    }
}

int main(int argc, char **argv)
{
    static session s;
    if (argc < 8) {
        stop("usage: MODEL MMPROJ PICTURE.ppm PROMPT STEPS BATCH OUT", "[NAME=VALUE ...]");
    }
    s.tick = 1;
    FILE *out = open_file(argv[7], "wb");
    for (int i = 8; i < argc; i++) {
        read_option(&s, argv[i]);
    }
    llama_log_set(quiet, NULL);
    mtmd_helper_log_set(quiet, NULL);
    llama_backend_init();
    open_session(&s, argv);
    prefill(&s);
    answer(&s, atoi(argv[5]), out);
    for (int i = 0; i < 3; i++) {
        FILE *file = i == 0 ? s.kept : i == 1 ? s.seen : s.attention;
        if (file) {
            fclose(file);
        }
    }
    mtmd_input_chunks_free(s.chunks);
    mtmd_free(s.mtmd);
    llama_free(s.context);
    llama_model_free(s.model);
    llama_backend_free();
    return fclose(out) ? 1 : 0;
}
