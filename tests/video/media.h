/*
 * Test media with known content, made on the spot. Every frame is grey, its level says which frame
 * it is, and its top left quarter is red, which says how it was turned.
 */
#ifndef WINNOW_TESTS_VIDEO_MEDIA_H
#define WINNOW_TESTS_VIDEO_MEDIA_H

#include "frames.h"

#include <stdbool.h>
#include <stdint.h>

/* Before and after one test program's tests, for cmocka: a quiet libav and a fresh folder for files; all in it goes at the end. */
int media_begin(void **state);
int media_end(void **state);

/* folder/name, in one of a few static buffers. */
const char *media_path(const char *name);

/* The frame [height, width, 3]; `count` frames share the levels. malloc'd. */
uint8_t *media_rgb(uint32_t width, uint32_t height, uint32_t index, uint32_t count);

/* Which frame these pixels are, looking at the green of the quarter opposite the red one. */
uint32_t media_index(const frames_frame *frame, uint32_t count);

typedef enum media_corner {
    TOP_LEFT,
    TOP_RIGHT,
    BOTTOM_LEFT,
    BOTTOM_RIGHT,
    NO_CORNER
} media_corner;

/* Where the red quarter is. */
media_corner media_red_corner(const frames_frame *frame);

/* Writes one such frame as a .png, .jpg, .bmp or .ppm, by the ending of the name. */
void media_write_picture(const char *name, uint32_t width, uint32_t height, uint32_t index,
                         uint32_t count);

/* Whole files, for damaging them. media_read's bytes are malloc'd. */
uint8_t *media_read(const char *path, size_t *size);
void media_write(const char *name, const void *bytes, size_t size);

#ifdef WINNOW_TEST_LIBAV
typedef struct media_film {
    const char *name;  /* file name; its ending chooses the container */
    const char *codec; /* libav's encoder name */
    uint32_t width, height, frames;
    int fps;
    int turn;          /* degrees clockwise of the display matrix */
    bool flip;         /* mirrored left to right by the display matrix */
    int aspect;        /* pixel width over height; 0: not said */
    bool square_times; /* frame i at i * i / fps seconds */
} media_film;

/* False: this libav lacks the encoder. Anything else that goes wrong fails the test. */
bool media_write_film(const media_film *film);
#endif

#endif
