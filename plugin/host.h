/* host.h: what the host lent (allocator, log), and one way to use it. */
#ifndef WN_HOST_H
#define WN_HOST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "winnow/winnow.h"

#define WN_VERSION "1.0.0" /* of the library */

/* A winnow_host as read from the caller, every function set. Copied into each object. */
typedef struct wn_host {
    winnow_allocator allocator;
    winnow_log_fn log; /* NULL: silence */
    void *log_user;
} wn_host;

/* Copies a caller's sized struct into `out` (of `size` bytes, zeroed first). Shorter is older and
 * fine; longer is fine if the tail is zero. E_ARGUMENT (NULL), E_STRUCT_SIZE. The only reader of
 * the caller's descriptors. */
winnow_status wn_desc_read(const void *in, void *out, size_t size);

/* Writes a filled struct back into the caller's, as much as it has room for; out->struct_size says
 * how much and is kept. E_ARGUMENT, E_STRUCT_SIZE. */
winnow_status wn_desc_write(const void *filled, size_t size, void *out);

/* Reads a winnow_host or takes defaults (NULL). */
winnow_status wn_host_read(const winnow_host *in, wn_host *out);

/* Zeroed memory aligned to 64 bytes, or NULL. bytes 0 gives a valid pointer. */
void *wn_alloc(const wn_host *host, size_t bytes);
void wn_free(const wn_host *host, void *memory); /* NULL is fine */

/* Logs one sentence and returns `status`, so that a failure is one line:
 * return wn_fail(host, WINNOW_E_ROLE, "tome: needs keys (give the role, or metric=tokens)"); */
winnow_status wn_fail(const wn_host *host, winnow_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void wn_log(const wn_host *host, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

const char *wn_status_name(winnow_status status);

/* Leaves the function with the status of `expr` unless it is WINNOW_OK. */
#define WN_TRY(expr)                              \
    do {                                          \
        const winnow_status try_status_ = (expr); \
        if (try_status_ != WINNOW_OK)             \
            return try_status_;                   \
    } while (0)

#endif
