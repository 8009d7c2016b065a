#include "results.h"

#include <string.h>
#include <strings.h>

#include "say.h"

static bool failed(const results *r)
{
    return say_failed("%s: it cannot be written", r->path);
}

bool results_open(results *r, const char *path)
{
    const size_t length = strlen(path);
    *r = (results){.path = path};
    if ((size_t)snprintf(r->part, sizeof r->part, "%s.part", path) >= sizeof r->part) {
        return failed(r);
    }
    r->file = fopen(r->part, "w");
    r->csv = length > 4 && strcasecmp(path + length - 4, ".csv") == 0;
    if (!r->file) {
        return failed(r);
    }
    if (r->csv) {
        fputs("clip,pipeline,type,question,answer,said,right,tokens,tokens_before,cells,kv_bytes,"
              "encode_ms,reduce_ms,prefill_ms,question_ms,ttft_ms\n",
              r->file);
    }
    return true;
}

/* A text between quotes: doubled within in CSV, escaped in JSON. A model's answer may be any bytes;
 * those that are no ASCII are '?' here, as half a character would spoil the file. */
static void put_text(FILE *file, const char *text, bool csv)
{
    fputc('"', file);
    for (const char *c = text; *c; c++) {
        const unsigned char byte = (unsigned char)*c;
        if (byte < 0x20 || byte >= 0x7f) {
            fputc(byte < 0x20 ? ' ' : '?', file);
            continue;
        }
        if (byte == '"' || (byte == '\\' && !csv)) {
            fputc(csv ? '"' : '\\', file);
        }
        fputc(byte, file);
    }
    fputc('"', file);
}

static void put_field(const results *r, const char *name, const char *text)
{
    if (r->csv) {
        fputc(',', r->file);
    } else {
        fprintf(r->file, ",\"%s\":", name);
    }
    put_text(r->file, text, r->csv);
}

bool results_write(results *r, const result_row *row)
{
    static const char json[] = ",\"right\":%s,\"tokens\":%u,\"tokens_before\":%u,\"cells\":%u,"
                               "\"kv_bytes\":%llu,\"encode_ms\":%.3f,\"reduce_ms\":%.3f,"
                               "\"prefill_ms\":%.3f,\"question_ms\":%.3f,\"ttft_ms\":%.3f}\n";
    static const char csv[] = ",%s,%u,%u,%u,%llu,%.3f,%.3f,%.3f,%.3f,%.3f\n";
    const double first = row->encode_ms + row->reduce_ms + row->prefill_ms + row->question_ms;
    const char *right = r->csv ? (row->right ? "1" : "0") : row->right ? "true" : "false";
    fprintf(r->file, r->csv ? "%u" : "{\"clip\":%u", row->clip);
    put_field(r, "pipeline", row->pipeline);
    put_field(r, "type", row->type);
    put_field(r, "question", row->question);
    put_field(r, "answer", row->answer);
    put_field(r, "said", row->said);
    fprintf(r->file, r->csv ? csv : json, right, row->tokens, row->tokens_before, row->cells,
            (unsigned long long)row->kv_bytes, row->encode_ms, row->reduce_ms, row->prefill_ms,
            row->question_ms, first);
    return !ferror(r->file) || failed(r);
}

bool results_close(results *r, bool good)
{
    if (!r->file) {
        return good;
    }
    const bool closed = fclose(r->file) == 0;
    r->file = NULL;
    if (good && closed && rename(r->part, r->path) == 0) {
        return true;
    }
    remove(r->part);
    return good ? failed(r) : false;
}
