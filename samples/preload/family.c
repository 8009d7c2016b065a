#include "family.h"

#include <string.h>

#include "say.h"
#include "weights.h"

/* Facts from llama.cpp's clip.cpp, v0.7.0. Not here, on purpose: pixtral and lightonocr (a row at
 * each line's end), adapter (GLM-Edge) and cogvlm (begin and end rows), hunyuanvl and hunyuanocr,
 * deepseekocr and granite's (newlines), and what came later than this table. */
static const struct {
    const char *projector;
    bool square;
} families[] = {
    {"mlp", true},
    {"ldp", true},
    {"ldpv2", true},
    {"resampler", false}, /* MiniCPM-V: queries, of no place */
    {"janus_pro", true},
    {"gemma3", true},
    {"gemma3nv", true},
    {"idefics3", true},
    {"internvl", true},
    {"llama4", true},
    {"lfm2", false},
    {"kimivl", false},
    {"glm4v", false},
    {"qwen2vl_merger", false},
    {"qwen2.5vl_merger", false},
    {"qwen2.5o", false},
    {"qwen3vl_merger", false},
};

bool family_reduces(const char *mmproj, bool *square)
{
    const char *projector = NULL;
    wn_weights *file = NULL;
    wn_host host;
    bool known = false;
    if (wn_host_read(NULL, &host) != WINNOW_OK ||
        wn_weights_open(&host, mmproj, &file) != WINNOW_OK) {
        return say("%s: Winnow cannot read it, so its pictures stay whole", mmproj);
    }
    if (!wn_setting_text(file, "clip.vision.projector_type", &projector)) {
        wn_setting_text(file, "clip.projector_type", &projector);
    }
    for (size_t i = 0; projector && i < sizeof families / sizeof *families; i++) {
        if (strcmp(projector, families[i].projector) == 0) {
            known = true;
            *square = families[i].square;
        }
    }
    if (!known) {
        say("%s: a projector \"%s\" may have rows that must stay, so its pictures stay whole",
            mmproj, projector ? projector : "(none named)");
    }
    wn_weights_close(file);
    return known;
}
