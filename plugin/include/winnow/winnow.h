/* winnow.h: the whole core ABI of libwinnow.
 *
 * Winnow reduces the visual tokens of a multimodal LLM between its vision encoder and its language
 * model. A host opens libwinnow with dlopen, asks for the one exported symbol, and does the rest
 * through the table that it gets:
 *
 *     const winnow_api *w = winnow_get_api(WINNOW_ABI);      // NULL: this major is not spoken here
 *     w->device_create(&device_desc, &device);               // a GPU of our own, or the plain C backend
 *     w->pipeline_create(&host, "divprune=keep=64", &pipe);  // a spec string, checked
 *     w->plan_create(device, pipe, &plan_desc, &plan);       // all memory is taken here
 *     w->plan_run(plan, &run, &result);                      // host memory in, host memory out
 *
 * A host with a Vulkan device of its own takes the extension in winnow_vulkan.h.
 *
 * Conventions
 *   Shapes   are written [T, N, D]: frames, tokens a frame (raster order), channels; the last
 *            dimension is contiguous. Strides are in bytes.
 *   Structs  that the host fills start with their size; set struct_size = sizeof(struct) and zero
 *            the rest: zero always means the default. An older (shorter) struct is accepted; a
 *            longer one is accepted when what this library does not know is zero.
 *   Pointers that a function takes are read during the call only, unless said otherwise.
 *   Status   0 is success. The band of an error says what to do (see winnow_status); the log
 *            callback of the object's host gets one sentence that says why.
 *   Threads  every function ends with its rule: [any-thread] at any time; [object] one call at a
 *            time for each object named first in the arguments (different objects in parallel).
 *            A device may be shared by plans that run in different threads.
 *   Loading  does no work, and the library holds no global state: it may be closed when every
 *            object that came from it is destroyed. It reads no environment variable.
 */
#ifndef WINNOW_H
#define WINNOW_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WINNOW_ABI_MAJOR 1u
#define WINNOW_ABI_MINOR 0u
#define WINNOW_ABI ((WINNOW_ABI_MAJOR << 16) | WINNOW_ABI_MINOR)

#if defined(_WIN32)
#define WINNOW_EXPORT __declspec(dllexport)
#else
#define WINNOW_EXPORT __attribute__((visibility("default")))
#endif

/* True if `api` (a table that may come from an older library) has the function `member`. */
#define WINNOW_HAS(api, member)                                                                    \
    ((api)->struct_size >= offsetof(winnow_api, member) + sizeof((api)->member) && (api)->member)

/* What a call came to. Bands are fixed; names within a band may be added.
 *   -1..   -99   (never used)
 *   -100.. -199  the caller's mistake: fix the call; nothing happened
 *   -200.. -299  not supported here: choose another method or device, or pass the tokens through
 *   -300.. -399  a resource ran out: free or enlarge it and try again
 *   -400.. -499  the device is lost: destroy every object of this device
 *   -900..       our bug: report it */
typedef int32_t winnow_status;
enum {
    WINNOW_OK = 0,
    WINNOW_E_ARGUMENT = -100,    /* a NULL, an enum out of range, a shape that cannot be */
    WINNOW_E_STRUCT_SIZE = -101, /* struct_size is zero, or the unknown tail of a newer struct is set */
    WINNOW_E_SPEC = -102,        /* the pipeline spec does not parse; the log points at the character */
    WINNOW_E_ROLE = -103,        /* a stage needs an input (role) that was not given */
    WINNOW_E_SHAPE = -104,       /* an input's shape does not fit the others, the plan or the stage */
    WINNOW_E_STATE = -105,       /* the object is not in a state for this call */
    WINNOW_E_FILE = -106,        /* a file is missing, damaged, or of a kind that is not read */
    WINNOW_E_UNSUPPORTED = -200, /* this build or device cannot do it */
    WINNOW_E_NO_DEVICE = -201,   /* no Vulkan loader, no driver, or no device that the selector names */
    WINNOW_E_FEATURE = -202,     /* the device lacks a feature or a limit is too low */
    WINNOW_E_HOST_MEMORY = -300,
    WINNOW_E_DEVICE_MEMORY = -301,
    WINNOW_E_TOO_SMALL = -302, /* a buffer of the caller's is too small; sizes are in the log */
    WINNOW_E_TIMEOUT = -303,   /* the device did not finish in time */
    WINNOW_E_DEVICE_LOST = -400,
    WINNOW_E_INTERNAL = -900
};

/* Element types. bf16 is the upper half of an f32. */
enum { WINNOW_F32 = 0, WINNOW_F16 = 1, WINNOW_BF16 = 2, WINNOW_I32 = 3, WINNOW_DTYPE_COUNT = 4 };

/* What an input tensor is to a pipeline. T, N, D as above; H heads; M text rows. f32, f16 or bf16,
 * except grid and layout. The names in quotes are those of safetensors files and of messages. */
