/* Weights for stages that learn, made of random numbers: what a bench takes where no trained ones are at hand. */
#ifndef WINNOW_BENCH_WEIGHTS_H
#define WINNOW_BENCH_WEIGHTS_H

#include <stdint.h>

#include <winnow/winnow.h>

/* As api->pipeline_create; weights=@random in the spec are those, for tokens of `dim` channels. */
winnow_status bench_pipeline(const winnow_api *api, const winnow_host *host, const char *spec,
                             uint32_t dim, winnow_pipeline **out);

#endif /* WINNOW_BENCH_WEIGHTS_H */
