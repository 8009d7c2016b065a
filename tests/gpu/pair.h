/* pair.h: plain C and the driver under test, for tests that compare what they give. */
#ifndef WN_TESTS_GPU_PAIR_H
#define WN_TESTS_GPU_PAIR_H

#include <stdbool.h>

#include "winnow/winnow.h"

/* devices[0]: plain C; [1]: the first GPU, without the features that WINNOW_TEST_DISABLE names. pair_close in any case. */
bool pair_open(const winnow_api *api, winnow_device *devices[2]);
void pair_close(const winnow_api *api, winnow_device *devices[2]);

#endif