enum {
    WINNOW_ROLE_TOKENS = 0,        /* "tokens" [T,N,D]: the visual tokens; always needed but by kv stages */
    WINNOW_ROLE_SIZES = 1,         /* "sizes" [T,N]: source tokens that a token stands for; absent: 1 */
    WINNOW_ROLE_KEYS = 2,          /* "keys" [T,N,Dk]: attention keys, mean over heads or all channels */
    WINNOW_ROLE_QUERIES = 3,       /* "queries" [T,N,Dk] */
    WINNOW_ROLE_CLS = 4,           /* "cls" [T,D]: the class token of each frame */
    WINNOW_ROLE_CLS_ATTENTION = 5, /* "cls_attention" [T,H,N]: softmax row of the class token, patch columns */
    WINNOW_ROLE_TEXT = 6,          /* "text" [M,Dt]: text embeddings */
    WINNOW_ROLE_IMAGE_EMBEDS = 7,  /* "image_embeds" [T,N,Di]: patch embeddings in the text's space, the encoder's, or an
                                      earlier layer's tokens (see the stages that take it) */
    WINNOW_ROLE_LLM_ATTENTION = 8, /* "llm_attention" [H,T*N]: last prompt token to each visual token */
    WINNOW_ROLE_FRAME_EMBEDS = 9,  /* "frame_embeds" [T,De]: one embedding a frame */
    WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW = 10, /* "received_attention_shallow" [T,N]: what a token receives in an
                                                    early layer, mean over heads and queries, class token's too */
    WINNOW_ROLE_RECEIVED_ATTENTION_DEEP = 11,    /* "received_attention_deep" [T,N]: the same in the last layer used */
    WINNOW_ROLE_CLS_ATTENTION_SHALLOW = 12,      /* "cls_attention_shallow" [T,H,N]: as cls_attention, early layer */
    WINNOW_ROLE_TEXT_ATTENTION = 13, /* "text_attention" [H,M,T*N]: each row of text to each visual token, in the LLM */
    WINNOW_ROLE_TEXT_KEYS = 14,      /* "text_keys" [M,Dk]: keys of the rows of text */
    WINNOW_ROLE_ATTENTION = 15,      /* "attention" [T,H,N,N]: token (row) to token, softmaxed */
    WINNOW_ROLE_ATTENTION_TO_TEXT = 16, /* "attention_to_text" [H,T*N,M]: each visual token to each row of text, in the LLM */
    WINNOW_ROLE_GROUPS = 17, /* "groups" [T,N]: tokens of one number compete with each other (see the stages that take it) */
    WINNOW_ROLE_SALIENCY = 18, /* "saliency" [T,N]: how much the answer depends on a token, the length of its gradient or so */
    WINNOW_ROLE_COUNT = 19,
    WINNOW_ROLE_SLOTS = 32 /* of arrays with one element a role: room for roles to come */
};

/* Which outputs a plan writes (bits), and the roles of output tensors. K: rows kept. */
enum {
    WINNOW_OUT_TOKENS = 0,     /* "tokens" [K,D'] in the plan's output type; D' from plan_info */
    WINNOW_OUT_INDICES = 1,    /* "indices" i32 [K]: source token t*N+i; -1 class token, -2 pooled rest */
    WINNOW_OUT_SIZES = 2,      /* "sizes" f32 [K]: source tokens that a row stands for */
    WINNOW_OUT_POSITIONS = 3,  /* "positions" i32 [K,3]: (t,h,w) of indices on the source grid; -1 where none */
    WINNOW_OUT_ASSIGNMENT = 4, /* "assignment" i32 [T*N]: row that each source token went to, -1 dropped */
    WINNOW_OUT_COUNT_WORD = 5, /* "count" u32 [4]: rows K, NaN scores met, 0, 0 */
    WINNOW_OUT_COUNT = 6
};

/* Memory of the host's choice; NULL functions mean malloc and free. Called from any thread that
 * calls us. `alignment` is a power of two, at most 64. */
typedef struct winnow_allocator {
    void *(*allocate)(void *user, size_t bytes, size_t alignment);
    void (*release)(void *user, void *memory); /* memory may be NULL */
    void *user;
} winnow_allocator;

enum { WINNOW_LOG_ERROR = 0, WINNOW_LOG_WARNING = 1, WINNOW_LOG_INFO = 2, WINNOW_LOG_DEBUG = 3 };

/* One line, no line feed, UTF-8, valid during the call only: "WHAT: WHY (WHAT TO DO)". */
typedef void (*winnow_log_fn)(void *user, int32_t level, const char *message);

/* What the host lends to every object that is made with it. Copied; the functions must live as
 * long as the object. NULL where a winnow_host is asked for means malloc, free and silence. */
typedef struct winnow_host {
    uint32_t struct_size;
    uint32_t reserved;
    winnow_allocator allocator;
    winnow_log_fn log;
    void *log_user;
} winnow_host;

