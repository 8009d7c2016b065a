/* A frame with its marks on a canvas, and the show's look. */
#ifndef WINNOW_OVERLAY_H
#define WINNOW_OVERLAY_H

#include "canvas.h"
#include "marks.h"
#include "media.h"

/* One dark ground for sheets and films: what was dropped sinks into it, what was kept shines. */
extern const colour look_ground, look_panel, look_text, look_faint, look_kept, look_merged,
    look_dropped;

/* The frame in the box x, y, width, height: kept tokens clear, merged ones toned and outlined in
 * the colour of their destination, dropped ones dimmed. */
void overlay_frame(canvas *c, int x, int y, int width, int height, const media *m, const marks *k,
                   uint32_t frame);

/* A bar of `width`: shares of kept, merged and dropped tokens of the frame. */
void overlay_bar(canvas *c, int x, int y, int width, int height, const marks *k, uint32_t frame);

/* What the numbers say, for titles: "tokens 6272 -> 1568 (25%)". Into text[size]; returns text. */
const char *overlay_numbers(const reduction *r, char *text, int size);

#endif /* WINNOW_OVERLAY_H */
