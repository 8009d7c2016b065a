/* merge.h: laco's trained layers, which come in a file of their own. */
#ifndef WN_VIT_MERGE_H
#define WN_VIT_MERGE_H

#include "build_trained.h"
#include "model.h"

/* Reads the file that `path` names into vit->merge1 and merge2, for the pipeline's laco stages;
 * *weights is then open, the caller's to close once the tensors are on the device. path NULL:
 * nothing is read, and laco stages are warned of. E_FILE with a sentence that names the tensor;
 * E_ARGUMENT where no stage takes it. */
winnow_status wn_merge_read(const wn_host *host, const winnow_pipeline *pipeline, const char *path,
                            wn_vit *vit, wn_weights **weights);
/* Where they lie, for wn_build.merge_mlp. False: there are none. */
bool wn_merge_places(const wn_vit *vit, wn_merge_mlp *out);

#endif
