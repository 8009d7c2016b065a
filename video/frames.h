/*
 * Frames from anything a user points at: a video file, a picture, a folder of pictures, or a live
 * feed of raw RGB, all as one sequence of upright 8-bit RGB frames with times in seconds.
 *
 * Memory is bounded by one decoded frame and its resized copy, however long the film is; only
 * frames_load() holds more, and only the frames that were selected.
 *
 * Threads: a source is used by one thread at a time; different sources know nothing of each other.
 * State: none outside the source. Nothing prints and nothing aborts. libav keeps a log of its own
 * whose level belongs to the process: a program that wants it quiet calls frames_quiet_libav().
 *
 * Errors: a status, and one sentence "WHAT: WHY (WHAT TO DO)" in the caller's buffer `why` of
 * `why_size` bytes, always ended by a zero and cut when it does not fit; without an error the
 * buffer means nothing. `why` may be NULL with size 0.
 */
#ifndef WINNOW_VIDEO_FRAMES_H
#define WINNOW_VIDEO_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Enough for every sentence with a path of usual length. */
#define FRAMES_WHY_SIZE 512

typedef enum frames_status {
    FRAMES_OK = 0,
    FRAMES_END = 1,            /* not an error: there are no more frames */
    FRAMES_E_ARGUMENT = -1,    /* the caller's mistake: options that contradict or make no sense */
    FRAMES_E_OPEN = -2,        /* the path is missing, unreadable, or neither file nor folder */
    FRAMES_E_FORMAT = -3,      /* neither a picture nor a video that we read */
    FRAMES_E_DAMAGED = -4,     /* the right kind of data, but no frame could be had from it */
    FRAMES_E_TOO_LARGE = -5,   /* over a limit of the options */
    FRAMES_E_UNSUPPORTED = -6, /* this build has no video support */
    FRAMES_E_MEMORY = -7
} frames_status;

typedef enum frames_size {
    FRAMES_SIZE_KEEP = 0, /* as shown; scaled down only where longest_side says so */
    FRAMES_SIZE_EXACT,    /* width x height, whatever the shape was */
    FRAMES_SIZE_MULTIPLE  /* each side the nearest multiple of `multiple`, at least one */
} frames_size;

/*
 * What to take and at which size. All zero is right for most: every frame, size kept.
 *
 * Which frames. Sampling counts only frames that really decode, not what a header promises.
 * - uniform_count = N: the centres of N equal spans, frame floor((i + 0.5) * total / N) for i in
 *   0..N-1. With fewer than N frames each is given once, none twice. The total is found by decoding
 *   the file once more beforehand, so opening takes as long as decoding; a feed has no total and
 *   refuses.
 * - fps = F: the first frame, then the first frame at or after each further 1/F seconds. A source
 *   slower than F gives each frame once. Needs no second pass.
 * - neither: every frame. Both: FRAMES_E_ARGUMENT.
 * - max_frames = M: stops after M frames; with `spread`, when there would be more than M, takes M
 *   uniformly over the whole instead (a second pass, as for uniform_count; not for a feed).
 *
 * Which size. The shown size is the stored one after turning (EXIF orientation of a JPEG, display
 * matrix of a video, both to the nearest quarter turn) and, for a video, after its pixel aspect
 * ratio is made square by its width. Sizes are then made as `size` says. Frames may differ in size
 * (a folder, or a video that changes) unless FRAMES_SIZE_EXACT or `same_size` is asked for.
 * Resizing is the antialiased bicubic (a = -0.5) of Pillow, to the bit.
 */
typedef struct frames_options {
    uint32_t uniform_count; /* frames; 0: no uniform sampling */
    double fps;             /* frames a second to take; 0: no sampling by time */
    uint32_t max_frames;    /* frames; 0: no limit */
    bool spread;            /* see max_frames */

    frames_size size;
    uint32_t width, height; /* pixels, for FRAMES_SIZE_EXACT */
    uint32_t multiple;      /* pixels, for FRAMES_SIZE_MULTIPLE: the patch size */
    uint32_t longest_side;  /* pixels, for KEEP and MULTIPLE: upper limit; 0: none */
    bool same_size;         /* later frames take the size of the first */

    double picture_fps; /* folder: pictures a second, for the times; 0: 1 */

    uint32_t refuse_side;   /* pixels: a longer stored side is refused; 0: 16384 */
    uint64_t refuse_pixels; /* pixels a frame: more is refused; 0: 256 Mi */
    uint64_t load_bytes;    /* bytes that frames_load may hold; 0: 2 GiB */
    uint32_t threads;       /* decoder threads; 0: 4 */
} frames_options;

typedef struct frames_frame {
    uint8_t *rgb;           /* [height, width, 3], rows without padding; owner: see the function */
    uint32_t width, height; /* pixels */
    double seconds;         /* since the first frame; never falls */
    uint64_t index;         /* among the frames that decode, from 0 */
} frames_frame;

