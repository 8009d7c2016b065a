/* books.h: what must be remembered between the program's calls: widths of contexts, chunks of
 * batches, and which tokens of an encoded chunk were kept (M-RoPE positions are asked afterwards).
 * [any-thread] */
#ifndef BOOKS_H
#define BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mtmd_abi.h"

void books_context(mtmd_context *ctx, uint32_t width);
void books_context_gone(mtmd_context *ctx);
/* Floats a row; 0: a context that nobody told of. */
uint32_t books_width(const mtmd_context *ctx);

void books_batch(mtmd_batch *batch, mtmd_context *ctx);
void books_batch_gone(mtmd_batch *batch);
void books_batch_add(mtmd_batch *batch, const mtmd_input_chunk *chunk);
/* Chunk i of a batch, each once; NULL behind the last. *ctx: the batch's. */
const mtmd_input_chunk *books_batch_chunk(mtmd_batch *batch, size_t i, mtmd_context **ctx);

/* Takes over `sources` [count], and `ranks` [count, 2] (row, column) or NULL. */
void books_kept(const mtmd_image_tokens *image, uint32_t count, int32_t *sources, uint32_t *ranks);
/* Source and ranks of kept token i. False: that image was not encoded here, or not to `count`. */
bool books_find(const mtmd_image_tokens *image, uint32_t count, uint32_t i, int32_t *source,
                uint32_t ranks[2]);
void books_copy(const mtmd_image_tokens *from, const mtmd_image_tokens *to);
void books_forget(const mtmd_image_tokens *image);

#endif /* BOOKS_H */