typedef struct winnow_device winnow_device;
typedef struct winnow_pipeline winnow_pipeline;
typedef struct winnow_plan winnow_plan;
typedef struct winnow_stream winnow_stream;
typedef struct winnow_kv winnow_kv;

enum { WINNOW_BACKEND_AUTO = 0, WINNOW_BACKEND_GPU = 1, WINNOW_BACKEND_CPU = 2 };

typedef struct winnow_device_desc {
    uint32_t struct_size;
    int32_t backend;         /* WINNOW_BACKEND_*; AUTO: a GPU if there is one, else plain C; a Vulkan driver that
                                computes on the CPU is none unless `selector` names it: plain C is faster */
    const winnow_host *host; /* NULL: defaults */
    const char *selector;    /* NULL or "": the best device; a number as listed by device_list; or part of
                                the device's or driver's name, any case */
    const char *disable;     /* NULL, or device features not to use: "fp16,subgroup,..." (see device_info). Plain C
                                has avx2, avx512 and threads, as the processor has them: with threads a device keeps
                                one a processor, asleep between runs; without, all work is on the caller's */
    const char *loader_path; /* NULL: libvulkan.so.1 from the usual places */
    const char *cache_path;  /* NULL or "": none. A file of compiled shaders: what is there for this GPU, driver and
                                library is used, and what was compiled beside it is put there by device_destroy,
                                under another name first and then in one step. A file that cannot be used or
                                written is a warning in the log and costs time, no more. Plain C has none */
} winnow_device_desc;

enum { WINNOW_DEVICE_OTHER, WINNOW_DEVICE_INTEGRATED, WINNOW_DEVICE_DISCRETE, WINNOW_DEVICE_VIRTUAL, WINNOW_DEVICE_CPU };

/* Filled by the library; set struct_size before the call. Strings are UTF-8, always terminated. */
typedef struct winnow_device_info {
    uint32_t struct_size;
    int32_t backend;          /* WINNOW_BACKEND_GPU or _CPU */
    int32_t kind;             /* WINNOW_DEVICE_* */
    uint32_t api_version;     /* of Vulkan, as VkPhysicalDeviceProperties gives it; 0 for plain C */
    char name[256];
    char driver[256];         /* name and version */
    char features[256];       /* in use: "subgroup,storage16,..."; what `disable` can name */
    char disabled[256];       /* supported but masked off */
    uint32_t subgroup_size;
    uint32_t max_workgroup;   /* invocations */
    uint64_t max_binding;     /* bytes one storage-buffer binding spans */
    uint64_t memory;          /* bytes of the largest device-local heap */
    char unusable[256];       /* empty, or why Winnow cannot run on it (device_list only) */
} winnow_device_info;

/* A stage for tables and help. Strings live as long as the library. */
typedef struct winnow_option_info {
    const char *name;
    const char *type;    /* "count", "number", "keep" (64 tokens, or 25%), "choice", "stages" (a+b, or a*2+b), "file" (a path) */
    const char *value;   /* the default as text, "" if it must be given, "-" if absent means off */
    const char *choices; /* "a|b|c" of a choice; "low..high" or "low..<high" of a number */
    const char *help;
} winnow_option_info;

typedef struct winnow_stage_info {
    uint32_t struct_size;
    uint32_t option_count;
    const char *name;
    const char *family;  /* "transform", "attention", "similarity", "temporal", "decode" */
    const char *summary; /* one line */
    const char *help;    /* a paragraph */
    const char *source;  /* paper, and the official file that it agrees with */
    const winnow_option_info *options;
    uint32_t roles_needed;   /* bits 1 << WINNOW_ROLE_*; depends on options for some: see pipeline_inputs */
    uint32_t roles_optional;
    uint32_t needs_grid;     /* 1: tokens must lie on a full grid */
    uint32_t reserved;
    const char *paper;  /* in short: "arXiv 2503.02175", a model's name, or "ours" */
    const char *agrees; /* what its tests hold it to: "official code", "paper" (each choice of ours is listed in the
                           head of its file), "torch", "ours" */
    const char *gives;  /* what the rows that come out are: "chosen tokens", "means" */
    const char *cost;   /* operations and what is moved, n: tokens of a frame, N: of all frames, D: channels */
} winnow_stage_info;

/* The sizes of one call, or the largest of a plan. Zero means absent. */
typedef struct winnow_shape {
    uint32_t frames;      /* T */
    uint32_t tokens;      /* N: tokens a frame */
    uint32_t dim;         /* D */
    uint32_t grid_h;      /* rows; 0: no grid, then grid_w = 0 too */
    uint32_t grid_w;      /* grid_h * grid_w = N */
    uint32_t key_dim;     /* Dk */
    uint32_t heads;       /* of cls_attention, cls_attention_shallow and attention */
    uint32_t llm_heads;   /* of llm_attention, text_attention and attention_to_text */
    uint32_t text_rows;   /* M */
    uint32_t text_dim;    /* Dt */
    uint32_t frame_dim;   /* De */
    uint32_t image_dim;   /* Di; 0: text_dim */
    uint32_t reserved[4];
} winnow_shape;

