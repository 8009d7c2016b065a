/* stb_image_write in a file of its own: it shifts bits out of an int, which UBSan would stop at. */
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
