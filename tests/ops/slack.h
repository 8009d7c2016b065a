/* slack.h: products by cooperative matrices (the device's feature cooperative_matrix, A and C f16) are
 * compared to a bound that follows from the case; all else must have the same bits. */
#ifndef WINNOW_TESTS_OPS_SLACK_H
#define WINNOW_TESTS_OPS_SLACK_H

#include "case.h"

/* By element of the pool, before it is rounded to the pool's type; the caller's to free. NULL: the
 * case has no such product. Negative outside of it; infinite or NaN where it is so itself: there it has
 * the same bits everywhere. */
double *slack_of_case(const ops_case *c, const winnow_device *device);

double element_value(uint32_t bits, uint8_t dtype);
double element_ulp(double x, uint8_t dtype); /* of the type, near x */

#endif