enum { WINNOW_ORDER_RASTER = 0, WINNOW_ORDER_METHOD = 1 };

enum {
    WINNOW_PLAN_HOST_MEMORY = 1, /* plan_run will be called: take staging memory (GPU) */
    WINNOW_PLAN_TIMING = 2,      /* measure GPU time by timestamps (GPU) */
    WINNOW_PLAN_STREAM = 4,      /* for stream_create: take memory for the frames that must be remembered */
    WINNOW_PLAN_OVERLAP = 8      /* for stream_begin: take staging memory twice (GPU) */
};

typedef struct winnow_plan_desc {
    uint32_t struct_size;
    uint32_t flags;         /* WINNOW_PLAN_* */
    winnow_shape max_shape; /* the largest; runs may be smaller in every size */
    uint32_t roles;         /* bits 1 << WINNOW_ROLE_*: inputs that every run will give */
    uint32_t outputs;       /* bits 1 << WINNOW_OUT_*; 0 means tokens and indices */
    int32_t dtype[WINNOW_ROLE_SLOTS]; /* of each input role; default f32 */
    int32_t out_dtype;                /* of the tokens that come out: WINNOW_F32, F16 or BF16 */
    int32_t order; /* WINNOW_ORDER_RASTER: class token, ascending indices, pooled rest; or the
                      method's own order where it has one */
    uint32_t reserved;
} winnow_plan_desc;

typedef struct winnow_plan_info {
    uint32_t struct_size;
    uint32_t dim_out;          /* D' of the tokens that come out */
    uint32_t rows_max;         /* rows that a run can give, of the largest shape or of fewer frames */
    uint32_t rows_exact;       /* 1: every run of the largest shape gives rows_max rows */
    uint32_t grid_out[3];      /* grid after the pipeline for the largest shape, or zeros if irregular */
    uint32_t dispatches;       /* in one run of the largest shape */
    uint32_t barriers;
    uint32_t submissions;      /* in one run: 1 on a GPU, 0 in plain C */
    uint64_t workspace_bytes;  /* device memory (or host memory in plain C) beside inputs and outputs */
    uint64_t staging_bytes;    /* for WINNOW_PLAN_HOST_MEMORY */
    uint64_t floor_bytes;      /* the least that must be moved: inputs read once, outputs written once */
} winnow_plan_info;

/* A tensor in host memory. For an input `data` is only read. */
typedef struct winnow_tensor {
    void *data;          /* aligned to its element */
    uint64_t row_stride; /* bytes between rows of the last dimension; 0: packed */
    uint64_t capacity;   /* outputs: rows that fit; ignored for inputs */
} winnow_tensor;

typedef struct winnow_run {
    uint32_t struct_size;
    uint32_t reserved;
    winnow_shape shape; /* of this call; each size at most the plan's */
    winnow_tensor in[WINNOW_ROLE_SLOTS]; /* data NULL: absent; the plan's roles must be there */
    winnow_tensor out[WINNOW_OUT_COUNT]; /* data NULL: not wanted this time */
} winnow_run;

/* Filled by the library; set struct_size before the call. */
typedef struct winnow_result {
    uint32_t struct_size;
    uint32_t rows;         /* K */
    uint32_t nan_scores;   /* scores that were NaN and so ranked below every number */
    uint32_t dispatches;   /* what this run took */
    uint32_t submissions;
    uint32_t grid_out[3];  /* zeros if irregular */
    uint64_t gpu_ns;       /* by timestamps, with WINNOW_PLAN_TIMING; else 0 */
    uint32_t recorded;     /* 1: commands were recorded for this run; 0: it took those of the run before, as it had
                              the same shape and outputs (GPU) */
    uint32_t reserved;
} winnow_result;

/* Decode time: which columns of the KV cache the next step should attend to. */
typedef struct winnow_kv_desc {
    uint32_t struct_size;
    uint32_t max_columns; /* the longest sequence: visual tokens and text */
    uint32_t max_heads;
    int32_t dtype; /* of the attention rows */
} winnow_kv_desc;

typedef struct winnow_kv_step {
    uint32_t struct_size;
    uint32_t heads;
    uint32_t columns;      /* of this step's sequence, the new token included */
    uint32_t visual_first; /* column of the first visual token */
    uint32_t visual_count;
    uint32_t reserved;
    const void *attention; /* [heads, columns]: the last token's softmax row at the stage's layer */
    uint64_t row_stride;   /* bytes between heads; 0: packed */
    int32_t *mask;         /* out, [columns]: 1 attend, 0 leave out (it stays in the cache) */
    uint32_t kept;         /* out: columns with 1 */
    uint32_t changed;      /* out: 1 if the visual selection was made anew this step */
    uint32_t dispatches;   /* out: what the step took */
    uint32_t submissions;
} winnow_kv_step;

