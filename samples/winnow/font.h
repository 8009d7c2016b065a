/* A font of 5 x 7 dots for the labels of pictures: it needs no file and no font library. */
#ifndef WINNOW_FONT_H
#define WINNOW_FONT_H

#include <stdbool.h>
#include <stdint.h>

enum { FONT_WIDTH = 5, FONT_HEIGHT = 7, FONT_ADVANCE = 6, FONT_SINK = 2 };

/* Seven rows from the top, five bits each, the leftmost dot highest. */
const uint8_t *font_glyph(char c);
/* Letters with a descender, commas too, stand FONT_SINK dots lower. */
bool font_sinks(char c);

#endif /* WINNOW_FONT_H */
