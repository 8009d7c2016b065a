/*
 * Bytes for libav. Everything goes through here, files too, so that libav never opens a name by
 * itself: what a hostile file refers to stays closed.
 */
#include "movie.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>

enum { IO_BYTES = 32768 };

static int read_bytes(void *opaque, uint8_t *to, int size)
{
    movie_reader *m = opaque;
    size_t got;
    if (size <= 0) {
        return AVERROR(EINVAL);
    }
    if (m->file) {
        got = fread(to, 1, (size_t)size, m->file);
        if (got == 0 && ferror(m->file)) {
            return AVERROR(EIO);
        }
    } else {
        const size_t left = m->input.size - m->at;
        got = left < (size_t)size ? left : (size_t)size;
        memcpy(to, m->input.bytes + m->at, got);
        m->at += got;
    }
    return got ? (int)got : AVERROR_EOF;
}

static int64_t seek_file(FILE *file, int64_t offset, int whence)
{
    if (whence == AVSEEK_SIZE) {
        const off_t here = ftello(file);
        if (here < 0 || fseeko(file, 0, SEEK_END) != 0) {
            return AVERROR(EIO);
        }
        const off_t size = ftello(file);
        return fseeko(file, here, SEEK_SET) == 0 ? size : AVERROR(EIO);
    }
    return fseeko(file, (off_t)offset, whence) == 0 ? ftello(file) : AVERROR(EIO);
}

static int64_t seek_memory(movie_reader *m, int64_t offset, int whence)
{
    const int64_t size = (int64_t)m->input.size;
    const int64_t from = whence == SEEK_CUR ? (int64_t)m->at : whence == SEEK_END ? size : 0;
    if (whence == AVSEEK_SIZE) {
        return size;
    }
    if (offset < -from || offset > size - from) {
        return AVERROR(EINVAL);
    }
    m->at = (size_t)(from + offset);
    return from + offset;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence)
{
    movie_reader *m = opaque;
    whence &= ~AVSEEK_FORCE;
    return m->file ? seek_file(m->file, offset, whence) : seek_memory(m, offset, whence);
}

frames_status movie_open_io(movie_reader *m, video_why why)
{
    m->at = 0;
    if (m->path && !(m->file = fopen(m->path, "rb"))) {
        return video_fail(why, FRAMES_E_OPEN, "%s: %s (check the path and its permissions)",
                          m->base.name, strerror(errno));
    }
    uint8_t *buffer = av_malloc(IO_BYTES);
    m->io =
        buffer ? avio_alloc_context(buffer, IO_BYTES, 0, m, read_bytes, NULL, seek_bytes) : NULL;
    if (!m->io) {
        av_free(buffer);
        return video_fail_memory(why, m->base.name);
    }
    return FRAMES_OK;
}

void movie_close_io(movie_reader *m)
{
    if (m->io) {
        av_freep(&m->io->buffer); /* libav may have put another in place of ours */
        avio_context_free(&m->io);
    }
    if (m->file) {
        fclose(m->file);
        m->file = NULL;
    }
}
