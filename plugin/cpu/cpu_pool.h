/* cpu_pool.h: threads that share the parts of one operation. */
#ifndef WN_CPU_POOL_H
#define WN_CPU_POOL_H

#include "../host.h"

typedef struct wn_cpu_pool wn_cpu_pool;

/* `threads` with the caller's own, at least 2. NULL where there is no memory or no thread to be had. */
wn_cpu_pool *wn_cpu_pool_create(const wn_host *host, uint32_t threads);
void wn_cpu_pool_destroy(wn_cpu_pool *pool); /* NULL is fine */

/* Calls work(user, 0 .. parts-1), each once, on the caller's thread and the pool's, and returns when all are done. A
 * second caller at the same time does its parts by itself. */
void wn_cpu_pool_run(wn_cpu_pool *pool, void (*work)(void *user, uint32_t part), void *user,
                     uint32_t parts);

#endif
