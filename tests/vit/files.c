#include "files.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void put(file_bytes *f, const void *bytes, size_t count)
{
    assert_true(count <= sizeof f->at - f->size);
    memcpy(f->at + f->size, bytes, count);
    f->size += count;
}

void put_number(file_bytes *f, uint64_t value, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; ++i) {
        const unsigned char byte = (unsigned char)(value >> 8 * i);
        put(f, &byte, 1);
    }
}

void put_text(file_bytes *f, const char *text)
{
    put_number(f, strlen(text), 8);
    put(f, text, strlen(text));
}

void put_zeros(file_bytes *f, size_t count)
{
    assert_true(count <= sizeof f->at - f->size);
    memset(f->at + f->size, 0, count);
    f->size += count;
}

void put_header(file_bytes *f, uint32_t version, uint64_t tensors, uint64_t keys)
{
    f->size = 0;
    put(f, "GGUF", 4);
    put_number(f, version, 4);
    put_number(f, tensors, 8);
    put_number(f, keys, 8);
}

void put_key(file_bytes *f, const char *key, uint32_t type)
{
    put_text(f, key);
    put_number(f, type, 4);
}

void put_tensor(file_bytes *f, const char *name, uint32_t rank, const uint64_t *sizes,
                uint32_t type, uint64_t offset)
{
    put_text(f, name);
    put_number(f, rank, 4);
    for (uint32_t i = 0; i < rank; ++i)
        put_number(f, sizes[i], 8);
    put_number(f, type, 4);
    put_number(f, offset, 8);
}

void put_padding(file_bytes *f, size_t alignment)
{
    put_zeros(f, (alignment - f->size % alignment) % alignment);
}

void put_safetensors(file_bytes *f, const char *header, size_t data)
{
    f->size = 0;
    put_text(f, header);
    for (size_t i = 0; i < data; ++i)
        put_number(f, i, 1);
}

void place_open(place *p)
{
    test_host_open(&p->memory);
    assert_int_equal(wn_host_read(&p->memory.host, &p->host), WINNOW_OK);
    snprintf(p->folder, sizeof p->folder, "/tmp/winnow-test-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

void place_close(place *p)
{
    assert_int_equal(nftw(p->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(p->memory.live, 0);
}

const char *place_path(place *p, const char *name)
{
    const size_t most = sizeof p->path;
    assert_true((size_t)snprintf(p->path, most, "%s/%s", p->folder, name) < most);
    return p->path;
}

void place_write(place *p, const char *name, const file_bytes *f)
{
    FILE *file = fopen(place_path(p, name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(f->at, 1, f->size, file), f->size);
    assert_int_equal(fclose(file), 0);
}

void place_write_text(place *p, const char *name, const char *text)
{
    file_bytes f = {.size = 0};
    put(&f, text, strlen(text));
    place_write(p, name, &f);
}

void place_remove(place *p, const char *name)
{
    assert_int_equal(remove(place_path(p, name)), 0);
}

wn_weights *place_weights(place *p)
{
    wn_weights *weights = NULL;
    const winnow_status status = wn_weights_open(&p->host, p->path, &weights);
    if (status != WINNOW_OK)
        print_error("%s\n", p->memory.line);
    assert_int_equal(status, WINNOW_OK);
    assert_non_null(weights);
    return weights;
}

void place_refused(place *p, const char *start, const char *part)
{
    wn_weights *weights = NULL;
    const int lines = p->memory.lines;
    const winnow_status status = wn_weights_open(&p->host, p->path, &weights);
    if (status != WINNOW_E_FILE || !strstr(p->memory.line, part))
        print_error("wanted \"%s\", got %d: %s\n", part, status, p->memory.line);
    assert_int_equal(status, WINNOW_E_FILE);
    assert_null(weights);
    assert_int_equal(p->memory.lines, lines + 1);
    assert_non_null(strstr(p->memory.line, part));
    assert_memory_equal(p->memory.line, start, strlen(start));
    assert_non_null(strstr(p->memory.line, p->folder)); /* names the file */
    assert_int_equal(p->memory.live, 0);
}
