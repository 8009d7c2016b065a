/* device_features.h: what helps and can be masked off by a device's `disable`; each has a fallback. */
#ifndef WN_DEVICE_FEATURES_H
#define WN_DEVICE_FEATURES_H

#include <stddef.h>

#include "host.h"

enum wn_feature {
    /* GPUs */
    WN_FEATURE_SUBGROUP,  /* shuffles in full subgroups; else shared memory */
    WN_FEATURE_STORAGE16, /* 16-bit loads and stores; else halves of words */
    WN_FEATURE_TIMELINE,  /* the host's timeline semaphores in plan_submit; else binary only */
    WN_FEATURE_PUSH_DESCRIPTOR, /* else descriptor sets taken at exec_create */
    WN_FEATURE_HOST_IMPORT,     /* the caller's pages as upload buffers; else staging */
    WN_FEATURE_TIMESTAMPS,      /* else gpu_ns is 0, and bandwidth goes by the clock */
    /* Products of f16 matrices by subgroups as a whole; else by lanes. Their sums come in the
     * device's order: rows that a product makes (an encoder's, and those of merging layers) agree
     * with other devices' to rounding, where all else is the same to the bit. Needs SUBGROUP.
     * Software devices are slower with them (lavapipe 26: 2.4 times, and seconds to compile), so
     * that only a host that lends one with them on gets them there. */
    WN_FEATURE_COOPERATIVE_MATRIX,
    /* Tiles of products whose rows pass from lane to lane by broadcasts; else through shared memory. For drivers that
     * run on a CPU, whose lanes are those of a vector: a broadcast is one instruction there, a load as many as there
     * are lanes, and a barrier parks every invocation. Needs SUBGROUP, of 8 or 4 lanes. */
    WN_FEATURE_BROADCAST,
    /* plain C */
    WN_FEATURE_AVX2,    /* wider vectors: the same operations in the same order */
    WN_FEATURE_AVX512,  /* wider still */
    WN_FEATURE_THREADS, /* operations shared among threads; else the caller's alone */
    WN_FEATURE_COUNT
};

/* The bits of "avx2, threads". E_ARGUMENT with a sentence for a name that is none. */
winnow_status wn_features_parse(const wn_host *host, const char *disable, uint32_t *mask);
void wn_features_list(uint32_t features, char *out, size_t room); /* "subgroup,storage16" */

#endif
