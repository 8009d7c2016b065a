#include "prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"
#include "say_llama.h"

#define FAKE "<fake_token_around_image>"

enum { AXES = 3, PIECE_SIZE = 64 };

static const prompt_family families[] = {
    {.name = "mlp", .before = "", .after = ""},
    {.name = "idefics3", .before = "", .after = "", .tiled = true, .each_frame = true},
    {.name = "internvl", .before = "<img>", .after = "</img>", .each_frame = true},
    {.name = "gemma3",
     .before = "<start_of_image>",
     .after = "<end_of_image>",
     .each_frame = true,
     .non_causal = true},
    {.name = "qwen2vl_merger", .before = "<|vision_start|>", .after = "<|vision_end|>"},
    {.name = "qwen2.5vl_merger",
     .before = "<|vision_start|>",
     .after = "<|vision_end|>",
     .places_a_second = 2},
    {.name = "qwen3vl_merger",
     .before = "<|vision_start|>",
     .after = "<|vision_end|>",
     .each_frame = true,
     .stamps = true},
};

enum { FAMILY_COUNT = sizeof families / sizeof families[0] };

const prompt_family *prompt_family_of(const char *name)
{
    for (int i = 0; i < FAMILY_COUNT; i++) {
        if (strcmp(families[i].name, name) == 0) {
            return &families[i];
        }
    }
    return NULL;
}

/* ---- text to tokens ---- */

/* Special tokens in the text are what they say; nothing is added in front. */
static bool tokenize(const struct llama_vocab *vocab, const char *text, llama_token **tokens,
                     uint32_t *count)
{
    const int32_t length = (int32_t)strlen(text);
    int32_t room = length + 8;
    *count = 0;
    *tokens = malloc((size_t)room * sizeof **tokens);
    int32_t n =
        *tokens ? llama_tokenize(vocab, text, length, *tokens, room, false, true) : INT32_MIN;
    if (n < 0 && n > INT32_MIN) {
        room = -n;
        free(*tokens);
        *tokens = malloc((size_t)room * sizeof **tokens);
        n = *tokens ? llama_tokenize(vocab, text, length, *tokens, room, false, true) : INT32_MIN;
    }
    if (n < 0) {
        return say_failed("the prompt: it cannot be split into tokens%s", say_llama_words());
    }
    *count = (uint32_t)n;
    return true;
}

bool prompt_question(const struct llama_vocab *vocab, const prompt_template *t,
                     const char *question, llama_token **tokens, uint32_t *count)
{
    const size_t size = strlen(t->between) + strlen(question) + strlen(t->after) + 1;
    char *text = malloc(size);
    *tokens = NULL;
    if (!text) {
        return say_failed("out of memory for a question");
    }
    snprintf(text, size, "%s%s%s", t->between, question, t->after);
    const bool good = tokenize(vocab, text, tokens, count);
    free(text);
    return good;
}

/* ---- parts ---- */

static prompt_part *add_part(prompt *p)
{
    if (p->count == p->room) {
        const uint32_t room = p->room * 2 + 8;
        prompt_part *larger = realloc(p->parts, room * sizeof *larger);
        if (!larger) {
            say_failed("out of memory for the prompt");
            return NULL;
        }
        p->parts = larger;
        p->room = room;
    }
    p->parts[p->count] = (prompt_part){0};
    return &p->parts[p->count++];
}

static bool add_text(prompt *p, const struct llama_vocab *vocab, const char *text)
{
    if (!text || !text[0]) {
        return true;
    }
    prompt_part *q = add_part(p);
    if (!q || !tokenize(vocab, text, &q->tokens, &q->count)) {
        return false;
    }
    p->text += q->count;
    return true;
}

static bool add_token(prompt *p, llama_token token)
{
    prompt_part *q = add_part(p);
    if (!q || !(q->tokens = malloc(sizeof *q->tokens))) {
        return say_failed("out of memory for the prompt");
    }
    q->tokens[0] = token;
    q->count = 1;
    p->text++;
    return true;
}

/* A token by its name, the first one of that piece as llama.cpp looks it up; where there is none, the
 * text. */
static bool add_named(prompt *p, const struct llama_vocab *vocab, const char *name)
{
    char piece[PIECE_SIZE];
    const int32_t length = (int32_t)strlen(name), count = llama_vocab_n_tokens(vocab);
    for (llama_token id = 0; id < count; id++) {
        if (llama_token_to_piece(vocab, id, piece, sizeof piece, 0, true) == length &&
            memcmp(piece, name, (size_t)length) == 0) {
            return add_token(p, id);
        }
    }
    return add_text(p, vocab, name);
}

static bool add_start(prompt *p, const struct llama_vocab *vocab)
{
    return !llama_vocab_get_add_bos(vocab) || add_token(p, llama_vocab_bos(vocab));
}

/* A group's place in time on M-RoPE's grid. Qwen2.5-VL's are seconds times a factor, by the mean
 * distance of the frames, as transformers has it. */
static int32_t place_in_time(const prompt_family *family, const prompt_media *m, uint32_t group)
{
    const film *f = m->film;
    const uint32_t frames = (f->count + m->rows->grid[0] - 1) / m->rows->grid[0];
    if (family->places_a_second <= 0 || f->count < 2) {
        return (int32_t)group;
    }
    const double apart = (f->seconds[f->count - 1] - f->seconds[0]) / (f->count - 1);
    return (int32_t)(group * apart * frames * family->places_a_second);
}

