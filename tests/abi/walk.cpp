// The same host in C++: the headers and every call must be C++ as well.
#include "walk.c"