/* A file in memory, for options of type "file": `weights=@NAME` means the one of that name. */
typedef struct winnow_blob {
    const char *name;
    const void *data; /* any alignment */
    uint64_t bytes;
} winnow_blob;

/* The table. It only grows at its end within a major. */
typedef struct winnow_api {
    uint32_t struct_size;
    uint32_t abi;        /* major << 16 | minor of this library */
    const char *version; /* "1.0.0" */

    /* A short name: "WINNOW_E_SPEC"; "unknown status" for a number that is none. [any-thread] */
    const char *(*status_name)(winnow_status status);

    /* The table of an extension by its id ("winnow.vulkan/1"), or NULL. [any-thread] */
    const void *(*get_extension)(const char *id);

    /* Stages by number, 0 <= index < stage_count(). E_ARGUMENT past the end. [any-thread] */
    uint32_t (*stage_count)(void);
    winnow_status (*stage_info)(uint32_t index, winnow_stage_info *out);

    /* Lists the devices, the plain C backend last, usable or not (see `unusable`). *count holds the
     * capacity of infos before and the number of devices after; infos may be NULL to ask for the
     * number; infos[0].struct_size must be set and is the size of every element. E_TOO_SMALL if some were left out. No loader or driver is no error: the list is then
     * plain C alone. [any-thread] */
    winnow_status (*device_list)(const winnow_device_desc *desc, winnow_device_info *infos,
                                 uint32_t *count);

    /* Opens a device. On failure *out is NULL. Owner: the caller, until device_destroy; every plan
     * must be destroyed before. [any-thread] */
    winnow_status (*device_create)(const winnow_device_desc *desc, winnow_device **out);
    void (*device_destroy)(winnow_device *device); /* NULL is fine. [object] */
    winnow_status (*device_info)(const winnow_device *device, winnow_device_info *out); /* [any-thread] */

    /* Parses a spec: stages split by ',', options after '=' split by ':', as in
     * "evs=rate=0.75,tome=r=16"; a `\` takes the next character as it is, in the path of a file. Files that stages
     * name (weights=) are read and checked here: see pipeline_create_weights. For encoders every stage also takes layer= (whose keys and attention it gets), layers=
     * (the layers that it runs in: "all", "6", "6..11") and attention= (class, received, pool). E_SPEC: the log points at the character. The pipeline is
     * immutable and may be shared by plans in any threads. [any-thread] */
    winnow_status (*pipeline_create)(const winnow_host *host, const char *spec,
                                     winnow_pipeline **out);
    void (*pipeline_destroy)(winnow_pipeline *pipeline); /* NULL is fine. [object] */

    /* Roles (bits) that the pipeline cannot do without, and those that it would use if given.
     * Ask before encoding: they tell what the encoder must hand out. [any-thread] */
    winnow_status (*pipeline_inputs)(const winnow_pipeline *pipeline, uint32_t *needed,
                                     uint32_t *optional);

    /* Freezes a pipeline for a device, a largest shape and types, and takes all memory: nothing is
     * allocated after this. The plan keeps what it needs of the pipeline. E_ROLE, E_SHAPE,
     * E_UNSUPPORTED with a sentence; E_DEVICE_MEMORY. [any-thread] */
    winnow_status (*plan_create)(winnow_device *device, const winnow_pipeline *pipeline,
                                 const winnow_plan_desc *desc, winnow_plan **out);
    void (*plan_destroy)(winnow_plan *plan); /* NULL is fine; its work must be done. [object] */
    winnow_status (*plan_info)(const winnow_plan *plan, winnow_plan_info *out); /* [object] */

    /* Host memory in, host memory out; returns when the outputs are written. E_TOO_SMALL: an
     * output's capacity is under the rows that came out; nothing was written. E_SHAPE, E_UNSUPPORTED
     * with a sentence: a shape that the plan has no room for, or so few frames that a stage before
     * leaves one what it cannot take. [object] */
    winnow_status (*plan_run)(winnow_plan *plan, const winnow_run *run, winnow_result *result);

    /* A stream remembers the frames that temporal stages look back to, so that a video can be
     * given in pushes of any number of frames (up to the plan's). Indices and positions count
     * frames from the push's first. The plan must have WINNOW_PLAN_STREAM and belongs to the
     * stream until it is destroyed. stream_reset starts a new video. [object] */
    winnow_status (*stream_create)(winnow_plan *plan, winnow_stream **out);
    void (*stream_destroy)(winnow_stream *stream);
    winnow_status (*stream_push)(winnow_stream *stream, const winnow_run *run,
                                 winnow_result *result);
    winnow_status (*stream_reset)(winnow_stream *stream);

    /* Decode time, for pipelines of one decode stage ("dycoke-kv=..."). kv_step takes one decode
     * step's attention row and gives the mask; kv_reset forgets the sequence. [object] */
    winnow_status (*kv_create)(winnow_device *device, const winnow_pipeline *pipeline,
                               const winnow_kv_desc *desc, winnow_kv **out);
    void (*kv_destroy)(winnow_kv *kv);
    winnow_status (*kv_step)(winnow_kv *kv, winnow_kv_step *step);
    winnow_status (*kv_reset)(winnow_kv *kv);

    /* pipeline_create with files in memory: `weights=@NAME` in the spec means the blob of that name, any other path a file.
     * A stage's weights are a safetensors file of at most 1 GiB with tensors of F32, F16 or BF16, up to 4 dimensions, all
     * numbers finite, and metadata winnow.stage (the stage's name) and winnow.version ("1"); the stage's help names the
     * tensors. Blobs and files are read during the call. The weights lie in memory of `host` until the pipeline and every
     * plan and encoder made of it are destroyed. E_FILE: the log names the file and what is wrong. [any-thread] */
    winnow_status (*pipeline_create_weights)(const winnow_host *host, const char *spec,
                                             const winnow_blob *blobs, uint32_t blob_count,
                                             winnow_pipeline **out);

    /* stream_push in two, so that the host prepares the next frames while a GPU works on these: stream_begin returns once
     * the push is on its way, stream_end waits for the oldest that is begun and writes its outputs. Two may be begun at
     * once. What `run` points to (not `run` itself) is the library's until its stream_end: inputs must stay as they are.
     * The plan must have WINNOW_PLAN_OVERLAP beside WINNOW_PLAN_STREAM; plain C does the work in stream_begin. E_STATE: two are begun; none is
     * (stream_end); one is (stream_push). An error of stream_begin leaves the stream as it was; one of stream_end, as
     * E_TOO_SMALL, ends that push without outputs. stream_destroy waits for what is begun. [object] */
    winnow_status (*stream_begin)(winnow_stream *stream, const winnow_run *run);
    winnow_status (*stream_end)(winnow_stream *stream, winnow_result *result);
} winnow_api;