/* Rows first .. first+count-1, which come from groups from..to, as one media of their own. */
static bool add_rows(prompt *p, const prompt_family *family, const prompt_media *m, uint32_t first,
                     uint32_t count, uint32_t from, uint32_t to)
{
    const film_rows *r = m->rows;
    prompt_part *q = add_part(p);
    if (!q || !(q->places = malloc((size_t)count * AXES * sizeof *q->places))) {
        return say_failed("out of memory for the prompt");
    }
    for (uint32_t i = 0; i < count; i++) {
        const int32_t *place = r->places + (size_t)(first + i) * AXES;
        int32_t *to_place = q->places + (size_t)i * AXES;
        to_place[0] = from == to ? 0 : place_in_time(family, m, (uint32_t)place[0]);
        to_place[1] = place[1];
        to_place[2] = place[2];
    }
    q->rows = r;
    q->first = first;
    q->count = count;
    q->grid[0] = from == to ? 1 : (uint32_t)place_in_time(family, m, to) + 1;
    q->grid[1] = r->grid[1];
    q->grid[2] = r->grid[2];
    p->visual += count;
    return true;
}

/* ---- a film ---- */

/* What stands in front of group t, a picture of its own or a tile. */
static bool add_lead(prompt *p, const struct llama_vocab *vocab, const prompt_family *family,
                     const prompt_media *m, uint32_t t)
{
    char text[96] = "";
    const film *f = m->film;
    const uint32_t frames = (f->count + m->rows->grid[0] - 1) / m->rows->grid[0];
    if (family->stamps && f->is_video) {
        const uint32_t a = t * frames, b = a + frames <= f->count ? a + frames - 1 : f->count - 1;
        snprintf(text, sizeof text, "<%.1f seconds>", (f->seconds[a] + f->seconds[b]) / 2);
        return add_text(p, vocab, text);
    }
    if (family->tiled && f->tiles[t][0] >= 0) {
        snprintf(text, sizeof text, FAKE "<row_%d_col_%d>", f->tiles[t][0] + 1, f->tiles[t][1] + 1);
        return add_text(p, vocab, text);
    }
    return !family->tiled || (add_named(p, vocab, "\n\n") && add_named(p, vocab, FAKE) &&
                              add_named(p, vocab, "<global-img>"));
}

/* And behind it. */
static bool add_trail(prompt *p, const struct llama_vocab *vocab, const prompt_family *family,
                      const prompt_media *m, uint32_t t)
{
    const film *f = m->film;
    if (!family->tiled) {
        return true;
    }
    if (f->tiles[t][0] < 0) {
        return add_named(p, vocab, FAKE);
    }
    const bool row_ends = f->tiles[t][1] + 1 == (int32_t)f->tiles_x;
    const bool more = t + 1 < f->count && f->tiles[t + 1][0] >= 0;
    return !row_ends || !more || add_named(p, vocab, "\n");
}

/* Rows of group t are next to each other, from *at on. */
static uint32_t rows_of(const film_rows *r, uint32_t t, uint32_t at)
{
    uint32_t count = 0;
    while (at + count < r->count && (uint32_t)r->places[(size_t)(at + count) * AXES] == t) {
        count++;
    }
    return count;
}

/* Every group by itself; a frame of which nothing is left is not mentioned. */
static bool add_groups(prompt *p, const struct llama_vocab *vocab, const prompt_family *family,
                       const prompt_media *m)
{
    const film_rows *r = m->rows;
    const bool own = m->film->is_video;
    uint32_t at = 0;
    bool good = own || add_text(p, vocab, family->before);
    for (uint32_t t = 0; good && t < r->grid[0]; t++) {
        const uint32_t count = rows_of(r, t, at);
        if (count == 0 && own) {
            continue;
        }
        good = add_lead(p, vocab, family, m, t) && (!own || add_text(p, vocab, family->before)) &&
               (count == 0 || add_rows(p, family, m, at, count, t, t)) &&
               (!own || add_text(p, vocab, family->after)) && add_trail(p, vocab, family, m, t);
        at += count;
    }
    if (good && at < r->count) {
        return say_failed("the rows of %u frames are not in the order of time (a stage's fault)",
                          r->grid[0]);
    }
    return good && (own || add_text(p, vocab, family->after));
}

static bool add_media(prompt *p, const struct llama_vocab *vocab, const prompt_family *family,
                      const prompt_media *m)
{
    const film_rows *r = m->rows;
    p->visual_before += r->before;
    if (r->count == 0) {
        return say_failed("the pipeline left no visual tokens (let it keep at least one)");
    }
    if (family->each_frame || !m->film->is_video) {
        return add_groups(p, vocab, family, m);
    }
    return add_text(p, vocab, family->before) &&
           add_rows(p, family, m, 0, r->count, 0, r->grid[0] - 1) &&
           add_text(p, vocab, family->after);
}

bool prompt_build(prompt *p, const struct llama_vocab *vocab, const prompt_template *t,
                  const prompt_family *family, const prompt_media *media, uint32_t media_count)
{
    *p = (prompt){0};
    bool good = add_start(p, vocab) && add_text(p, vocab, t->before);
    for (uint32_t i = 0; good && i < media_count; i++) {
        good = add_media(p, vocab, family, &media[i]);
    }
    return good;
}

void prompt_free(prompt *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        free(p->parts[i].tokens);
        free(p->parts[i].places);
    }
    free(p->parts);
    *p = (prompt){0};
}
