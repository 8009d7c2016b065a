#include "session.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "books.h"
#include "family.h"
#include "guard.h"
#include "real.h"
#include "reduce.h"
#include "say.h"

/* Set in the environment of a program with libmtmd, for the programs that it starts (ffmpeg for a
 * video): they inherit LD_PRELOAD and need not hear that they have none. */
static const char inside[] = "WINNOW_PRELOAD_INSIDE";

/* More floats a row than any model has: a number that is no width. */
enum { WIDTH_MOST = 1 << 20 };

enum verdict { UNDECIDED, REDUCE, WHOLE };

static struct {
    settings settings; /* does not change once the library is loaded */
    bool on;
    pthread_mutex_t lock;
    enum verdict verdict;
    atomic_bool reducing, square, said_unmarked, said_odd;
} s = {.lock = PTHREAD_MUTEX_INITIALIZER};

__attribute__((constructor)) static void load(void)
{
    s.on = settings_read(&s.settings);
    if (!s.on) {
        return;
    }
    if (real_is_there()) {
        setenv(inside, "1", 1);
    } else if (!getenv(inside)) {
        say("%s: no libmtmd is linked to this program, so nothing is reduced (a static llama.cpp "
            "cannot be helped so)",
            program_invocation_short_name);
    }
}

const settings *session_settings(void)
{
    return s.on ? &s.settings : NULL;
}

const rule *session_rule(void)
{
    return atomic_load(&s.reducing) ? &s.settings.rule : NULL;
}

bool session_square(void)
{
    return atomic_load(&s.square);
}

static bool can_reduce(const char *mmproj, uint32_t width, bool *square)
{
    const char *missing = real_missing();
    if (missing) {
        return say("this libmtmd has no %s (another version; nothing is reduced)", missing);
    }
    return family_reduces(mmproj, square) && reduce_open(&s.settings, width);
}

static void decide(mtmd_context *ctx, const char *mmproj, uint32_t width)
{
    bool square = false;
    const enum verdict now = can_reduce(mmproj, width, &square) ? REDUCE : WHOLE;
    if (s.verdict != UNDECIDED && (now != s.verdict || square != s.square)) {
        say("%s: a second mmproj of another kind in one process (nothing more is reduced)", mmproj);
        atomic_store(&s.reducing, false);
        return;
    }
    s.verdict = now;
    if (now == REDUCE) {
        books_context(ctx, width);
        atomic_store(&s.square, square);
        atomic_store(&s.reducing, true);
        if (s.settings.verbose) {
            say("%s: reducing by %s", mmproj, s.settings.rule.mark);
        }
    }
}

/* An mmproj of sound alone, or a context without a language model, is none of our business. */
static uint32_t width_of(const real_functions *real, const mtmd_context *ctx,
                         const struct llama_model *model)
{
    GUARD;
    const bool sees =
        model && real->model_width && (!real->support_vision || real->support_vision(ctx));
    const int32_t width = sees ? real->model_width(model) : 0;
    return width > 0 && width < WIDTH_MOST ? (uint32_t)width : 0;
}

void session_context(mtmd_context *ctx, const char *mmproj, const struct llama_model *model)
{
    const uint32_t width = s.on ? width_of(real_get(), ctx, model) : 0;
    if (width) {
        pthread_mutex_lock(&s.lock);
        decide(ctx, mmproj, width);
        pthread_mutex_unlock(&s.lock);
    }
}

void session_unmarked(void)
{
    if (!atomic_exchange(&s.said_unmarked, true)) {
        say("this libmtmd sets ids of pictures where they cannot be marked, so these stay whole");
    }
}

void session_odd_places(void)
{
    if (!atomic_exchange(&s.said_odd, true)) {
        say("a picture's positions are neither consecutive nor a grid, so it stays whole");
    }
}
