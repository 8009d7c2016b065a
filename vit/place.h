/* place.h: where the parameters of a model lie on the device, and how they get there. */
#ifndef WN_VIT_PLACE_H
#define WN_VIT_PLACE_H

#include "model.h"

/* Gives every parameter of the model its place. dtype: of the matrices (F32, F16); biases, norms
 * and tables are f32. as_stored: matrices that are F16 or BF16 in the file stay so where dtype is
 * F32: the same numbers in half the room, and half the loads. part_most: bytes that one buffer may have. bytes[]: of each buffer
 * (WN_SLOT_WEIGHTS + i). E_DEVICE_MEMORY where WN_WEIGHT_PARTS buffers do not hold them,
 * E_UNSUPPORTED where one matrix is larger than a buffer may be. */
winnow_status wn_vit_place(const wn_host *host, wn_vit *vit, int32_t dtype, bool as_stored,
                           uint64_t part_most, uint64_t bytes[WN_WEIGHT_PARTS]);

enum { WN_LOAD_BYTES = 16 << 20 }; /* of a tensor that go up at a time */

/* Bytes that the input slot must have for loading. */
uint64_t wn_vit_load_bytes(const wn_vit *vit);
/* The kinds of loading programs, for wn_exec_desc.others: one operation each. ops and programs:
 * room for WN_LOAD_KINDS of them. */
enum { WN_LOAD_KINDS = 3 };
void wn_vit_load_kinds(wn_op *ops, wn_program *programs);
/* Unpacks every parameter into its place. done, all: parameters, for a progress bar; may be
 * NULL. */
winnow_status wn_vit_load(const wn_host *host, const wn_vit *vit, winnow_device *device,
                          wn_exec *exec);

#endif
