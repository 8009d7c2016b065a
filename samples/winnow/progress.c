#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { BAR_CELLS = 28, REDRAW_MS = 100 };

struct progress {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    const char *label;
    uint64_t done, total;
    double start;
    bool over, drawn;
};

/* Called with the lock held. */
static void draw(progress *bar, double elapsed)
{
    char cells[BAR_CELLS * 3 + 1];
    size_t used = 0;
    double share = bar->total ? (double)bar->done / (double)bar->total : 0;
    int full = (int)(share * BAR_CELLS + 0.5);

    if (bar->total == 0) {
        fprintf(stderr, "\r\033[K%s  %.0f s", bar->label, elapsed);
    } else {
        for (int i = 0; i < BAR_CELLS; i++) {
            const char *cell = i < full ? "\xe2\x94\x81" : "\xe2\x94\x80"; /* heavy, light line */
            for (int byte = 0; byte < 3; byte++) {
                cells[used++] = cell[byte];
            }
        }
        cells[used] = 0;
        fprintf(stderr, "\r\033[K%s  %s  %.0f%%  %.0f s", bar->label, cells, share * 100, elapsed);
    }
    fflush(stderr);
    bar->drawn = true;
}

static void *redraw(void *user)
{
    progress *bar = user;
    pthread_mutex_lock(&bar->lock);
    while (!bar->over) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += REDRAW_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&bar->ended, &bar->lock, &until);
        double elapsed = cli_seconds() - bar->start;
        if (!bar->over && elapsed > 1.0) {
            draw(bar, elapsed);
        }
    }
    pthread_mutex_unlock(&bar->lock);
    return NULL;
}

progress *progress_begin(const char *label, uint64_t total)
{
    if (!isatty(STDERR_FILENO)) {
        return NULL;
    }
    progress *bar = calloc(1, sizeof *bar);
    if (!bar) {
        return NULL;
    }
    bar->label = label;
    bar->total = total;
    bar->start = cli_seconds();
    pthread_mutex_init(&bar->lock, NULL);
    pthread_cond_init(&bar->ended, NULL);
    if (pthread_create(&bar->thread, NULL, redraw, bar) != 0) {
        pthread_cond_destroy(&bar->ended);
        pthread_mutex_destroy(&bar->lock);
        free(bar);
        return NULL;
    }
    return bar;
}

void progress_at(progress *bar, uint64_t done, uint64_t total)
{
    if (bar) {
        pthread_mutex_lock(&bar->lock);
        bar->done = done < total ? done : total;
        bar->total = total;
        pthread_mutex_unlock(&bar->lock);
    }
}

void progress_next(progress *bar, const char *label, uint64_t total)
{
    if (bar) {
        pthread_mutex_lock(&bar->lock);
        bar->label = label;
        bar->done = 0;
        bar->total = total;
        pthread_mutex_unlock(&bar->lock);
    }
}

void progress_end(progress *bar)
{
    if (!bar) {
        return;
    }
    pthread_mutex_lock(&bar->lock);
    bar->over = true;
    pthread_cond_signal(&bar->ended);
    pthread_mutex_unlock(&bar->lock);
    pthread_join(bar->thread, NULL);
    if (bar->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    pthread_cond_destroy(&bar->ended);
    pthread_mutex_destroy(&bar->lock);
    free(bar);
}
