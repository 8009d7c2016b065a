/* What is known of the rows that an mmproj's projector makes. */
#ifndef FAMILY_H
#define FAMILY_H

#include <stdbool.h>

/* Whether every row of this mmproj's pictures is a patch (or some joined ones) that may go. False
 * after a line: there are rows that must stay, or nobody has looked. *square: the patches of a
 * chunk are a square grid although its positions do not say so. */
bool family_reduces(const char *mmproj, bool *square);

#endif /* FAMILY_H */
