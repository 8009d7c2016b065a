#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *user, size_t bytes, size_t alignment)
{
    (void)user;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void default_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static bool all_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (bytes[i])
            return false;
    return true;
}

winnow_status wn_desc_read(const void *in, void *out, size_t size)
{
    if (!in)
        return WINNOW_E_ARGUMENT;
    uint32_t given;
    memcpy(&given, in, sizeof given);
    memset(out, 0, size);
    if (given < sizeof given)
        return WINNOW_E_STRUCT_SIZE;
    if (given > size && !all_zero((const unsigned char *)in + size, given - size))
        return WINNOW_E_STRUCT_SIZE;
    memcpy(out, in, given < size ? given : size);
    return WINNOW_OK;
}

winnow_status wn_desc_write(const void *filled, size_t size, void *out)
{
    if (!out)
        return WINNOW_E_ARGUMENT;
    uint32_t room;
    memcpy(&room, out, sizeof room);
    if (room < sizeof room)
        return WINNOW_E_STRUCT_SIZE;
    if (room > size)
        memset((unsigned char *)out + size, 0, room - size);
    memcpy((unsigned char *)out + sizeof room, (const unsigned char *)filled + sizeof room,
           (room < size ? room : size) - sizeof room);
    return WINNOW_OK;
}

winnow_status wn_host_read(const winnow_host *in, wn_host *out)
{
    winnow_host host = {0};
    if (in)
        WN_TRY(wn_desc_read(in, &host, sizeof host));
    if (!host.allocator.allocate != !host.allocator.release)
        return WINNOW_E_ARGUMENT; /* one without the other would mix two heaps */
    if (!host.allocator.allocate) {
        host.allocator.allocate = default_allocate;
        host.allocator.release = default_release;
    }
    *out = (wn_host){.allocator = host.allocator, .log = host.log, .log_user = host.log_user};
    return WINNOW_OK;
}

void *wn_alloc(const wn_host *host, size_t bytes)
{
    if (bytes > SIZE_MAX - 64)
        return NULL;
    const size_t want = bytes ? bytes : 1;
    void *memory = host->allocator.allocate(host->allocator.user, want, 64);
    if (memory)
        memset(memory, 0, want);
    return memory;
}

void wn_free(const wn_host *host, void *memory)
{
    if (memory)
        host->allocator.release(host->allocator.user, memory);
}

static void log_line(const wn_host *host, int32_t level, const char *format, va_list list)
{
    if (!host->log)
        return;
    char line[1024];
    vsnprintf(line, sizeof line, format, list);
    for (char *c = line; *c; ++c)
        if (*c == '\n' || *c == '\r')
            *c = ' '; /* specs and names come from outside: one line stays one line */
    host->log(host->log_user, level, line);
}

static int32_t level_of(winnow_status status)
{
    if (status <= -300 && status > -400)
        return WINNOW_LOG_WARNING;
    if (status <= -200 && status > -300)
        return WINNOW_LOG_INFO;
    return WINNOW_LOG_ERROR;
}

winnow_status wn_fail(const wn_host *host, winnow_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    log_line(host, level_of(status), format, list);
    va_end(list);
    return status;
}

void wn_log(const wn_host *host, int32_t level, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    log_line(host, level, format, list);
    va_end(list);
}

static const struct {
    winnow_status status;
    const char *name;
} status_names[] = {
    {WINNOW_OK, "WINNOW_OK"},
    {WINNOW_E_ARGUMENT, "WINNOW_E_ARGUMENT"},
    {WINNOW_E_STRUCT_SIZE, "WINNOW_E_STRUCT_SIZE"},
    {WINNOW_E_SPEC, "WINNOW_E_SPEC"},
    {WINNOW_E_ROLE, "WINNOW_E_ROLE"},
    {WINNOW_E_SHAPE, "WINNOW_E_SHAPE"},
    {WINNOW_E_STATE, "WINNOW_E_STATE"},
    {WINNOW_E_FILE, "WINNOW_E_FILE"},
    {WINNOW_E_UNSUPPORTED, "WINNOW_E_UNSUPPORTED"},
    {WINNOW_E_NO_DEVICE, "WINNOW_E_NO_DEVICE"},
    {WINNOW_E_FEATURE, "WINNOW_E_FEATURE"},
    {WINNOW_E_HOST_MEMORY, "WINNOW_E_HOST_MEMORY"},
    {WINNOW_E_DEVICE_MEMORY, "WINNOW_E_DEVICE_MEMORY"},
    {WINNOW_E_TOO_SMALL, "WINNOW_E_TOO_SMALL"},
    {WINNOW_E_TIMEOUT, "WINNOW_E_TIMEOUT"},
    {WINNOW_E_DEVICE_LOST, "WINNOW_E_DEVICE_LOST"},
    {WINNOW_E_INTERNAL, "WINNOW_E_INTERNAL"},
};

const char *wn_status_name(winnow_status status)
{
    for (size_t i = 0; i < sizeof status_names / sizeof *status_names; ++i)
        if (status_names[i].status == status)
            return status_names[i].name;
    return "unknown status";
}
