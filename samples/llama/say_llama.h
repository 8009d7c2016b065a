/* What llama.cpp says, kept back for the one error line. */
#ifndef LLAMA_SAY_LLAMA_H
#define LLAMA_SAY_LLAMA_H

#include <stdbool.h>

#include <ggml.h>

/* For llama_log_set (and mtmd_log_set, where that is used): llama.cpp's log stays silent but for what
 * say_llama_words gives. `verbose`: all of it goes to stderr too. */
ggml_log_callback say_llama_log(bool verbose);

/* " (llama.cpp says: ...)" with its last error, or "" if it named none; forgets it. */
const char *say_llama_words(void);

#endif /* LLAMA_SAY_LLAMA_H */
