/* stage.h: what a reduction stage is. One stage is one file in stages/, one row in stages.def.
 *
 * A stage is a record of texts for people, of options, and of one function that strings primitive
 * operations (build.h) together. It never sees Vulkan, and never touches a number of a token.
 */
#ifndef WN_STAGE_H
#define WN_STAGE_H

#include "host.h"

#define WN_MAX_OPTIONS 8
#define WN_LIST_MOST   4 /* stages that an option names */

/* A parsed option (winnow_option_info says what it may be). */
typedef struct wn_value {
    bool given;   /* in the spec, or by a default that is not "-" */
    bool percent; /* of a "keep": number is a share in percent */
    bool automatic; /* of a "keep": auto, where its choices begin with it */
    double number;
    double share;    /* of a percentage: the literal ratio, 0.007 for 0.7% */
    uint32_t choice; /* place in choices */
    uint8_t stage_count, stages[WN_LIST_MOST], weights[WN_LIST_MOST]; /* of "stages": places in wn_stages */
    uint16_t text_at, text_size; /* of "file": of the spec, with its escapes */
} wn_value;

/* How a stage that does nothing but choose tokens (build_prune) is told how many. */
enum wn_selects {
    WN_SELECTS_NOT,
    WN_SELECTS_KEEP, /* keep=, its first option: exactly so many of each frame, or all there are */
    WN_SELECTS_RATE  /* rate=, its first option: a share of the whole media to remove */
};

struct wn_build;

typedef struct wn_stage {
    const char *name, *family, *summary, *help, *source;
    const char *paper, *agrees, *gives, *cost; /* see winnow_stage_info */
    const winnow_option_info *options;
    uint32_t option_count;                 /* at most WN_MAX_OPTIONS */
    uint32_t roles_needed, roles_optional; /* bits 1 << WINNOW_ROLE_* */
    bool needs_grid;
    uint8_t shallow_of_24; /* where an encoder of 24 layers takes the shallow roles from; others in proportion */
    bool shallow_tokens;   /* image_embeds are the tokens of an early layer, and an encoder gives what goes into its `shallow` one */
    bool flat_keys;     /* keys of all channels and attention of one head over them, where an encoder gives them */
    bool head_attention; /* with flat_keys: the attention of each head all the same */
    bool merges_inside; /* inside an encoder's layer it runs between attention and MLP, else behind the layer */
    bool all_rows; /* inside an encoder's layer its set is all rows, the class token (index -1) first; they stay one set */
    bool only_inside;   /* it has no place outside an encoder; its first option says after how many layers */
    enum wn_selects selects; /* what union and cascade may name */
    bool decode; /* a decode-time stage: alone in its pipeline, run by winnow_kv */
    /* Bits of roles_needed that it does without when its options are these. May be NULL. */
    uint32_t (*spares)(const wn_value *values);
    /* Options that do not go together; returns what is wrong, or NULL. May be NULL. */
    const char *(*check)(const wn_value *values);
    /* Adds the stage's operations for the set in `b` and leaves the reduced set there. */
    winnow_status (*build)(struct wn_build *b, const wn_value *values);
} wn_stage;

/* stages.def in order. */
extern const wn_stage *const wn_stages[];
extern const uint32_t wn_stage_count;

/* Options that every stage has, for encoders (vit/): where attention and keys come from, and where the stage runs. */
enum wn_attention { WN_ATTENTION_DEFAULT, WN_ATTENTION_CLASS, WN_ATTENTION_RECEIVED, WN_ATTENTION_POOL };
typedef struct wn_inside {
    bool has_layer, has_layers, has_shallow;
    int32_t layer;       /* of attention and keys; negative counts from behind */
    int32_t shallow;     /* of the shallow roles */
    int32_t first, last; /* layers that it runs in */
    enum wn_attention attention;
} wn_inside;

typedef struct wn_stage_use {
    const wn_stage *stage;
    wn_value values[WN_MAX_OPTIONS];
    wn_inside inside;
    uint32_t weights; /* number of its weights' file among the pipeline's, from 1 on; 0: none */
} wn_stage_use;

/* Does an encoder give it the attention of one head over all channels? */
static inline bool wn_stage_has_one_head(const wn_stage *stage)
{
    return stage->flat_keys && !stage->head_attention;
}

/* Does the stage run in layer `layer` of an encoder of `layers`? */
bool wn_stage_runs_inside(const wn_stage_use *use, uint32_t layer, uint32_t layers);
/* Does it run in some layer, whatever the encoder? */
bool wn_stage_is_inside(const wn_stage_use *use);

#define WN_MAX_STAGES 16

struct wn_trained;

/* A copy holds the weights too: wn_trained_hold. */
struct winnow_pipeline {
    wn_host host;
    struct wn_trained *trained; /* NULL: no stage has weights */
    uint32_t stage_count;
    wn_stage_use stages[WN_MAX_STAGES];
};

/* Tokens that keep=... leaves of n, rounding share*n by `round` (trunc, rint); at least 1, at most n. */
uint32_t wn_keep_count(const wn_value *keep, uint32_t n, double (*round)(double));

/* Roles of an early layer. */
enum {
    WN_SHALLOW_ROLES =
        1u << WINNOW_ROLE_CLS_ATTENTION_SHALLOW | 1u << WINNOW_ROLE_RECEIVED_ATTENTION_SHALLOW
};

/* Roles that a stage needs or can use with its options: those of the stages that they name, too. */
uint32_t wn_use_needs(const wn_stage_use *use);
uint32_t wn_use_takes(const wn_stage_use *use);

const char *wn_role_name(uint32_t role);

/* Parses `spec` into a pipeline. E_SPEC with one line that points at the character. */
winnow_status wn_spec_parse(const wn_host *host, const char *spec, winnow_pipeline *out);

/* Parses "name" or "name=option=value:..." by the same rules, for what takes options but is no stage. */
winnow_status wn_options_parse(const wn_host *host, const char *name,
                               const winnow_option_info *options, uint32_t count, const char *spec,
                               wn_value *values);

/* Fills a stage's public description. */
winnow_status wn_stage_describe(uint32_t index, winnow_stage_info *out);

#endif
