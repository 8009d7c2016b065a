#include "options.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "say.h"

typedef enum option_kind { TEXT, CHOICE, COUNT, RATE, SWITCH, QUESTION } option_kind;

typedef struct option {
    const char *name, *value; /* what the value is, or the choices "a|b" */
    option_kind kind;
    size_t offset;
    const char *help;
} option;

#define AT(member) offsetof(options, member)

static const option table[] = {
    {"-m", "LLM.gguf", TEXT, AT(model), "the language model; default: Winnow's own small one"},
    {"--mmproj", "FILE", TEXT, AT(mmproj), "its vision encoder"},
    {"--pipeline", "SPEC", TEXT, AT(pipeline),
     "what reduces the visual tokens, as evs=rate=0.5; default: nothing does"},
    {"--preset", "fast|balanced|careful", CHOICE, AT(preset),
     "in place of a pipeline: a budget that suits, see `winnow stages budget`"},
    {"--frames", "N", COUNT, AT(frames), "frames of a video, evenly spread; default 8"},
    {"--max-side", "N", COUNT, AT(max_side), "longest side of frames; default: as they are"},
    {"--compare", NULL, SWITCH, AT(compare), "ask without the pipeline too, and print a table"},
    {"--picture", "FILE", TEXT, AT(picture),
     "keep a picture of what was looked at: .png, .html or .mp4"},
    {"-i", NULL, SWITCH, AT(interactive), "a question a line from standard input"},
    {"-q", "QUESTION", QUESTION, 0, "a question, as an operand is one"},
    {"--live", "WxH[@FPS]", TEXT, AT(live),
     "raw rgb24 frames on standard input; FPS of the feed, default 25"},
    {"--fps", "R", RATE, AT(sample_fps), "live: frames a second that are looked at; default 1"},
    {"--questions", "FILE", TEXT, AT(questions_file),
     "live: a file, FIFO or terminal with a question a line"},
    {"--answer", "N", COUNT, AT(answer), "tokens of an answer at most; default 64"},
    {"--template", "TEXT", TEXT, AT(template),
     "a prompt with <media>, <question> and \\n; default: the model's own"},
    {"-c", "N", COUNT, AT(context), "context, tokens; default: the model's, at most 4096"},
    {"-b", "N", COUNT, AT(batch), "tokens a batch; default 512"},
    {"-t", "N", COUNT, AT(threads), "threads of llama.cpp; default: one a processor, at most 4"},
    {"--ngl", "N", COUNT, AT(gpu_layers), "layers on llama.cpp's GPU; default: llama.cpp's"},
    {"--mrope", "original|compact", CHOICE, AT(mrope),
     "M-RoPE models: kept tokens stay in their places (default), or close up"},
    {"--backend", "auto|gpu|cpu", CHOICE, AT(backend),
     "of Winnow: a GPU, plain C, or what is faster here (default)"},
    {"--like", "llama|llama-b10256|transformers", CHOICE, AT(like),
     "whose preprocessing the encoder follows; default llama"},
    {"--trace", "FILE", TEXT, AT(trace),
     "write what the language model is given: ids of text, places of rows"},
    {"--verbose", NULL, SWITCH, AT(verbose), "llama.cpp's log too"},
    {"--version", NULL, SWITCH, AT(version), "the versions of Winnow and llama.cpp"},
    {"--help", NULL, SWITCH, AT(help), "this text"},
};

enum { OPTION_COUNT = sizeof table / sizeof table[0] };

