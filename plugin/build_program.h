/* build_program.h: from a pipeline to a whole program, for what plans and runs it: plans, streams, kv, encoders. Stages
 * need build.h alone, but for those that build other stages. */
#ifndef WN_BUILD_PROGRAM_H
#define WN_BUILD_PROGRAM_H

#include "build.h"

/* Builds the pipeline for b->in; buffers of an earlier build are used again. */
winnow_status build_pipeline(wn_build *b, const winnow_pipeline *pipeline);
/* The most that a pipeline gives and needs for several shapes. */
typedef struct wn_room {
    uint32_t rows, ops, consts;
    uint64_t w_words, matrix_bytes, scratch_bytes;
    bool straight; /* the last rows may go straight into the output, and take no matrix then */
} wn_room;
/* Raises `room` to what the pipeline gives and needs for b->in, if it takes that; a program is made where only that tells. */
void build_raise_room(wn_build *b, const winnow_pipeline *pipeline, wn_room *room);
/* Tables for so many operations and constants; at planning. */
winnow_status build_take_room(wn_build *b, const wn_room *room);
/* Its parts, for encoders: the first set on the given tokens, one stage, the outputs. */
void build_first_set(wn_build *b, const wn_mat *tokens);
winnow_status build_stage(wn_build *b, const wn_stage_use *use);
void build_emit(wn_build *b);
/* A role made on the way: stages see it from here on. */
void build_give_role(wn_build *b, uint32_t role, const wn_mat *mat);
void build_finish(wn_build *b); /* frees ops and consts */
wn_program build_program(const wn_build *b);
/* Starts a program by hand (encoders, kv): twice, the second time with the constants' size known. */
void build_start(wn_build *b);
bool build_again(wn_build *b);

#endif
