/* One thread reads the feed and the questions, another answers: the feed need not wait for an
 * answer. Memory is the frame that is being read, a window of the last sampled frames, and the copy
 * of it that the other thread looks at. */
#include "live.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inbox.h"
#include "say.h"
#include "window.h"

typedef struct live {
    session *s;
    const options *o;
    inbox questions;
    /* the feed */
    uint8_t *frame; /* what is there of the frame that is being read */
    size_t frame_bytes, got;
    uint64_t frames;    /* whole ones so far */
    double next_sample; /* seconds */
    bool ended;
    window now;
    /* the thread that answers; it has what follows while `busy` */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    window seen;
    char *question;
    uint64_t shown; /* version of `seen` that the model was shown; 0: none */
    bool busy, stop, failed;
    int done[2]; /* a pipe: a byte for each answer */
} live;

/* ---- the thread that answers ---- */

static bool look(live *l)
{
    session *s = l->s;
    frames_frame *frames = calloc(l->seen.count, sizeof *frames);
    if (!frames) {
        return say_failed("out of memory for %u frames", l->seen.count);
    }
    for (uint32_t i = 0; i < l->seen.count; i++) {
        frames[i] = (frames_frame){.rgb = l->seen.slots + i * l->seen.frame_bytes,
                                   .width = l->o->live_width,
                                   .height = l->o->live_height,
                                   .seconds = l->seen.seconds[i],
                                   .index = i};
    }
    session_forget(s);
    s->film_count = 1;
    l->shown = 0;
    const bool good =
        film_take(&s->films[0], &s->encoder, frames, l->seen.count, true, "the feed") &&
        session_look(s);
    free(frames);
    l->shown = good ? l->seen.version : 0;
    return good;
}

static bool answer(live *l)
{
    printf("[%.1f s] %s\n", l->seen.seconds[l->seen.count - 1], l->question);
    fflush(stdout);
    return (l->shown == l->seen.version || look(l)) && session_ask(l->s, l->question);
}

static void *answer_all(void *user)
{
    live *l = user;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        if (!l->busy) {
            pthread_cond_wait(&l->wake, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        const bool good = answer(l);
        free(l->question);
        pthread_mutex_lock(&l->lock);
        l->question = NULL;
        l->failed = l->failed || !good;
        l->busy = false;
        while (write(l->done[1], "", 1) < 0 && errno == EINTR) {
        }
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool is_busy(live *l)
{
    pthread_mutex_lock(&l->lock);
    const bool busy = l->busy;
    pthread_mutex_unlock(&l->lock);
    return busy;
}

/* ---- the thread that reads ---- */

static double feed_seconds(const live *l)
{
    return l->frames ? (double)(l->frames - 1) / l->o->live_fps : 0;
}

/* The first frame, and the first one at or after each further 1/rate seconds. */
static void sample(live *l)
{
    const double now = feed_seconds(l);
    if (now + 1e-9 < l->next_sample) {
        return;
    }
    window_push(&l->now, l->frame, now);
    l->next_sample = floor(now * l->o->sample_fps + 1e-6 + 1) / l->o->sample_fps;
}

static void fail(live *l)
{
    pthread_mutex_lock(&l->lock);
    l->failed = true;
    pthread_mutex_unlock(&l->lock);
}

static void read_feed(live *l)
{
    const ssize_t got = read(STDIN_FILENO, l->frame + l->got, l->frame_bytes - l->got);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (got <= 0) {
        l->ended = true;
        if (got < 0) {
            say_failed("the feed: %s", strerror(errno));
            fail(l);
        } else if (l->got > 0) {
            say_failed("the feed: it ends inside frame %llu, after %zu of %zu bytes (is it rgb24 "
                       "of %ux%u?)",
                       (unsigned long long)l->frames, l->got, l->frame_bytes, l->o->live_width,
                       l->o->live_height);
            fail(l);
        }
        return;
    }
    l->got += (size_t)got;
    if (l->got == l->frame_bytes) {
        l->got = 0;
        l->frames++;
        sample(l);
    }
}

/* Hands the first question that is due, and the window as it is, to the other thread. */
static void dispatch(live *l)
{
    inbox_question q;
    const double now = l->ended ? INFINITY : feed_seconds(l);
    if (l->now.count == 0 || is_busy(l) || !inbox_take(&l->questions, now, false, &q)) {
        return;
    }
    window_copy(&l->seen, &l->now);
    pthread_mutex_lock(&l->lock);
    l->question = q.text;
    l->busy = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
}

/* One wait for whatever comes first. False: it is over. */
static bool step(live *l)
{
    const bool busy = is_busy(l), has_room = l->questions.count < INBOX_MOST;
    /* A question that names its time is about the frames until then: the feed waits for it. */
    const bool hold = busy && inbox_take(&l->questions, feed_seconds(l), true, NULL);
    struct pollfd fds[] = {{.fd = l->ended || hold ? -1 : STDIN_FILENO, .events = POLLIN},
                           {.fd = has_room ? l->questions.fd : -1, .events = POLLIN},
                           {.fd = l->done[0], .events = POLLIN}};
    const bool idle = l->ended && !busy;
    const int ready = poll(fds, 3, idle ? 0 : -1);
    if (ready < 0 && errno != EINTR) {
        say_failed("the feed: %s", strerror(errno));
        fail(l);
        return false;
    }
    if (fds[2].revents) {
        char byte[16];
        if (read(l->done[0], byte, sizeof byte) < 0 && errno != EINTR) {
            return false;
        }
    }
    if (fds[1].revents && !inbox_read(&l->questions)) {
        fail(l);
    }
    if (fds[0].revents) {
        read_feed(l);
    }
    dispatch(l);
    return !idle || ready > 0 || (l->questions.count > 0 && l->now.count > 0);
}

/* ---- opening ---- */

static bool add_questions(live *l)
{
    for (uint32_t i = 0; i < l->o->questions.count; i++) {
        if (!inbox_add(&l->questions, l->o->questions.items[i], INFINITY)) {
            return false;
        }
    }
    return true;
}

static bool open_live(live *l, session *s)
{
    *l = (live){.s = s, .o = s->o, .done = {-1, -1}, .questions = {.fd = -1}};
    l->frame_bytes = (size_t)l->o->live_width * l->o->live_height * 3;
    l->frame = malloc(l->frame_bytes);
    if (!l->frame || !window_open(&l->now, l->o->frames, l->frame_bytes) ||
        !window_open(&l->seen, l->o->frames, l->frame_bytes)) {
        return say_failed("out of memory for %u frames of %ux%u (give fewer: --frames N)",
                          l->o->frames, l->o->live_width, l->o->live_height);
    }
    return inbox_open(&l->questions, l->o->questions_file) && add_questions(l) &&
           (pipe(l->done) == 0 || say_failed("the feed: %s", strerror(errno)));
}

static void close_live(live *l)
{
    inbox_close(&l->questions);
    window_free(&l->now);
    window_free(&l->seen);
    free(l->frame);
    free(l->question);
    for (int i = 0; i < 2; i++) {
        if (l->done[i] >= 0) {
            close(l->done[i]);
        }
    }
}

static bool run(live *l)
{
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    if (pthread_create(&l->thread, NULL, answer_all, l) != 0) {
        return say_failed("the feed: no second thread can be had");
    }
    while (step(l)) {
    }
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    if (l->frames == 0 && !l->failed) {
        return say_failed("the feed: there is no frame in it");
    }
    return !l->failed;
}

bool live_run(session *s)
{
    live l;
    const bool good = open_live(&l, s) && run(&l);
    close_live(&l);
    return good;
}
