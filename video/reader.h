/*
 * What the parts of the frame library share: the interface that pictures, videos and feeds
 * implement, and the pixel helpers. Only files in this folder include it.
 */
#ifndef WINNOW_VIDEO_READER_H
#define WINNOW_VIDEO_READER_H

#include "frames.h"

/* The caller's buffer for the sentence. */
typedef struct video_why {
    char *text; /* may be NULL */
    size_t size;
} video_why;

/* Writes the sentence and returns `status`. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
frames_status
video_fail(video_why why, frames_status status, const char *format, ...);

frames_status video_fail_memory(video_why why, const char *name);

/* Pixels [height, width, 3] in rows without padding. Who owns rgb is said where one is passed. */
typedef struct video_picture {
    uint8_t *rgb;
    uint32_t width, height;             /* as stored */
    uint32_t shown_width, shown_height; /* with square pixels */
} video_picture;

/* A buffer that only grows, so that a film allocates once. */
typedef struct video_buffer {
    uint8_t *bytes;
    size_t size;
} video_buffer;

/* False: out of memory, the buffer is as before. */
bool video_buffer_reserve(video_buffer *buffer, size_t size);
void video_buffer_free(video_buffer *buffer);

/*
 * One kind of input. advance() moves to the next frame that decodes (a frame that does not is
 * counted in info->damaged and passed over) and gives its time; pixels() gives that frame upright,
 * in memory of the reader that lives until the next call. rewind() starts over; NULL: it cannot.
 */
typedef struct video_reader video_reader;

typedef struct video_reader_ops {
    frames_status (*advance)(video_reader *reader, double *seconds, video_why why);
    frames_status (*pixels)(video_reader *reader, video_picture *picture, video_why why);
    frames_status (*rewind)(video_reader *reader, video_why why);
    void (*close)(video_reader *reader);
} video_reader_ops;

struct video_reader {
    const video_reader_ops *ops;
    const frames_options *options; /* of the source, with the zeros filled in */
    const char *name;              /* for the sentences; of the source */
    frames_info *info;             /* of the source */
    bool counting;                 /* nobody will look at the pixels of this pass */
};

/* Bytes to read: of a file, or borrowed memory when path is NULL. */
typedef struct video_input {
    const char *path;
    const uint8_t *bytes;
    size_t size;
} video_input;

/* The readers. *reader is NULL on failure; `base` says options, name and info. */
frames_status video_open_picture(video_reader **reader, const video_reader *base, video_input input,
                                 video_why why);
frames_status video_open_folder(video_reader **reader, const video_reader *base, const char *path,
                                video_why why);
frames_status video_open_movie(video_reader **reader, const video_reader *base, video_input input,
                               video_why why);
frames_status video_open_feed(video_reader **reader, const video_reader *base, FILE *file,
                              uint32_t width, uint32_t height, double fps, video_why why);

/* Checks a stored size against the limits of the options. */
frames_status video_check_size(const frames_options *options, const char *name, uint64_t width,
                               uint64_t height, video_why why);

/* Reads a picture file. *bytes [size] is the caller's to free(). `name` is for the sentence. */
frames_status video_read_file(const char *name, const char *path, uint8_t **bytes, size_t *size,
                              video_why why);

/* Whether these are the first bytes of a picture that video_decode_picture reads. */
bool video_is_picture(const uint8_t *bytes, size_t size);

/*
 * Decodes a picture file in memory, upright. picture->rgb is the caller's to free().
 * FRAMES_E_FORMAT, _DAMAGED, _TOO_LARGE or _MEMORY.
 */
frames_status video_decode_picture(const video_reader *base, const uint8_t *bytes, size_t size,
                                   video_picture *picture, video_why why);

/*
 * JPEG, PNG and BMP through stb_image, and binary PNM (bytes that start with P5 or P6), as stored.
 * *rgb [height, width, 3] is the caller's to free().
 */
frames_status video_decode_stb(const video_reader *base, const uint8_t *bytes, size_t size,
                               uint8_t **rgb, uint32_t *width, uint32_t *height, video_why why);
frames_status video_decode_pnm(const video_reader *base, const uint8_t *bytes, size_t size,
                               uint8_t **rgb, uint32_t *width, uint32_t *height, video_why why);

/*
 * Whether every Huffman table of a JPEG file in memory has the 255 values it may have at most, and
 * the first scan names only tables that were given; true of what is no JPEG. stb_image 2.27 writes
 * past its arrays for the one, and decodes by tables that it never filled for the other (frames of
 * motion JPEG leave theirs out; libav knows which are meant).
 */
bool video_jpeg_tables_fit(const uint8_t *bytes, size_t size);

/* The EXIF orientation 1..8 of a JPEG file in memory; 1 when it has none or is no JPEG. */
int video_exif_orientation(const uint8_t *bytes, size_t size);

/*
 * Copies pixels [height, width, 3] whose rows are `stride` bytes apart upright into `to` (packed,
 * width * height * 3 bytes). Orientations 5 to 8 swap the sides.
 */
void video_orient(const uint8_t *from, size_t stride, uint32_t width, uint32_t height,
                  int orientation, uint8_t *to);

static inline bool video_orientation_swaps(int orientation)
{
    return orientation >= 5 && orientation <= 8;
}

/* Resizes [h, w, 3] to [out_height, out_width, 3], both packed. False: out of memory. */
bool video_resize(const uint8_t *from, uint32_t width, uint32_t height, uint8_t *to,
                  uint32_t out_width, uint32_t out_height);

/* Which frames to take, asked frame by frame. */
typedef struct video_sampler {
    double period;  /* seconds between frames; 0: not by time */
    double due;     /* seconds: the next frame at or after this is taken */
    uint64_t total; /* uniform: frames there are; 0: not uniform */
    uint64_t count; /* uniform: frames to take */
    uint64_t limit; /* frames to take at most; 0: no limit */
    uint64_t taken;
} video_sampler;

video_sampler video_sampler_by_time(double fps, uint64_t limit);
video_sampler video_sampler_uniform(uint64_t total, uint64_t count);
bool video_sampler_done(const video_sampler *sampler);
bool video_sampler_takes(video_sampler *sampler, uint64_t index, double seconds);

#endif
