/* Bars of the parts, stacked: a picture for pages. */
#include <stdio.h>
#include <string.h>

#include "e2e.h"
#include "output.h"

enum { WIDTH = 960, LEFT = 246, RIGHT = 112, TOP = 104, BAR = 34, STEP = 52, BOTTOM = 30 };

static const char ink[] = "#22262e", grey[] = "#5c626d";
static const char *const colours[E2E_PARTS] = {
    [E2E_PREPARE] = "#c4c8cf",
    [E2E_ENCODER] = "#1b6ca8",
    [E2E_REDUCTION] = "#d1495b",
    [E2E_PREFILL] = "#e0a030",
};

/* Texts come from outside: marks become entities, and bytes that no XML may hold a '?'. */
static void put_escaped(FILE *file, const char *text)
{
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        switch (c) {
        case '&': fputs("&amp;", file); break;
        case '<': fputs("&lt;", file); break;
        case '>': fputs("&gt;", file); break;
        case '"': fputs("&quot;", file); break;
        default: fputc(c < 0x20 || c > 0x7e ? '?' : c, file);
        }
    }
}

static void put_text(FILE *file, double x, double y, int size, const char *anchor,
                     const char *colour, const char *text)
{
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" text-anchor=\"%s\" fill=\"%s\">", x,
            y, size, anchor, colour);
    put_escaped(file, text);
    fputs("</text>\n", file);
}

static const char *milliseconds(double ms, char *text, size_t size)
{
    snprintf(text, size, ms < 10 ? "%.2f ms" : ms < 100 ? "%.1f ms" : "%.0f ms", ms);
    return text;
}

static void draw_legend(FILE *file, const e2e *b)
{
    double x = 24;
    for (uint32_t i = 0; i < E2E_PARTS; i++) {
        if (i == E2E_PREFILL && !b->prefill) {
            continue;
        }
        fprintf(file,
                "<rect x=\"%.1f\" y=\"68\" width=\"16\" height=\"16\" rx=\"2\" fill=\"%s\"/>\n", x,
                colours[i]);
        put_text(file, x + 23, 81, 15, "start", ink, e2e_part_names[i]);
        x += 60 + 9.0 * (double)strlen(e2e_part_names[i]);
    }
}

static void draw_part(FILE *file, const char *name, const char *colour, double x, double y,
                      double width, double ms)
{
    char text[32];
    fprintf(file,
            "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" fill=\"%s\"><title>%s: "
            "%s</title></rect>\n",
            x, y, width, BAR, colour, name, milliseconds(ms, text, sizeof text));
}

/* Bars are as long as the parts' medians together. */
static double length_of(const e2e *b, const e2e_row *r)
{
    double sum = 0;
    for (uint32_t i = 0; i < E2E_PARTS; i++) {
        const double ms = e2e_part_of(b, r, i).median;
        sum += ms > 0 ? ms : 0;
    }
    return sum;
}

static void draw_row(FILE *file, const e2e *b, uint32_t number, double scale)
{
    const e2e_row *r = &b->rows[number];
    const double y = TOP + STEP * number;
    char name[32], text[64];
    double x = LEFT;
    snprintf(name, sizeof name, "%s", r->spec ? r->spec : "none");
    if (r->spec && strlen(r->spec) >= sizeof name) {
        memcpy(name + sizeof name - 3, "..", 3);
    }
    put_text(file, LEFT - 12, y + 15, 15, "end", ink, name);
    snprintf(text, sizeof text, "%u of %u tokens", r->tokens, b->before);
    put_text(file, LEFT - 12, y + 31, 13, "end", grey, text);
    for (uint32_t i = 0; i < E2E_PARTS; i++) {
        const double ms = e2e_part_of(b, r, i).median;
        if (ms > 0) {
            draw_part(file, e2e_part_names[i], colours[i], x, y, ms * scale, ms);
            x += ms * scale;
        }
    }
    put_text(file, x + 9, y + 22, 15, "start", ink,
             milliseconds(e2e_all_of(b, r).median, text, sizeof text));
}

static void draw_all(FILE *file, const e2e *b)
{
    const int height = TOP + STEP * (int)b->row_count + BOTTOM - (STEP - BAR);
    char text[768];
    double longest = 0;
    for (uint32_t i = 0; i < b->row_count; i++) {
        const double length = length_of(b, &b->rows[i]);
        longest = length > longest ? length : longest;
    }
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" font-family=\"Helvetica, Arial, sans-serif\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
            WIDTH, height, WIDTH, height, WIDTH, height);
    put_text(file, 24, 32, 19, "start", ink,
             b->prefill ? "From pixels to the first token"
                        : "From pixels to the rows that are left");
    snprintf(text, sizeof text, "%s milliseconds, medians of %u rounds; %s%s%s",
             b->cpu ? "CPU" : "Clock", b->rounds, engine_device_name(&(engine){.info = b->device}),
             b->prefill ? "; llama.cpp " : "", b->prefill ? b->llama->llama : "");
    put_text(file, 24, 53, 14, "start", grey, text);
    draw_legend(file, b);
    for (uint32_t i = 0; i < b->row_count; i++) {
        draw_row(file, b, i, longest > 0 ? (WIDTH - LEFT - RIGHT) / longest : 0);
    }
    fputs("</svg>\n", file);
}

int e2e_draw(const e2e *b, const char *path)
{
    output out;
    const int exit_code = output_open(&out, path);
    if (exit_code) {
        return exit_code;
    }
    draw_all(out.file, b);
    return output_commit(&out);
}
