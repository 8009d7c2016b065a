/* fill.c: the rows of every media part, by mtmd's encoder or Winnow's, and through the pipeline. A
 * picture's views are reduced one by one, a video's frames together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunks.h"
#include "say.h"
#include "say_llama.h"

/* Winnow and mtmd must see the same picture in the same views, and the same frames. */
static bool agrees(const prompt *p, const reducer *r, const media_item *m, uint32_t index)
{
    uint32_t views = 0;
    for (uint32_t i = 0; r->views && i < p->count; i++) {
        const part *q = &p->parts[i];
        uint32_t h, w;
        if (q->tokens || q->medium != index) {
            continue;
        }
        views++;
        if (q->view >= r->views->count) {
            continue; /* told below */
        }
        reducer_grid(r, q->view, &h, &w);
        if ((uint64_t)h * w * q->units != q->before ||
            (q->grid[1] && (q->grid[1] != h || q->grid[2] != w))) {
            return say_failed(
                "%s: view %u: Winnow makes %u x %u tokens of it, mtmd %u (try another "
                "--like, or --encoder mtmd without a pipeline)",
                m->path, q->view, h, w, q->before / q->units);
        }
    }
    return !r->views || m->is_video || views == r->views->count ||
           say_failed("%s: Winnow makes %u views of it, mtmd %u (try another --like)", m->path,
                      r->views->count, views);
}

/* Units from `first` on through mtmd's encoder, as [units, count, width]; NULL after a line. */
static float *encode_by_mtmd(prompt *p, uint32_t first, uint32_t units, uint32_t count,
                             uint32_t width)
{
    const double start = say_clock();
    const size_t size = (size_t)count * width;
    float *out = malloc(size * units * sizeof *out);
    if (!out) {
        say_failed("out of memory for visual tokens");
        return NULL;
    }
    for (uint32_t i = 0; i < units; i++) {
        const int32_t code = mtmd_encode_chunk(p->mtmd, p->units[first + i]);
        const float *data = code == 0 ? mtmd_get_output_embd(p->mtmd) : NULL;
        if (!data) {
            say_failed("mtmd cannot encode view %u (status %d)%s", first + i, code,
                       say_llama_words());
            free(out);
            return NULL;
        }
        memcpy(out + size * i, data, size * sizeof *out);
    }
    p->encode_ms += say_clock() - start;
    return out;
}

/* All rows of `units` that start at part q, reduced together. */
static bool make_rows(prompt *p, const options *o, reducer *r, const part *q, uint32_t units,
                      uint32_t width, rows *out)
{
    const uint32_t count = q->before / q->units;
    if (strcmp(o->encoder, "mtmd") != 0) {
        return reducer_encode(r, q->view, out);
    }
    float *data = encode_by_mtmd(p, q->first_unit, units, count, width);
    const bool good = data && reducer_take(r, q->view, data, units, count, width, out);
    free(data);
    return good;
}

static bool fill_picture(prompt *p, const options *o, reducer *r, uint32_t index, uint32_t width)
{
    for (uint32_t i = 0; i < p->count; i++) {
        part *q = &p->parts[i];
        if (q->tokens || q->medium != index) {
            continue;
        }
        if (!make_rows(p, o, r, q, 1, width, &q->rows)) {
            return false;
        }
        p->visual_after += q->rows.count;
    }
    return true;
}

/* The frame of a row: class tokens are in front of all, the pooled rest behind. */
static uint32_t frame_of(int32_t source, uint32_t tokens, uint32_t frames)
{
    return source >= 0 ? (uint32_t)source / tokens : source == -1 ? 0 : frames - 1;
}

/* Where units are more or less than one place apart in time. */
static void place_rows(part *q)
{
    const uint32_t tokens = q->before / q->units;
    for (uint32_t i = 0; q->tick != 1 && i < q->rows.count; i++) {
        int32_t *place = q->rows.places + (size_t)i * 3;
        const uint32_t source = (uint32_t)q->rows.sources[i];
        if (q->rows.sources[i] >= 0) {
            place[0] = (int32_t)(source / tokens * q->tick);
            place[1] = (int32_t)(source % tokens / q->grid[2]);
            place[2] = (int32_t)(source % tokens % q->grid[2]);
        }
    }
}

/* Rows of frames [first, first + q->units) out of those of all. */
static bool take_frames(part *q, const rows *all, uint32_t first, uint32_t frames)
{
    const uint32_t tokens = q->before / q->units;
    if (!rows_room(&q->rows, all->count, all->width)) {
        return false;
    }
    for (uint32_t i = 0; i < all->count; i++) {
        const uint32_t frame = frame_of(all->sources[i], tokens, frames);
        if (frame < first || frame >= first + q->units) {
            continue;
        }
        const uint32_t at = q->rows.count++;
        memcpy(q->rows.data + (size_t)at * all->width, all->data + (size_t)i * all->width,
               all->width * sizeof *all->data);
        memcpy(q->rows.places + (size_t)at * 3, all->places + (size_t)i * 3,
               3 * sizeof *all->places);
        q->rows.sources[at] =
            all->sources[i] < 0 ? all->sources[i] : all->sources[i] - (int32_t)(first * tokens);
    }
    place_rows(q);
    return true;
}

static bool fill_video(prompt *p, const options *o, reducer *r, const media_item *m, uint32_t index,
                       uint32_t width)
{
    const uint32_t frames = m->frames / reducer_merges(r);
    uint32_t first = 0;
    rows all = {0};
    bool good = true;
    for (uint32_t i = 0; good && i < p->count; i++) {
        part *q = &p->parts[i];
        if (q->tokens || q->medium != index) {
            continue;
        }
        good = (first > 0 || make_rows(p, o, r, q, frames, width, &all)) &&
               take_frames(q, &all, first, frames);
        first += q->units;
    }
    good =
        good && (all.count > 0 || say_failed("%s: the pipeline keeps nothing of it (keep at least "
                                             "one token)",
                                             m->path));
    p->visual_after += all.count;
    rows_free(&all);
    return good;
}

bool prompt_fill(prompt *p, const options *o, reducer *r, const media_list *m, uint32_t width)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const media_item *one = &m->item[i];
        const frames_frame *frames = one->list.frames;
        if (!(one->is_video ? reducer_prepare_video(r, o, one->path, frames, one->frames)
                            : reducer_prepare(r, o, one->path, frames)) ||
            !agrees(p, r, one, i) ||
            !(one->is_video ? fill_video(p, o, r, one, i, width)
                            : fill_picture(p, o, r, i, width))) {
            return false;
        }
    }
    return true;
}

bool prompt_write_kept(const prompt *p, const char *path)
{
    FILE *file = fopen(path, "w");
    bool good = file != NULL;
    for (uint32_t i = 0; good && i < p->count; i++) {
        const rows *r = &p->parts[i].rows;
        for (uint32_t k = 0; k < r->count; k++) {
            fprintf(file, "%d%s", r->sources[k], k + 1 < r->count ? " " : "");
        }
        if (!p->parts[i].tokens) {
            fputc('\n', file);
        }
    }
    good = good && !ferror(file);
    good = (!file || fclose(file) == 0) && good;
    return good || say_failed("%s: it cannot be written", path);
}
