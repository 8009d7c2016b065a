#include "real.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

static real_functions functions;
static atomic_bool found;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_libmtmd(struct dl_phdr_info *info, size_t size, void *out)
{
    const char *name = strrchr(info->dlpi_name, '/');
    (void)size;
    name = name ? name + 1 : info->dlpi_name;
    if (strncmp(name, "libmtmd", 7) != 0) {
        return 0;
    }
    *(const char **)out = info->dlpi_name;
    return 1;
}

/* Linked: it is behind us in the order of lookup. Opened by dlopen: it is in nobody's order, but
 * its calls to its own exports come here all the same. */
static void *look_up(void *library, const char *name)
{
    void *at = dlsym(RTLD_NEXT, name);
    return at || !library ? at : dlsym(library, name);
}

static void *open_again(void)
{
    const char *path = NULL;
    dl_iterate_phdr(is_libmtmd, &path);
    return path ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
}

static void look_up_all(void)
{
    void *library = dlsym(RTLD_NEXT, "mtmd_init_from_file") ? NULL : open_again();
    void *at;
#define FIND(member, name, needed, result, arguments) \
    at = look_up(library, #name);                     \
    memcpy(&functions.member, &at, sizeof at);
    MTMD_FUNCTIONS(FIND)
#undef FIND
    atomic_store(&found, functions.init_from_file != NULL);
}

const real_functions *real_get(void)
{
    if (!atomic_load(&found)) {
        pthread_mutex_lock(&lock);
        if (!atomic_load(&found)) {
            look_up_all();
        }
        pthread_mutex_unlock(&lock);
    }
    return &functions;
}

bool real_is_there(void)
{
    return real_get()->init_from_file != NULL;
}

const char *real_missing(void)
{
    const real_functions *r = real_get();
    const char *missing = NULL;
#define CHECK(member, name, needed, result, arguments) \
    missing = !missing && (needed) && !r->member ? #name : missing;
    MTMD_FUNCTIONS(CHECK)
#undef CHECK
    return missing;
}

void real_need(bool there, const char *name)
{
    if (!there) {
        say("%s: the program calls it, but no libmtmd has it", name);
        _exit(127);
    }
}
