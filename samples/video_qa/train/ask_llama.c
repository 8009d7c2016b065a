/* ask_llama.c: asks the exported model through stock llama.cpp (mtmd); check_export.py builds and
 * runs it. Not part of the build.
 *
 * usage: ask_llama MMPROJ TEXT-MODEL FRAMES SIDE < QUESTIONS
 *
 * A line of QUESTIONS: a file of FRAMES raw RGB pictures of SIDE x SIDE, a tab, a prompt with
 * FRAMES media markers, its newlines written as \n. Or a tab first, and a text: it is only
 * tokenised. Answers, a line each: the token ids of the text, or the greedy answer's ids, a tab,
 * and the logits before its first token. Written against b10256; runs on the CPU. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llama.h"
#include "mtmd-helper.h"
#include "mtmd.h"

enum { LINE_MOST = 1 << 16, TOKENS_MOST = 4096, FRAMES_MOST = 64, ANSWER_MOST = 16 };

static void quiet(enum ggml_log_level level, const char *text, void *user)
{
    (void)user;
    if (level == GGML_LOG_LEVEL_ERROR)
        fputs(text, stderr);
}

/* \n written out becomes a newline, in place. */
static void unescape(char *s)
{
    char *to = s;
    for (; *s; ++s) {
        const bool newline = s[0] == '\\' && s[1] == 'n';
        *to++ = newline ? '\n' : *s;
        s += newline;
    }
    *to = '\0';
}

static bool tokenise(const struct llama_vocab *vocab, const char *text)
{
    static llama_token ids[TOKENS_MOST];
    const int32_t n =
        llama_tokenize(vocab, text, (int32_t)strlen(text), ids, TOKENS_MOST, false, false);
    for (int32_t i = 0; i < n; ++i)
        printf("%s%d", i ? " " : "", ids[i]);
    putchar('\n');
    return n >= 0;
}

static bool answer(struct llama_context *llama, const struct llama_vocab *vocab, llama_pos at)
{
    float *first = NULL;
    const int32_t count = llama_vocab_n_tokens(vocab);
    for (int step = 0; step < ANSWER_MOST; ++step) {
        const float *logits = llama_get_logits_ith(llama, -1);
        if (step == 0 && (first = malloc((size_t)count * sizeof *first)))
            memcpy(first, logits, (size_t)count * sizeof *first);
        llama_token best = 0;
        for (llama_token i = 1; i < count; ++i)
            if (logits[i] > logits[best])
                best = i;
        printf("%s%d", step ? " " : "", best);
        if (llama_vocab_is_eog(vocab, best))
            break;
        struct llama_batch one = llama_batch_init(1, 0, 1);
        one.n_tokens = 1, one.token[0] = best, one.pos[0] = at++, one.n_seq_id[0] = 1;
        one.seq_id[0][0] = 0, one.logits[0] = true;
        const int32_t code = llama_decode(llama, one);
        llama_batch_free(one);
        if (code) {
            free(first);
            return false;
        }
    }
    putchar('\t');
    for (int32_t i = 0; first && i < count; ++i)
        printf("%s%.5g", i ? " " : "", (double)first[i]);
    putchar('\n');
    free(first);
    return true;
}

static bool ask(mtmd_context *mtmd, struct llama_context *llama, const struct llama_vocab *vocab,
                const char *file, const char *prompt, int frames, uint32_t side)
{
    const size_t bytes = (size_t)side * side * 3;
    unsigned char *rgb = malloc(bytes);
    mtmd_bitmap *pictures[FRAMES_MOST] = {0};
    mtmd_input_chunks *chunks = mtmd_input_chunks_init();
    FILE *f = fopen(file, "rb");
    bool fine = f && rgb && chunks;
    for (int i = 0; fine && i < frames; ++i) {
        fine = fread(rgb, 1, bytes, f) == bytes;
        pictures[i] = fine ? mtmd_bitmap_init(side, side, rgb) : NULL;
    }
    const mtmd_input_text text = {.text = prompt, .text_len = strlen(prompt), .add_special = true,
                                  .parse_special = true};
    llama_pos past = 0;
    llama_memory_clear(llama_get_memory(llama), true);
    fine = fine && !mtmd_tokenize(mtmd, chunks, &text, (const mtmd_bitmap **)pictures,
                                  (size_t)frames) &&
           !mtmd_helper_eval_chunks(mtmd, llama, chunks, 0, 0, 512, true, &past) &&
           answer(llama, vocab, past);
    for (int i = 0; i < frames; ++i)
        if (pictures[i])
            mtmd_bitmap_free(pictures[i]);
    mtmd_input_chunks_free(chunks);
    if (f)
        fclose(f);
    free(rgb);
    return fine;
}

int main(int argc, char **argv)
{
    const int frames = argc == 5 ? atoi(argv[3]) : 0;
    if (frames < 1 || frames > FRAMES_MOST) {
        fputs("usage: ask_llama MMPROJ TEXT-MODEL FRAMES SIDE < QUESTIONS\n", stderr);
        return 2;
    }
    llama_log_set(quiet, NULL);
    mtmd_helper_log_set(quiet, NULL);
    llama_backend_init();
    struct llama_model_params mp = llama_model_default_params();
    mp.n_gpu_layers = 0;
    struct llama_model *model = llama_model_load_from_file(argv[2], mp);
    struct llama_context_params lp = llama_context_default_params();
    lp.n_ctx = 2048, lp.n_threads = 1, lp.n_threads_batch = 1;
    struct llama_context *llama = model ? llama_init_from_model(model, lp) : NULL;
    struct mtmd_context_params cp = mtmd_context_params_default();
    cp.use_gpu = false, cp.n_threads = 1, cp.warmup = false;
    mtmd_context *mtmd = llama ? mtmd_init_from_file(argv[1], model, cp) : NULL;
    bool fine = mtmd != NULL;
    static char line[LINE_MOST];
    while (fine && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (!tab)
            continue;
        *tab = '\0';
        unescape(tab + 1);
        fine = tab == line ? tokenise(llama_model_get_vocab(model), tab + 1)
                           : ask(mtmd, llama, llama_model_get_vocab(model), line, tab + 1, frames,
                                 (uint32_t)atoi(argv[4]));
    }
    mtmd_free(mtmd);
    if (llama)
        llama_free(llama);
    if (model)
        llama_model_free(model);
    return fine ? 0 : 1;
}
