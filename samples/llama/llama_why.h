/* Inside the library: a status with its sentence. */
#ifndef LLAMA_WHY_H
#define LLAMA_WHY_H

#include "llama_host.h"

__attribute__((format(printf, 3, 4))) llama_host_status
llama_host_fail(llama_host *host, llama_host_status status, const char *format, ...);

#endif /* LLAMA_WHY_H */
