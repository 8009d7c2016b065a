#include "books.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A program that never frees its chunks must not fill memory with what was kept of them. */
enum { KEPT_MOST = 4096 };

typedef struct context_book {
    mtmd_context *ctx;
    uint32_t width;
    struct context_book *next;
} context_book;

typedef struct batch_book {
    mtmd_batch *batch;
    mtmd_context *ctx;
    const mtmd_input_chunk **chunks;
    size_t count;
    struct batch_book *next;
} batch_book;

typedef struct kept_book {
    const mtmd_image_tokens *image;
    uint32_t count;
    int32_t *sources;
    uint32_t *ranks;
    struct kept_book *next;
} kept_book;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static context_book *contexts;
static batch_book *batches;
static kept_book *kept;
static uint32_t kept_count;

/* ---- contexts ---- */

static context_book **find_context(const mtmd_context *ctx)
{
    context_book **at = &contexts;
    while (*at && (*at)->ctx != ctx) {
        at = &(*at)->next;
    }
    return at;
}

void books_context(mtmd_context *ctx, uint32_t width)
{
    context_book *fresh = calloc(1, sizeof *fresh);
    pthread_mutex_lock(&lock);
    context_book **at = find_context(ctx);
    if (*at) {
        (*at)->width = width;
        free(fresh);
    } else if (fresh) {
        *fresh = (context_book){.ctx = ctx, .width = width};
        *at = fresh;
    }
    pthread_mutex_unlock(&lock);
}

void books_context_gone(mtmd_context *ctx)
{
    pthread_mutex_lock(&lock);
    context_book **at = find_context(ctx), *gone = *at;
    if (gone) {
        *at = gone->next;
    }
    pthread_mutex_unlock(&lock);
    free(gone);
}

uint32_t books_width(const mtmd_context *ctx)
{
    pthread_mutex_lock(&lock);
    const context_book *found = *find_context(ctx);
    const uint32_t width = found ? found->width : 0;
    pthread_mutex_unlock(&lock);
    return width;
}

/* ---- batches ---- */

static batch_book **find_batch(const mtmd_batch *batch)
{
    batch_book **at = &batches;
    while (*at && (*at)->batch != batch) {
        at = &(*at)->next;
    }
    return at;
}

static void drop_batch(mtmd_batch *batch)
{
    batch_book **at = find_batch(batch), *gone = *at;
    if (gone) {
        *at = gone->next;
        free(gone->chunks);
        free(gone);
    }
}

void books_batch(mtmd_batch *batch, mtmd_context *ctx)
{
    batch_book *fresh = calloc(1, sizeof *fresh);
    pthread_mutex_lock(&lock);
    drop_batch(batch);
    if (fresh) {
        *fresh = (batch_book){.batch = batch, .ctx = ctx, .next = batches};
        batches = fresh;
    }
    pthread_mutex_unlock(&lock);
}

void books_batch_gone(mtmd_batch *batch)
{
    pthread_mutex_lock(&lock);
    drop_batch(batch);
    pthread_mutex_unlock(&lock);
}

void books_batch_add(mtmd_batch *batch, const mtmd_input_chunk *chunk)
{
    pthread_mutex_lock(&lock);
    batch_book *b = *find_batch(batch);
    bool there = !b;
    for (size_t i = 0; b && i < b->count; i++) {
        there = there || b->chunks[i] == chunk;
    }
    if (!there) {
        const mtmd_input_chunk **more =
            realloc((void *)b->chunks, (b->count + 1) * sizeof *b->chunks);
        if (more) {
            b->chunks = more;
            b->chunks[b->count++] = chunk;
        }
    }
    pthread_mutex_unlock(&lock);
}

const mtmd_input_chunk *books_batch_chunk(mtmd_batch *batch, size_t i, mtmd_context **ctx)
{
    pthread_mutex_lock(&lock);
    const batch_book *b = *find_batch(batch);
    const mtmd_input_chunk *chunk = b && i < b->count ? b->chunks[i] : NULL;
    *ctx = b ? b->ctx : NULL;
    pthread_mutex_unlock(&lock);
    return chunk;
}

/* ---- kept tokens ---- */

static void free_kept(kept_book *k)
{
    free(k->sources);
    free(k->ranks);
    free(k);
}

static kept_book **find_kept(const mtmd_image_tokens *image)
{
    kept_book **at = &kept;
    while (*at && (*at)->image != image) {
        at = &(*at)->next;
    }
    return at;
}

static void drop_kept(kept_book **at)
{
    kept_book *gone = *at;
    if (gone) {
        *at = gone->next;
        kept_count--;
        free_kept(gone);
    }
}

static void drop_oldest(void)
{
    kept_book **at = &kept;
    while (*at && (*at)->next) {
        at = &(*at)->next;
    }
    drop_kept(at);
}

void books_kept(const mtmd_image_tokens *image, uint32_t count, int32_t *sources, uint32_t *ranks)
{
    kept_book *fresh = calloc(1, sizeof *fresh);
    pthread_mutex_lock(&lock);
    drop_kept(find_kept(image));
    if (fresh) {
        *fresh = (kept_book){image, count, sources, ranks, kept};
        kept = fresh;
        if (++kept_count > KEPT_MOST) {
            drop_oldest();
        }
    }
    pthread_mutex_unlock(&lock);
    if (!fresh) {
        free(sources);
        free(ranks);
    }
}

bool books_find(const mtmd_image_tokens *image, uint32_t count, uint32_t i, int32_t *source,
                uint32_t ranks[2])
{
    pthread_mutex_lock(&lock);
    const kept_book *k = *find_kept(image);
    const bool found = k && k->count == count && i < count;
    if (found) {
        *source = k->sources[i];
        ranks[0] = k->ranks ? k->ranks[2 * i] : 0;
        ranks[1] = k->ranks ? k->ranks[2 * i + 1] : 0;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* A copy of `bytes`, NULL for NULL or without memory. */
static void *copy_of(const void *from, size_t bytes)
{
    void *to = from ? malloc(bytes) : NULL;
    return to ? memcpy(to, from, bytes) : NULL;
}

void books_copy(const mtmd_image_tokens *from, const mtmd_image_tokens *to)
{
    pthread_mutex_lock(&lock);
    const kept_book *k = *find_kept(from);
    const uint32_t count = k ? k->count : 0;
    int32_t *sources = k ? copy_of(k->sources, count * sizeof *sources) : NULL;
    uint32_t *ranks = k ? copy_of(k->ranks, 2 * (size_t)count * sizeof *ranks) : NULL;
    pthread_mutex_unlock(&lock);
    if (sources) {
        books_kept(to, count, sources, ranks);
    } else {
        free(ranks);
    }
}

void books_forget(const mtmd_image_tokens *image)
{
    pthread_mutex_lock(&lock);
    drop_kept(find_kept(image));
    pthread_mutex_unlock(&lock);
}
