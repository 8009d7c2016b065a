/* The last frames of a live feed, in memory of a fixed size. */
#ifndef VIDEO_QA_WINDOW_H
#define VIDEO_QA_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct window {
    uint8_t *slots;  /* [size, frame_bytes] */
    double *seconds; /* [size] */
    size_t frame_bytes;
    uint32_t size, count, next; /* slots; in use; where the next frame goes */
    uint64_t version;           /* frames that ever went in */
} window;

/* False: out of memory. window_free in any case. */
bool window_open(window *w, uint32_t size, size_t frame_bytes);
void window_free(window *w);

/* The frame replaces the oldest. */
void window_push(window *w, const uint8_t *frame, double seconds);

/* Copies what is in `from`, oldest first, into a window of the same size. */
void window_copy(window *to, const window *from);

#endif /* VIDEO_QA_WINDOW_H */
