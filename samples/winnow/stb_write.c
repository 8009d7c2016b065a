/* stb_image_write as its authors wrote it: built here once, outside our warnings. */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
