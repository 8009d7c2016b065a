/* A progress line on stderr: shown on a terminal alone, and only when the work takes longer than a
 * second. A thread of its own redraws it, so that one long call shows its seconds too. */
#ifndef WINNOW_PROGRESS_H
#define WINNOW_PROGRESS_H

#include <stdint.h>

typedef struct progress progress;

/* `label` must outlive it; total 0: not known. NULL when there is nothing to show, which every
 * function here takes. */
progress *progress_begin(const char *label, uint64_t total);
void progress_at(progress *bar, uint64_t done, uint64_t total);
/* Another label and total for the next part of the work. */
void progress_next(progress *bar, const char *label, uint64_t total);
void progress_end(progress *bar);

#endif /* WINNOW_PROGRESS_H */