void options_help(void)
{
    puts("usage: winnow-ask VIDEO|PICTURE... \"QUESTION\"... [OPTIONS]\n"
         "       winnow-ask -i VIDEO|PICTURE... [OPTIONS]\n"
         "       ... | winnow-ask --live WxH[@FPS] [QUESTION...] [--questions FILE] [OPTIONS]\n\n"
         "Asks a vision-language model of llama.cpp about videos and pictures, with fewer visual\n"
         "tokens. Answers go to standard output, a line on what each took to standard error.\n");
    for (int i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "%s %s", table[i].name, table[i].value ? table[i].value : "");
        printf("  %-24s%s%s\n", left, strlen(left) > 23 ? "\n                          " : "",
               table[i].help);
    }
    puts(
        "\nA video's frames go through the encoder together, so that stages which compare frames\n"
        "see them all; further questions reuse the encoding and the media's part of the cache.\n\n"
        "Live, the last N sampled frames are kept (--frames, --fps), however long the feed is; a\n"
        "question is about these. A line of --questions is asked when it arrives, or, written as\n"
        "\"@12.5 Who came in?\", when the feed has reached 12.5 seconds. Frames are read while an\n"
        "answer is made; where a line with a time is due meanwhile, the feed waits. Questions on\n"
        "the command line are asked when the feed ends.\n\n"
        "Without -m and --mmproj: llm-winnow-qa.gguf and mmproj-winnow-qa.gguf in the folder that\n"
        "WINNOW_QA_MODEL names, in the source tree, or where Winnow is installed.\n\n"
        "  winnow-ask film.mp4 \"What colour was the flash?\" --pipeline evs=rate=0.5 --compare\n"
        "  ffmpeg -i rtsp://... -f rawvideo -pix_fmt rgb24 -s 640x360 -r 25 - |\n"
        "      winnow-ask --live 640x360@25 --questions /dev/tty --pipeline evs=rate=0.5");
}

static bool is_choice(const char *choices, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = choices; length && at; at = strchr(at, '|')) {
        at += *at == '|';
        if (strncmp(at, word, length) == 0 && (at[length] == '|' || at[length] == 0)) {
            return true;
        }
    }
    return false;
}

static bool read_count(const option *row, const char *word, uint32_t *out)
{
    char *end = NULL;
    const unsigned long long n = isdigit((unsigned char)word[0]) ? strtoull(word, &end, 10) : 0;
    if (!end || *end || n > INT32_MAX) {
        return say_failed("%s %s: not a whole number from 0 to %d", row->name, word, INT32_MAX);
    }
    *out = (uint32_t)n;
    return true;
}

static bool read_rate(const char *name, const char *word, double *out)
{
    char *end = NULL;
    const double rate = isdigit((unsigned char)word[0]) ? strtod(word, &end) : 0;
    if (!end || *end || rate < 1e-3 || rate > 1e4) {
        return say_failed("%s %s: not a number of frames a second", name, word);
    }
    *out = rate;
    return true;
}

static bool add(options_list *list, const char *word)
{
    if (list->count == OPTIONS_LIST_MAX) {
        return say_failed("%s: that is one more than %d", word, OPTIONS_LIST_MAX);
    }
    list->items[list->count++] = word;
    return true;
}

static bool set_option(options *o, const option *row, const char *word)
{
    char *at = (char *)o + row->offset;
    switch (row->kind) {
    case COUNT:
        o->gpu_layers_given |= row->offset == AT(gpu_layers);
        return read_count(row, word, (uint32_t *)(void *)at);
    case RATE: return read_rate(row->name, word, (double *)(void *)at);
    case QUESTION: return add(&o->questions, word);
    case SWITCH: *(bool *)(void *)at = true; return true;
    case CHOICE:
        if (!is_choice(row->value, word)) {
            return say_failed("%s %s: it is none of %s", row->name, word, row->value);
        }
        break;
    case TEXT: break;
    }
    *(const char **)(void *)at = word;
    return true;
}

/* A preset is a pipeline. */
static bool take_preset(options *o)
{
    static char spec[48];
    if (!o->preset) {
        return true;
    }
    if (o->pipeline) {
        return say_failed("--preset %s: there is a --pipeline too (leave one out)", o->preset);
    }
    snprintf(spec, sizeof spec, "budget=preset=%s", o->preset);
    o->pipeline = spec;
    return true;
}

