#include "prefill.h"

#include <stdlib.h>

#include <llama.h>

#include "asker.h"
#include "say.h"
#include "say_llama.h"

enum { BATCH = 512, TEXT_ROOM = 512 };

struct prefill {
    asker_model model;
    asker asker;
    const char *question;
};

static void close_all(prefill *p)
{
    if (p) {
        asker_close(&p->asker);
        asker_model_close(&p->model);
        free(p);
        llama_backend_free();
    }
}

/* The text around the media is not known before they are: room for a frame's marks too. */
static uint32_t context_for(uint32_t visual)
{
    return visual + visual / 4 + TEXT_ROOM;
}

static bool open_all(prefill **out, const prefill_options *o, const film_encoder *e, uint32_t most)
{
    const asker_options ask = {.model = o->model,
                               .context = context_for(most),
                               .batch = BATCH,
                               .threads = o->threads,
                               .answer = 1,
                               .gpu_layers = -1};
    prefill *p = calloc(1, sizeof *p);
    *out = p;
    if (!p) {
        return say_failed("out of memory for a language model");
    }
    p->question = o->question;
    llama_log_set(say_llama_log(false), NULL);
    llama_backend_init();
    if (asker_model_open(&p->model, &ask, e) && asker_open(&p->asker, &p->model, NULL)) {
        return true;
    }
    close_all(p);
    *out = NULL;
    return false;
}

static bool first_token(prefill *p, const film *f, const film_rows *rows, prefill_counts *out)
{
    const prompt_media media = {.film = f, .rows = rows};
    asker_answer answer = {0};
    const bool good = asker_show(&p->asker, &media, 1) &&
                      asker_ask(&p->asker, p->question, false, NULL, NULL, &answer);
    *out = (prefill_counts){.visual = p->asker.prompt.visual,
                            .text = p->asker.prompt.text + answer.question,
                            .cells = answer.cells};
    asker_answer_free(&answer);
    return good;
}

__attribute__((visibility("default"))) const prefill_api *winnow_prefill(void);

const prefill_api *winnow_prefill(void)
{
    static const prefill_api api = {.abi = PREFILL_ABI,
                                    .film_bytes = sizeof(film),
                                    .rows_bytes = sizeof(film_rows),
                                    .llama = LLAMA_BUILT_FOR,
                                    .open = open_all,
                                    .close = close_all,
                                    .first_token = first_token};
    return &api;
}