/* The only exported symbol: the table for a host that was built with ABI host_abi
 * (major << 16 | minor), or NULL if this library does not speak that major. [any-thread] */
WINNOW_EXPORT const winnow_api *winnow_get_api(uint32_t host_abi);
typedef const winnow_api *(*winnow_get_api_fn)(uint32_t host_abi);

/* ---- Extension "winnow.encoder/1": pictures to tokens -----------------------------------------
 * Model "patches" needs no weights: each patch of p x p pixels becomes its lowest-frequency DCT-II
 * coefficients (zigzag order, orthonormal, of Y, Cb, Cr scaled to -1..1): good enough to show where a
 * picture or a video says the same thing twice. Options after ':' as in a stage:
 * "patches=patch=16:luma=24:chroma=4". */
typedef struct winnow_encoder winnow_encoder;

typedef struct winnow_model winnow_model; /* a vision transformer's file */

/* Whose arithmetic and preprocessing a model follows, where the two differ. */
enum {
    WINNOW_LIKE_FILE = 0,         /* a GGUF file llama.cpp's, a folder transformers' */
    WINNOW_LIKE_LLAMA = 1,        /* llama.cpp's mtmd, v0.5.0 of September 2026 */
    WINNOW_LIKE_TRANSFORMERS = 2, /* Hugging Face's model and (slow) image processor */
    WINNOW_LIKE_LLAMA_B10256 = 3  /* llama.cpp's before August 2026: pictures resized in floats, the rest the same */
};

/* What an encoder can show on the way, one row of channels or columns after the other, f32, packed. Layers count from
 * 0, or from behind where negative; HIDDEN 0 is the embeddings and HIDDEN l+1 what layer l gave. `rows` are all rows of
 * a frame: class token, registers and patches, in this order. Behind a stage inside the layers the rows that are left stand
 * together in front, attention keeps its columns, and what is gone is 0. */
enum {
    WINNOW_TAP_HIDDEN = 0,   /* [groups, rows, D] */
    WINNOW_TAP_KEYS = 1,     /* [groups, rows, D]: heads side by side, before rotary positions */
    WINNOW_TAP_QUERIES = 2,  /* the same */
    WINNOW_TAP_CLASS = 3,    /* class attention [groups, heads, patches] */
    WINNOW_TAP_RECEIVED = 4, /* attention that a patch receives, mean over queries [groups, heads, patches] */
    WINNOW_TAP_POOL = 5,     /* the pooling head's attention (SigLIP) [groups, heads, patches] */
    WINNOW_TAP_FINAL = 6,    /* all rows behind the last norm, before the projector [groups, rows, D] */
    WINNOW_TAP_COUNT = 7
};

