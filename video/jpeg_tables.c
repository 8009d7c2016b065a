/* What has to be true of a JPEG before a trusting decoder sees it. */
#include "reader.h"

enum { MOST_VALUES = 256 };

/* Decoders take what lies behind the end for zeros. */
static size_t byte_at(const uint8_t *bytes, size_t size, size_t at)
{
    return at < size ? bytes[at] : 0;
}

/* One DHT segment, from its length on: tables of 17 bytes and as many values as they count. */
static bool segment_fits(const uint8_t *bytes, size_t size, size_t at)
{
    const size_t length = byte_at(bytes, size, at) << 8 | byte_at(bytes, size, at + 1);
    const size_t end = at + length;
    for (at += 2; at < end && at < size;) {
        size_t values = 0;
        for (size_t i = 1; i <= 16; i++) {
            values += byte_at(bytes, size, at + i);
        }
        if (values > MOST_VALUES) {
            return false;
        }
        at += 17 + values;
    }
    return true;
}

bool video_jpeg_tables_fit(const uint8_t *bytes, size_t size)
{
    if (size < 4 || bytes[0] != 0xff || bytes[1] != 0xd8) {
        return true;
    }
    /*
     * From segment to segment as long as that is certain: what cameras write into theirs may look
     * like a table. From the first scan, or odd byte, on everything that looks like one counts.
     */
    bool certain = true;
    for (size_t at = 2; at + 3 < size;) {
        const uint8_t kind = bytes[at + 1];
        const bool marker = bytes[at] == 0xff;
        if (marker && kind == 0xc4 && !segment_fits(bytes, size, at + 2)) {
            return false;
        }
        certain = certain && marker && kind >= 0xc0 && kind != 0xff && kind != 0xda &&
                  !(kind >= 0xd0 && kind <= 0xd9);
        const size_t length = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        at += certain && length >= 2 ? 2 + length : 1;
    }
    return true;
}