typedef enum frames_kind {
    FRAMES_KIND_PICTURE,
    FRAMES_KIND_FOLDER,
    FRAMES_KIND_VIDEO,
    FRAMES_KIND_FEED
} frames_kind;

typedef struct frames_info {
    frames_kind kind;
    uint32_t shown_width, shown_height; /* pixels: first frame, upright, before sizing */
    uint32_t width, height;             /* pixels: first frame as frames_next gives it */
    double fps;                         /* by the header; 0: unknown */
    double seconds;                     /* duration by the header; 0: unknown */
    uint64_t header_frames;             /* frames by the header, often wrong; 0: unknown */
    uint64_t decoded_frames;            /* total, exact, when sampling had to count; else 0 */
    uint64_t selected_frames;           /* frames that will be given, when counted; else 0 */
    uint64_t damaged;                   /* packets or pictures so far that did not decode */
} frames_info;

typedef struct frames_source frames_source; /* opaque */

/*
 * Opens a video file, a picture file, or a folder (its pictures in natural order: img2 before
 * img10; hidden files, other files and folders inside are passed over), and decodes the first
 * frame, so that a source that opens has at least one.
 *
 * Pictures: JPEG, PNG, BMP, binary PNM; with video support also WebP and TIFF. Alpha is dropped,
 * 16 bits become 8. Videos: MP4/MOV, Matroska/WebM, AVI, GIF, MPEG-TS/PS, FLV, ASF, Ogg, Y4M. Formats that
 * refer to other files or addresses (playlists) are refused. Damaged files give what decodes.
 *
 * `options` may be NULL (all zero) and is copied. *source is NULL on failure; the caller owns it
 * and ends it with frames_close.
 * Returns FRAMES_OK or any FRAMES_E_*.
 */
frames_status frames_open(frames_source **source, const char *path, const frames_options *options,
                          char *why, size_t why_size);

/* As frames_open for a picture or video of `size` bytes in memory, borrowed until frames_close. */
frames_status frames_open_memory(frames_source **source, const void *bytes, size_t size,
                                 const frames_options *options, char *why, size_t why_size);

/*
 * A live feed: frames of width * height * 3 bytes of RGB, one after another, `fps` a second (frame
 * i is at i / fps seconds). `file` is borrowed until frames_close and read front to back, blocking.
 * A feed that ends inside a frame gives FRAMES_E_DAMAGED there. As for the others the first frame
 * is read at once; a feed without any is FRAMES_E_DAMAGED.
 */
frames_status frames_open_feed(frames_source **source, FILE *file, uint32_t width, uint32_t height,
                               double fps, const frames_options *options, char *why,
                               size_t why_size);

/*
 * The next selected frame. frame->rgb belongs to the source and lives until the next call on it.
 * Returns FRAMES_OK, FRAMES_END (also when asked again), or FRAMES_E_*, which then stays.
 */
frames_status frames_next(frames_source *source, frames_frame *frame, char *why, size_t why_size);

/* What is known of the source by now. */
void frames_get_info(const frames_source *source, frames_info *info);

/* Ends *source and sets it to NULL; NULL and a pointer to NULL are fine. */
void frames_close(frames_source **source);

/* All selected frames at once: frames[count], each rgb owned by the list. */
typedef struct frames_list {
    frames_frame *frames;
    size_t count;
} frames_list;

/*
 * frames_open, frames_next to the end, frames_close. `list` is overwritten, and ended by
 * frames_list_free. On failure it is empty. More than options->load_bytes is FRAMES_E_TOO_LARGE.
 */
frames_status frames_load(frames_list *list, const char *path, const frames_options *options,
                          char *why, size_t why_size);

/* Frees what the list owns and empties it; NULL is fine. */
void frames_list_free(frames_list *list);

/*
 * The size [pixels] that a frame shown at width x height is given by these options. Needs no
 * source: for planning token grids. FRAMES_OK, FRAMES_E_ARGUMENT or FRAMES_E_TOO_LARGE.
 */
frames_status frames_output_size(const frames_options *options, uint32_t width, uint32_t height,
                                 uint32_t *out_width, uint32_t *out_height, char *why,
                                 size_t why_size);

/* The frame that uniform sampling takes i-th (0 <= i < count <= total < 2^31). */
uint64_t frames_uniform_index(uint64_t i, uint64_t total, uint64_t count);

/* Whether this build reads videos. */
bool frames_has_video(void);

/*
 * Silences libav's log. The level is one for the whole process, which is why the library leaves it
 * alone and a program calls this, once, from main. Without video support it does nothing.
 */
void frames_quiet_libav(void);

#ifdef __cplusplus
}
#endif

#endif
