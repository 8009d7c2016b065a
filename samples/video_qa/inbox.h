/* Questions that wait: those of the command line, and lines as they arrive. */
#ifndef VIDEO_QA_INBOX_H
#define VIDEO_QA_INBOX_H

#include <stdbool.h>
#include <stddef.h>

enum { INBOX_MOST = 64, INBOX_LINE = 4096 };

typedef struct inbox_question {
    char *text;     /* Owner: who takes it */
    double seconds; /* of the feed, from which on it is asked; negative: at once */
} inbox_question;

typedef struct inbox {
    int fd; /* -1: nothing more will come */
    char line[INBOX_LINE];
    size_t used;
    inbox_question waiting[INBOX_MOST]; /* in the order in which they came */
    unsigned count;
} inbox;

/* `path` NULL: no lines. False after a line; inbox_close in any case. */
bool inbox_open(inbox *b, const char *path);
void inbox_close(inbox *b);

/* "@12.5 Who?" waits for its time, another text for `otherwise`. False after a line. */
bool inbox_add(inbox *b, const char *text, double otherwise);

/* Reads what has arrived, without waiting. False after a line; a line that is no question is told
 * of and passed over, which is false too. */
bool inbox_read(inbox *b);

/* The first question that is due at `seconds`; false: there is none. `only_timed`: of those that
 * name a time. `out` NULL: it stays. */
bool inbox_take(inbox *b, double seconds, bool only_timed, inbox_question *out);

#endif /* VIDEO_QA_INBOX_H */
