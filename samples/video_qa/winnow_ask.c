/* winnow-ask: questions about videos and pictures, answered by a model of llama.cpp with the visual
 * tokens that a Winnow pipeline keeps. See README.md. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <frames.h>
#include <llama.h>

#include "live.h"
#include "options.h"
#include "say.h"
#include "say_llama.h"
#include "session.h"

static bool read_films(session *s)
{
    const film_choice choice = {.frames = s->o->frames, .max_side = s->o->max_side};
    for (uint32_t i = 0; i < s->o->media.count; i++) {
        s->film_count = i + 1;
        if (!film_read(&s->films[i], &s->encoder, s->o->media.items[i], &choice)) {
            return false;
        }
    }
    return true;
}

/* A question that fails, as one that is too long, does not end it. */
static bool interact(session *s)
{
    const bool terminal = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    char *line = NULL;
    size_t room = 0;
    bool good = true;
    while (true) {
        if (terminal) {
            fputs("> ", stderr);
        }
        if (getline(&line, &room, stdin) < 0) {
            break;
        }
        good = session_ask(s, line) && good;
    }
    free(line);
    if (terminal) {
        fputc('\n', stderr);
    }
    return good;
}

/* Questions that are wrong in themselves are told before anything is loaded. */
static bool check_questions(const options *o)
{
    for (uint32_t i = 0; i < o->questions.count; i++) {
        char *text;
        const bool good = session_trim(o->questions.items[i], &text);
        free(text);
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool run(session *s, const options *o)
{
    if ((o->picture && !picture_check(o->picture)) || !check_questions(o) || !session_open(s, o)) {
        return false;
    }
    if (o->live) {
        return live_run(s);
    }
    if (!read_films(s) || !session_look(s)) {
        return false;
    }
    bool good = true;
    for (uint32_t i = 0; good && i < o->questions.count; i++) {
        good = session_ask(s, o->questions.items[i]);
    }
    return good && (!o->interactive || interact(s));
}

static int print_version(void)
{
    const winnow_api *api = winnow_get_api(WINNOW_ABI);
    printf("winnow-ask with Winnow %s, built for llama.cpp %s\n",
           api ? api->version : "of another ABI", LLAMA_BUILT_FOR);
    return 0;
}

int main(int argc, char **argv)
{
    static session s;
    static options o;
    say_program = "winnow-ask";
    if (!options_read(&o, argc, argv)) {
        return 1;
    }
    if (o.help) {
        options_help();
        return 0;
    }
    if (o.version) {
        return print_version();
    }
    frames_quiet_libav();
    llama_log_set(say_llama_log(o.verbose), NULL);
    llama_backend_init();
    const bool good = run(&s, &o);
    session_close(&s);
    llama_backend_free();
    return good ? 0 : 1;
}