typedef struct winnow_tap {
    int32_t kind;  /* WINNOW_TAP_* */
    int32_t layer; /* unused for POOL and FINAL */
} winnow_tap;

typedef struct winnow_model_info {
    uint32_t struct_size;
    uint32_t patch;        /* pixels a side */
    uint32_t multiple;     /* views are multiples of it (patch times what the projector joins) */
    uint32_t image;        /* pixels a side that it is made for; 0: any size */
    uint32_t frames;       /* a token row stands for: 2 for Qwen-VL's pairs, else 1 */
    uint32_t dim;          /* channels of the tokens */
    uint32_t join;         /* patches a side that become one token: 1, 2, 4 */
    uint32_t width, layers, run_layers, heads; /* of the transformer; run_layers of its layers are run */
    uint32_t class_token;  /* 1: it has one */
    uint32_t special_rows; /* rows of a frame that are no patches */
    uint32_t roles;        /* bits 1 << WINNOW_ROLE_* that it gives to pipelines */
    char family[32];       /* "clip", "siglip", "dinov2", "mlp", "idefics3", ... */
    uint32_t prepares;     /* 1: encoders can prepare its pictures (WINNOW_ENCODER_PREPARE) */
} winnow_model_info;

/* What preprocessing made of a picture. */
typedef struct winnow_view {
    uint32_t width, height;
    int32_t tile_y, tile_x; /* in the grid of tiles; -1: the overview, or the only view */
    const uint8_t *rgb;     /* [height, width, 3]; NULL where only sizes were asked for */
} winnow_view;

typedef struct winnow_views {
    uint32_t count;
    uint32_t tiles_y, tiles_x; /* 0: no tiles */
    uint32_t kept_w, kept_h;   /* any-resolution: size of the picture inside the tiles, before padding */
    const winnow_view *view;
} winnow_views;

enum {
    WINNOW_ENCODER_TIMING = 1u << 0, /* timestamps: winnow_result.gpu_ns */
    /* Frames come at their own size and the device makes the model's view of each, to the byte what model_prepare makes,
     * in the same submission. E_UNSUPPORTED for models that cut pictures into tiles and for LIKE_LLAMA_B10256. A frame
     * whose view needs more memory than the largest one's is E_SHAPE (open another encoder for it). */
    WINNOW_ENCODER_PREPARE = 1u << 1
};

typedef struct winnow_encoder_desc {
    uint32_t struct_size;
    uint32_t flags;      /* WINNOW_ENCODER_* */
    const winnow_pipeline *pipeline; /* NULL: none */
    const winnow_tap *taps;          /* [tap_count]; NULL: none */
    uint32_t tap_count;
    uint32_t max_frames, max_width, max_height; /* the largest call (PREPARE: frames as they come); width and height 0: the
                                                    model's own size */
    int32_t dtype;       /* of weights and activations: WINNOW_F32, or WINNOW_F16 with sums in f32. With F32, on a GPU,
                                                    matrices that the file has as F16 or BF16 stay so: the same numbers */
    int32_t order;       /* WINNOW_ORDER_*, of the rows */
    uint32_t text_rows, text_dim; /* most, for stages that want `text` and `image_embeds` */
    const char *merge_weights; /* laco's: a safetensors file; NULL: untrained, the shortcut alone */
    /* Low-rank q and k (CASP, arXiv:2503.05936): each D x D matrix of every layer becomes two of rank int(D*D*casp/(D+D)),
     * made at open so that X W^T of the calibration pictures changes least. It takes a while: encoder_info says how long, and
     * the errors. E_UNSUPPORTED for quantised q and k. */
    double casp;                  /* share of their numbers that is kept, above 0 and at most 1 (rank D/2); 0: off */
    const uint8_t *casp_pictures; /* [casp_count, casp_height, casp_width, 3], views as for encode; NULL: the matrices'
                                     own singular vectors. Read during the call */
    uint32_t casp_count, casp_width, casp_height;
    uint32_t reserved;
} winnow_encoder_desc;

typedef struct winnow_encode {
    uint32_t struct_size;
    uint32_t frames, width, height;
    const uint8_t *rgb; /* [frames, height, width, 3], packed */
    uint32_t text_rows, text_dim;
    winnow_tensor in[WINNOW_ROLE_SLOTS]; /* `text` and `image_embeds` alone, f32, for pipelines that need them */
    winnow_tensor out[WINNOW_OUT_COUNT]; /* tokens are f32; row_stride must be 0; data NULL: not wanted */
    float *const *taps; /* [tap_count]: where each goes, as large as its shape; NULL: none */
} winnow_encode;