static const option *find(const char *word)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(table[i].name, word) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* A word that is meant as a file: one without spaces, with a slash or an ending. */
static bool looks_like_path(const char *word)
{
    const char *dot = strrchr(word, '.');
    const size_t ending = dot ? strspn(dot + 1, "abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
                              : 0;
    return !strpbrk(word, " \t\n?") &&
           (strchr(word, '/') || (ending >= 2 && ending <= 4 && dot[1 + ending] == 0));
}

/* Files come first; the first word that names none is a question, and so are all behind it. */
static bool add_operand(options *o, const char *word)
{
    struct stat about;
    if (o->live || o->questions.count > 0) {
        return add(&o->questions, word);
    }
    if (word[0] && stat(word, &about) == 0) {
        return add(&o->media, word);
    }
    if (looks_like_path(word) || (o->media.count == 0 && !strchr(word, ' '))) {
        return say_failed("%s: there is no such file", word);
    }
    return add(&o->questions, word);
}

/* "640x360@25". */
static bool read_live(options *o)
{
    char *end = NULL;
    const char *word = o->live;
    const unsigned long width = isdigit((unsigned char)word[0]) ? strtoul(word, &end, 10) : 0;
    const bool cross = end && *end == 'x' && isdigit((unsigned char)end[1]);
    const unsigned long height = cross ? strtoul(end + 1, &end, 10) : 0;
    if (width < 1 || height < 1 || width > 16384 || height > 16384 || (*end && *end != '@')) {
        return say_failed("--live %s: not a size with or without a rate, as 640x360 or 640x360@25",
                          word);
    }
    o->live_width = (uint32_t)width;
    o->live_height = (uint32_t)height;
    o->live_fps = 25;
    return *end == 0 || read_rate("--live", end + 1, &o->live_fps);
}

static bool check_source(const options *o)
{
    if (o->live) {
        return o->media.count > 0 || o->interactive
                   ? say_failed("--live: the feed is all that is looked at (leave %s out)",
                                o->interactive ? "-i" : o->media.items[0])
                   : o->questions.count > 0 || o->questions_file ||
                         say_failed("--live: no questions (add --questions FILE, or a question "
                                    "that is asked at the end)");
    }
    if (o->questions_file) {
        return say_failed("--questions: it goes with --live (use -i for questions of a video)");
    }
    if (o->media.count == 0) {
        return say_failed(
            "no video or picture (winnow-ask film.mp4 \"What happens?\"; see --help)");
    }
    return o->questions.count > 0 || o->interactive ||
           say_failed("no question (winnow-ask %s \"What happens?\", or -i)", o->media.items[0]);
}

static bool check(options *o)
{
    const char *zero = !o->frames ? "--frames" : !o->answer ? "--answer" : !o->batch ? "-b" : NULL;
    if (zero) {
        return say_failed("%s 0: give at least 1", zero);
    }
    if (!o->model != !o->mmproj) {
        return say_failed("%s is missing: give both files of a model, or neither for the default",
                          o->model ? "--mmproj" : "-m");
    }
    if (o->compare && !o->pipeline) {
        return say_failed("--compare: there is nothing to compare with (add --pipeline SPEC)");
    }
    if (o->picture && o->media.count > 1) {
        return say_failed("--picture: it shows one video or picture, and there are %u",
                          o->media.count);
    }
    return check_source(o);
}

bool options_read(options *o, int argc, char **argv)
{
    *o = (options){.backend = "auto",
                   .mrope = "original",
                   .like = "llama",
                   .frames = 8,
                   .answer = 64,
                   .batch = 512,
                   .sample_fps = 1};
    bool plain = false;              /* behind "--" all are operands */
    for (int i = 1; i < argc; i++) { /* whether the feed is live decides what operands are */
        o->live = strcmp(argv[i], "--live") == 0 && i + 1 < argc ? argv[i + 1] : o->live;
    }
    for (int i = 1; i < argc; i++) {
        const option *row = plain ? NULL : find(argv[i]);
        if (!row) {
            if (!plain && argv[i][0] == '-' && argv[i][1] && strcmp(argv[i], "--") != 0) {
                return say_failed("%s: there is no such option (see --help)", argv[i]);
            }
            if (!plain && strcmp(argv[i], "--") == 0) {
                plain = true;
            } else if (!add_operand(o, argv[i])) {
                return false;
            }
            continue;
        }
        if (row->kind != SWITCH && i + 1 == argc) {
            return say_failed("%s: its value is missing (%s)", row->name, row->value);
        }
        if (!set_option(o, row, row->kind == SWITCH ? NULL : argv[++i])) {
            return false;
        }
    }
    return o->help || o->version || (take_preset(o) && (!o->live || read_live(o)) && check(o));
}
