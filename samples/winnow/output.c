#define _POSIX_C_SOURCE 200809L
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static bool is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode);
}

/* What is being written now, for the signal handler: a program that is stopped leaves no half file
 * behind. One output is written at a time. */
static char pending[4096];
static volatile sig_atomic_t is_pending;

static void stop(int number)
{
    if (is_pending) {
        unlink(pending);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void set_pending(const char *path)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    is_pending = 0;
    if (path && strlen(path) < sizeof pending) {
        memcpy(pending, path, strlen(path) + 1);
        is_pending = 1;
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            signal(numbers[i], stop);
        }
    }
}

/* The permissions that a plain fopen would have given: mkstemp's are for the owner alone. */
static mode_t usual_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static int open_beside(output *out)
{
    size_t size = strlen(out->path) + sizeof ".part-XXXXXX";
    out->beside = malloc(size);
    if (!out->beside) {
        errno = ENOMEM;
        return -1;
    }
    snprintf(out->beside, size, "%s.part-XXXXXX", out->path);
    int descriptor = mkstemp(out->beside);
    if (descriptor < 0) {
        free(out->beside);
        out->beside = NULL;
        return -1;
    }
    set_pending(out->beside);
    (void)fchmod(descriptor, usual_mode());
    return descriptor;
}

int output_open(output *out, const char *path)
{
    int descriptor;
    memset(out, 0, sizeof *out);
    out->path = strdup(path);
    if (!out->path) {
        return cli_fail("%s: out of memory", path);
    }
    descriptor = is_special(path) ? open(path, O_WRONLY) : open_beside(out);
    out->file = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    if (!out->file) {
        int why = errno;
        if (descriptor >= 0) {
            close(descriptor);
        }
        int status = cli_fail("%s: cannot write: %s (choose a folder that exists and can be "
                              "written to)",
                              path, strerror(why));
        output_abandon(out);
        return status;
    }
    return CLI_DONE;
}

int output_fail(output *out)
{
    int status = cli_fail("%s: writing failed: %s (make room, or write elsewhere)", out->path,
                          strerror(errno));
    output_abandon(out);
    return status;
}

int output_commit(output *out)
{
    /* fsync tells of a disk that fills up late; devices and pipes do not know it. */
    if (fflush(out->file) != 0 || ferror(out->file) ||
        (out->beside && fsync(fileno(out->file)) != 0)) {
        return output_fail(out);
    }
    FILE *file = out->file;
    out->file = NULL;
    if (fclose(file) != 0 || (out->beside && rename(out->beside, out->path) != 0)) {
        return output_fail(out);
    }
    set_pending(NULL);
    free(out->beside);
    out->beside = NULL;
    output_abandon(out);
    return CLI_DONE;
}

void output_abandon(output *out)
{
    if (out->file) {
        fclose(out->file);
    }
    if (out->beside) {
        unlink(out->beside);
        set_pending(NULL);
    }
    free(out->beside);
    free(out->path);
    memset(out, 0, sizeof *out);
}
