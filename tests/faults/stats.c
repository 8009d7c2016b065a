/* Counting, failing, and the report. */
#include "faults.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MISUSES = 16 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t calls[CALL_COUNT];
static int64_t alive[CALL_COUNT]; /* by the call that creates */
static uint64_t total, towards_nth, failed_at;
static enum call failed_call = CALL_COUNT;
static const char *misuses[MAX_MISUSES];
static size_t misuse_count;

/* With the lock held: does the fault strike this call? */
static bool strikes(enum call call)
{
    const struct fault_config *config = fault_config();
    if (config->call && strcmp(config->call, call_info[call].name))
        return false;
    towards_nth++;
    if (!config->nth || failed_call != CALL_COUNT || towards_nth < config->nth)
        return false;
    if (config->result == VK_ERROR_DEVICE_LOST && !(call_info[call].flags & MAY_LOSE))
        return false;
    failed_call = call;
    failed_at = total;
    return true;
}

bool fault_due(struct chain *chain, enum call call, VkResult *result)
{
    unsigned flags = call_info[call].flags;
    pthread_mutex_lock(&lock);
    total++;
    calls[call]++;
    bool due = strikes(call);
    *result = fault_config()->result;
    if (due && *result == VK_ERROR_DEVICE_LOST)
        chain->lost = true;
    if (chain && chain->lost && (flags & MAY_LOSE)) {
        due = true;
        *result = VK_ERROR_DEVICE_LOST;
    }
    pthread_mutex_unlock(&lock);
    if (due && (flags & WAITS) == WAITS)
        DOWN(chain, DeviceWaitIdle)(chain->handle);
    return due;
}

void balance(enum call create, int change)
{
    pthread_mutex_lock(&lock);
    alive[create] += change;
    pthread_mutex_unlock(&lock);
}

void note_misuse(const char *sentence)
{
    pthread_mutex_lock(&lock);
    if (misuse_count < MAX_MISUSES)
        misuses[misuse_count++] = sentence;
    pthread_mutex_unlock(&lock);
}

/* At an instance's end, and at exit: an instance never destroyed is a leak too. */
__attribute__((destructor)) void write_report(void)
{
    const char *path = fault_config()->count_file;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    pthread_mutex_lock(&lock);
    fprintf(file, "calls %" PRIu64 "\n", total);
    if (failed_call != CALL_COUNT)
        fprintf(file, "failed %s %" PRIu64 "\n", call_info[failed_call].name, failed_at);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (calls[i])
            fprintf(file, "call %s %" PRIu64 "\n", call_info[i].name, calls[i]);
    }
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (alive[i])
            fprintf(file, "leaked %s %" PRId64 "\n", call_info[i].name, alive[i]);
    }
    for (size_t i = 0; i < misuse_count; i++)
        fprintf(file, "misuse %s\n", misuses[i]);
    pthread_mutex_unlock(&lock);
    fclose(file);
}
