/* f16 and bf16 as the files hold them. */
#ifndef WINNOW_HALF_H
#define WINNOW_HALF_H

#include <stdint.h>

uint16_t half_from_float(float value); /* nearest, ties to even */
uint16_t bfloat_from_float(float value);

#endif /* WINNOW_HALF_H */
