/* seen.h: what the encoder makes of a film's frames, for pipelines behind it that the language model's attention goes to as
 * well: the attention that patches receive in its last layer, their keys there, and each frame's mean token. Only where a token
 * is a patch. */
#ifndef VIDEO_QA_SEEN_H
#define VIDEO_QA_SEEN_H

#include "../film.h"

typedef struct seen {
    winnow_encoder *encoder; /* with taps; of films of one size */
    uint32_t frames, width, height;
    float *taps[2];
    float *attention; /* [T, heads, N] */
    float *keys;      /* [T, N, key_dim], mean over heads */
    float *means;     /* [T, D] */
    uint32_t heads, key_dim, dim;
} seen;

/* Of a film that film_encode was called for. False after a line on stderr; seen_free in any case. */
bool seen_read(seen *s, film_encoder *e, const film *f);
void seen_free(seen *s, const film_encoder *e);

#endif /* VIDEO_QA_SEEN_H */
