#include "inbox.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "session.h"

bool inbox_open(inbox *b, const char *path)
{
    struct stat about;
    *b = (inbox){.fd = -1};
    if (!path) {
        return true;
    }
    if (stat(path, &about) != 0) {
        return say_failed("--questions %s: %s", path, strerror(errno));
    }
    /* A FIFO is held open for writing too: it does not end when one of its writers goes. */
    const int mode = S_ISFIFO(about.st_mode) ? O_RDWR : O_RDONLY;
    b->fd = open(path, mode | O_NONBLOCK | O_CLOEXEC);
    return b->fd >= 0 || say_failed("--questions %s: %s", path, strerror(errno));
}

void inbox_close(inbox *b)
{
    if (b->fd >= 0) {
        close(b->fd);
    }
    for (unsigned i = 0; i < b->count; i++) {
        free(b->waiting[i].text);
    }
    *b = (inbox){.fd = -1};
}

bool inbox_add(inbox *b, const char *text, double otherwise)
{
    inbox_question q = {.seconds = otherwise};
    char *end = NULL;
    text += strspn(text, " \t");
    if (text[0] == '@' && isdigit((unsigned char)text[1])) {
        q.seconds = strtod(text + 1, &end);
        text = end;
    }
    if (b->count == INBOX_MOST) {
        return say_failed("%s: %d questions wait already (let some be answered)", text, INBOX_MOST);
    }
    if (!session_trim(text, &q.text)) {
        return false;
    }
    b->waiting[b->count++] = q;
    return true;
}

/* The whole lines in the buffer, as many as there is room to wait for. */
static bool take_lines(inbox *b, bool ended)
{
    bool good = true;
    while (b->used > 0 && b->count < INBOX_MOST) {
        char *feed = memchr(b->line, '\n', b->used);
        const bool full = b->used == sizeof b->line - 1;
        if (!feed && !ended && !full) {
            break;
        }
        if (!feed && full) {
            good =
                say_failed("a question is longer than %d bytes (make it shorter)", INBOX_LINE - 2);
            b->used = 0;
            break;
        }
        const size_t length = feed ? (size_t)(feed - b->line) : b->used,
                     rest = length + (feed != NULL);
        b->line[length] = 0;
        good = inbox_add(b, b->line, -1) && good;
        memmove(b->line, b->line + rest, b->used - rest);
        b->used -= rest;
    }
    return good;
}

bool inbox_read(inbox *b)
{
    bool good = take_lines(b, false);
    if (b->fd < 0 || b->used == sizeof b->line - 1) {
        return good;
    }
    const ssize_t got = read(b->fd, b->line + b->used, sizeof b->line - 1 - b->used);
    if (got > 0) {
        b->used += (size_t)got;
        return take_lines(b, false) && good;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return good;
    }
    if (got < 0) {
        good = say_failed("--questions: %s", strerror(errno));
    }
    close(b->fd);
    b->fd = -1;
    return take_lines(b, true) && good;
}

bool inbox_take(inbox *b, double seconds, bool only_timed, inbox_question *out)
{
    for (unsigned i = 0; i < b->count; i++) {
        const inbox_question q = b->waiting[i];
        if (q.seconds > seconds || (only_timed && q.seconds < 0)) {
            continue;
        }
        if (out) {
            *out = q;
            b->count--;
            memmove(b->waiting + i, b->waiting + i + 1, (b->count - i) * sizeof *b->waiting);
        }
        return true;
    }
    return false;
}