typedef struct winnow_encoder_info {
    uint32_t struct_size;
    uint32_t patch; /* pixels a side; pictures must be multiples of it */
    uint32_t dim;   /* D of the tokens */
    uint32_t roles; /* bits 1 << WINNOW_ROLE_* that it can give */
    uint32_t source_patch; /* pixels a side of what indices, positions and the assignment count: a patch where a stage
                              runs before the projector, else what the projector makes one token of */
    uint32_t rows_max;     /* rows that the largest call can give */
    uint32_t dispatches;   /* of the largest call */
    uint64_t weight_bytes; /* device memory of the weights */
    uint64_t workspace_bytes;
    uint64_t multiply_adds; /* of the largest call: linear layers and attention; 0 of `patches` */
    uint64_t casp_before, casp_after; /* numbers in q's and k's matrices of all layers, and in their factors */
    uint64_t casp_ns;                 /* what calibration and factors took */
    double casp_q_mean, casp_q_worst; /* over the layers: |X W^T - X (U'V')^T| / |X W^T|, Frobenius, X the calibration's */
    double casp_k_mean, casp_k_worst;
    uint32_t casp_rank; /* 0: off */
    uint32_t reserved;
} winnow_encoder_info;

typedef struct winnow_ext_encoder {
    uint32_t struct_size;
    uint32_t reserved;
    /* `model`: "patches[=options]". max_*: the largest call, pixels. [any-thread] */
    winnow_status (*encoder_create)(winnow_device *device, const char *model, uint32_t max_frames,
                                    uint32_t max_width, uint32_t max_height, winnow_encoder **out);
    void (*encoder_destroy)(winnow_encoder *encoder); /* [object] */
    winnow_status (*encoder_info)(const winnow_encoder *encoder, winnow_encoder_info *out);
    /* rgb: [frames, height, width, 3] u8, packed. tokens: f32 [frames, (height/p)*(width/p), dim],
     * packed, room for all of it. width and height are multiples of the patch. [object] */
    winnow_status (*encoder_run)(winnow_encoder *encoder, const uint8_t *rgb, uint32_t frames,
                                 uint32_t width, uint32_t height, float *tokens);

    /* A vision transformer's file, mapped: llama.cpp's mmproj GGUF, or a Hugging Face folder of CLIP, SigLIP or
     * DINOv2. `like`: WINNOW_LIKE_*. E_FILE with a sentence that names the tensor or key. host NULL: malloc, silence.
     * Owner: the caller, until model_close; encoders of it must be destroyed before. [any-thread] */
    winnow_status (*model_open)(const winnow_host *host, const char *path, int32_t like,
                                winnow_model **out);
    void (*model_close)(winnow_model *model); /* NULL is fine. [object] */
    winnow_status (*model_info)(const winnow_model *model, winnow_model_info *out); /* [any-thread] */

    /* The views that the model's own preprocessing makes of a picture: tiles, padding, sizes, bytes in and bytes out.
     * rgb: [height, width, 3] packed, or NULL for the sizes alone. Owner of *out: the caller, until views_free.
     * [any-thread] */
    winnow_status (*model_prepare)(const winnow_model *model, const uint8_t *rgb, uint32_t width,
                                   uint32_t height, winnow_views **out);
    void (*views_free)(winnow_views *views); /* NULL is fine */

    /* An encoder of a model on a device, with a pipeline inside and behind it: all memory is taken, the weights go up
     * once. A pipeline's stages with layers= (and laco) run inside the layers; those that need attention or keys run before
     * a projector that goes token by token (mlp); the others on what the projector gives. [any-thread] */
    winnow_status (*encoder_open)(winnow_device *device, const winnow_model *model,
                                  const winnow_encoder_desc *desc, winnow_encoder **out);
    /* Frames of one size in, tokens out, one submission; returns when they are written. E_TOO_SMALL: an output's
     * capacity is under the rows that came out. [object] */
    winnow_status (*encoder_encode)(winnow_encoder *encoder, const winnow_encode *encode,
                                    winnow_result *result);
} winnow_ext_encoder;

/* ---- Extension "winnow.measure/1": what a device can do ------------------------------------- */
typedef struct winnow_ext_measure {
    uint32_t struct_size;
    uint32_t reserved;
    /* Median bandwidth of a device-to-device copy of `bytes`, in bytes a second, read plus write;
     * by timestamps on a GPU, by the clock in plain C (memcpy). [object: device] */
    winnow_status (*copy_bandwidth)(winnow_device *device, uint64_t bytes, double *bytes_per_second);
    /* Operations a second (a multiply and an add are two) of a matrix product of N x 1024 by
     * 1024 x 1024, N from 1024 on until one takes 4 ms: what encoders are made of, at its best.
     * dtype: WINNOW_F32 or WINNOW_F16 of all three, sums in f32. Timed as above. [object: device] */
    winnow_status (*product_rate)(winnow_device *device, int32_t dtype, double *flops);
} winnow_ext_measure;

#ifdef __cplusplus
}
#endif

#endif /* WINNOW_H */
