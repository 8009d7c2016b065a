/* Workers sleep between operations: a host's process is not ours to spin in. One spins for a moment first, since the next
 * operation of a pipeline comes within microseconds. */
#include "cpu_pool.h"

#include <pthread.h>
#include <stdatomic.h>

enum { SPINS = 2000 };

struct wn_cpu_pool {
    wn_host host;
    uint32_t workers;
    pthread_t *thread;     /* [workers] */
    pthread_mutex_t owner; /* of the job: one caller at a time */
    pthread_mutex_t mutex; /* of what follows, but for the atomics */
    pthread_cond_t start, end;
    void (*work)(void *user, uint32_t part);
    void *user;
    uint32_t parts;
    uint32_t working; /* workers in the job */
    bool open;        /* to workers that come now */
    bool quits;
    atomic_uint job;  /* its number */
    atomic_uint next; /* part that is not taken yet */
};

static void take_parts(wn_cpu_pool *pool)
{
    for (uint32_t part; (part = atomic_fetch_add(&pool->next, 1)) < pool->parts;)
        pool->work(pool->user, part);
}

/* Joins the next open job; false: the pool ends. */
static bool join(wn_cpu_pool *pool, unsigned *seen)
{
    for (int i = 0; i < SPINS && atomic_load_explicit(&pool->job, memory_order_relaxed) == *seen;
         ++i)
        ;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->quits && !(pool->open && atomic_load(&pool->job) != *seen))
        pthread_cond_wait(&pool->start, &pool->mutex);
    *seen = atomic_load(&pool->job);
    const bool joins = !pool->quits;
    pool->working += joins;
    pthread_mutex_unlock(&pool->mutex);
    return joins;
}

static void *worker(void *user)
{
    wn_cpu_pool *pool = user;
    unsigned seen = 0;
    while (join(pool, &seen)) {
        take_parts(pool);
        pthread_mutex_lock(&pool->mutex);
        if (--pool->working == 0)
            pthread_cond_signal(&pool->end);
        pthread_mutex_unlock(&pool->mutex);
    }
    return NULL;
}

void wn_cpu_pool_run(wn_cpu_pool *pool, void (*work)(void *user, uint32_t part), void *user,
                     uint32_t parts)
{
    if (pthread_mutex_trylock(&pool->owner) != 0) {
        for (uint32_t part = 0; part < parts; ++part)
            work(user, part);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->work = work;
    pool->user = user;
    pool->parts = parts;
    pool->open = true;
    atomic_store(&pool->next, 0);
    atomic_fetch_add(&pool->job, 1);
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    take_parts(pool);
    pthread_mutex_lock(&pool->mutex);
    pool->open = false; /* who comes now is not waited for: every part is taken */
    while (pool->working > 0)
        pthread_cond_wait(&pool->end, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    pthread_mutex_unlock(&pool->owner);
}

void wn_cpu_pool_destroy(wn_cpu_pool *pool)
{
    if (!pool)
        return;
    const wn_host host = pool->host;
    pthread_mutex_lock(&pool->mutex);
    pool->quits = true;
    pthread_cond_broadcast(&pool->start);
    pthread_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->workers; ++i)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->end);
    pthread_cond_destroy(&pool->start);
    pthread_mutex_destroy(&pool->mutex);
    pthread_mutex_destroy(&pool->owner);
    wn_free(&host, pool->thread);
    wn_free(&host, pool);
}

wn_cpu_pool *wn_cpu_pool_create(const wn_host *host, uint32_t threads)
{
    wn_cpu_pool *pool = wn_alloc(host, sizeof *pool);
    if (!pool)
        return NULL;
    pool->host = *host;
    pool->thread = wn_alloc(host, (threads - 1) * sizeof *pool->thread);
    pthread_mutex_init(&pool->owner, NULL);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->start, NULL);
    pthread_cond_init(&pool->end, NULL);
    while (pool->thread && pool->workers + 1 < threads &&
           pthread_create(&pool->thread[pool->workers], NULL, worker, pool) == 0)
        ++pool->workers;
    if (pool->workers > 0)
        return pool;
    wn_cpu_pool_destroy(pool);
    return NULL;
}
