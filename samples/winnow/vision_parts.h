/* The pieces of vision.c. */
#ifndef WINNOW_VISION_PARTS_H
#define WINNOW_VISION_PARTS_H

#include "vision.h"

/* Fills v->taps from "hidden:0,keys:-1" (NULL: none), with room for one more. Exit code. */
int vision_taps_read(vision *v, const char *list);
int vision_taps_room(vision *v, uint32_t groups, uint32_t cells);

/* Reads every path's frames and turns them into views: v->m.rgb, frames, width, height, seconds,
 * and v->views; or, where the device is to do that, only says how large the views will be. Exit
 * code. */
int vision_views_read(vision *v, engine *e, const winnow_ext_encoder *ext,
                      const winnow_model *model, const arg_list *paths, const media_options *what,
                      const vision_options *options);

#endif /* WINNOW_VISION_PARTS_H */
