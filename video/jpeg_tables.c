/*
 * What has to be true of a JPEG's Huffman tables before a trusting decoder sees it: stb_image
 * writes behind a table of too many values, and decodes by whatever is in memory if a scan names a
 * table that was never given.
 */
#include "reader.h"

enum {
    MOST_VALUES = 255, /* a table for all 256 would need the code of ones alone, which is no code */
    MARKER_SOF0 = 0xc0, /* 0 and 1: sequential, 2: progressive; the others stb_image refuses */
    MARKER_SOF2 = 0xc2,
    MARKER_DHT = 0xc4,
    MARKER_SOS = 0xda,
};

/* Decoders take what lies behind the end for zeros. */
static size_t byte_at(const uint8_t *bytes, size_t size, size_t at)
{
    return at < size ? bytes[at] : 0;
}

static size_t length_at(const uint8_t *bytes, size_t size, size_t at)
{
    return byte_at(bytes, size, at) << 8 | byte_at(bytes, size, at + 1);
}

/* The bit of a table: 4 for DC (class 0), 4 for AC. */
static unsigned table_bit(size_t class, size_t number)
{
    return 1u << ((class & 1) * 4 + (number & 3));
}

/*
 * One DHT segment, from its length on: tables of 17 bytes and as many values as they count. Adds
 * them to `given`.
 */
static bool segment_fits(const uint8_t *bytes, size_t size, size_t at, unsigned *given)
{
    const size_t end = at + length_at(bytes, size, at);
    for (at += 2; at < end && at < size;) {
        size_t values = 0;
        for (size_t i = 1; i <= 16; i++) {
            values += byte_at(bytes, size, at + i);
        }
        if (values > MOST_VALUES) {
            return false;
        }
        *given |= table_bit(bytes[at] >> 4, bytes[at]);
        at += 17 + values;
    }
    return true;
}

/* The tables that a scan decodes by, from its header's length on. */
static unsigned scan_tables(const uint8_t *bytes, size_t size, size_t at, bool progressive)
{
    const size_t components = byte_at(bytes, size, at + 2);
    const size_t behind = at + 3 + 2 * components;
    const size_t first = byte_at(bytes, size, behind); /* coefficient; 0 is DC */
    const bool refines = byte_at(bytes, size, behind + 2) >> 4 != 0;
    unsigned tables = 0;
    for (size_t i = 0; i < components; i++) {
        const size_t names = byte_at(bytes, size, at + 4 + 2 * i);
        if (!progressive || (first == 0 && !refines)) {
            tables |= table_bit(0, names >> 4);
        }
        if (!progressive || first > 0) {
            tables |= table_bit(1, names);
        }
    }
    return tables;
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
    uint8_t frame = 0; /* the marker of the frame's header */
    unsigned given = 0;
    for (size_t at = 2; at + 3 < size;) {
        const uint8_t kind = bytes[at + 1];
        const bool marker = bytes[at] == 0xff;
        if (marker && kind == MARKER_DHT && !segment_fits(bytes, size, at + 2, &given)) {
            return false;
        }
        if (certain && marker && kind >= MARKER_SOF0 && kind <= MARKER_SOF2) {
            frame = kind;
        }
        if (certain && marker && kind == MARKER_SOS && frame &&
            (scan_tables(bytes, size, at + 2, frame == MARKER_SOF2) & ~given) != 0) {
            return false;
        }
        certain = certain && marker && kind >= 0xc0 && kind != 0xff && kind != MARKER_SOS &&
                  !(kind >= 0xd0 && kind <= 0xd9);
        const size_t length = length_at(bytes, size, at + 2);
        at += certain && length >= 2 ? 2 + length : 1;
    }
    return true;
}
