// compact: the token set of the flagged tokens, in order, with rows added in front of and behind each segment.
// One workgroup scans the flags, TOKENS neighbours an invocation a round: new position = flagged tokens
// before + added rows before. Shared: the scan. Cost: one pass over the tokens, N/(TOKENS*LOCAL) scans.
#version 460
#extension GL_GOOGLE_include_directive : require
#define WN_EXCHANGE
#define ARGS wn_args_compact
#include "common.glsl"
#include "reduce.glsl"

#include "compact.glsl"

void main()
{
    if (group_index() == 0u) compact_set();
}
