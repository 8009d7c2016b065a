/* chunk.h: what a picture's chunk is and comes to, told from the chunk alone. */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>

#include "mtmd_abi.h"
#include "reduce.h"

typedef enum chunk_kind {
    CHUNK_RUN,  /* positions are consecutive */
    CHUNK_GRID, /* M-RoPE: rows and columns of one frame or pair of frames */
    CHUNK_ODD   /* anything else: HunyuanVL's line ends, another version's positions */
} chunk_kind;

typedef struct media_chunk {
    chunk_kind kind;
    chunk_shape shape; /* unreduced */
    rule rule;
    promise promise;
    int32_t n_pos; /* positions that the kept tokens take */
} media_chunk;

/* False: the chunk stays whole, or this thread is inside libmtmd. */
bool chunk_look(const mtmd_image_tokens *image, media_chunk *out);

/* Where kept token i stands, as mtmd_image_tokens_get_decoder_pos says it. */
struct mtmd_decoder_pos chunk_place(const media_chunk *c, const mtmd_image_tokens *image,
                                    intptr_t pos_0, uint32_t i);

/* Reduces the rows of an encoded chunk in place and remembers what was kept. Does nothing to a
 * chunk that stays whole. `image` NULL: text or sound. */
void chunk_reduce(const mtmd_image_tokens *image, uint32_t width, float *rows);

/* Looks for chunks that should have been marked and are not. */
void chunk_check(const mtmd_input_chunks *chunks);

#endif /* CHUNK_H */
