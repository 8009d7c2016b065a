#include "marks.h"

#include <stdlib.h>
#include <string.h>

#include "cli.h"

bool marks_create(marks *m, const reduction *r, uint32_t times)
{
    uint64_t tokens = (uint64_t)r->shape.frames * r->shape.tokens;

    memset(m, 0, sizeof *m);
    m->frames = r->shape.frames;
    m->times = times;
    m->grid_h = r->shape.grid_h;
    m->grid_w = r->shape.grid_w;
    m->row = r->assignment;
    m->state = cli_array(tokens, 1);
    m->members = cli_array(r->result.rows, sizeof *m->members);
    m->counts = cli_array(m->frames, sizeof *m->counts);
    if (!m->state || !m->members || !m->counts) {
        marks_destroy(m);
        return false;
    }
    for (uint64_t i = 0; i < tokens; i++) {
        int32_t row = m->row[i];
        if (row >= 0 && (uint32_t)row < r->result.rows) {
            m->state[i] = (int64_t)r->indices[row] == (int64_t)i ? MARK_KEPT : MARK_MERGED;
            m->members[row]++;
        }
        m->counts[i / r->shape.tokens][m->state[i]]++;
        m->totals[m->state[i]]++;
    }
    return true;
}

void marks_destroy(marks *m)
{
    free(m->state);
    free(m->members);
    free(m->counts);
    memset(m, 0, sizeof *m);
}

const uint32_t *marks_counts(const marks *m, uint32_t picture)
{
    return m->counts[picture / m->times];
}

bool marks_grouped(const marks *m, uint64_t token)
{
    return m->state[token] != MARK_DROPPED && m->members[m->row[token]] > 1;
}
