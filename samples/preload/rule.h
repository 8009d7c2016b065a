/* rule.h: how a chunk is reduced, and the mark that says so in a picture's id.
 *
 * A program asks how many tokens a chunk has before anything is encoded, keeps copies of chunks in
 * caches and files, and compares their ids to find out what it has decoded already. So what a
 * chunk comes to must follow from the chunk alone. The rule is therefore written in front of the
 * picture's id, "winnow(1;256;original;divprune)ID", where libmtmd carries it along: chunks of
 * other settings have other ids and are never taken for each other, and a chunk that comes back
 * from a file under other settings still has the count that it was saved with. */
#ifndef RULE_H
#define RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RULE_MARK_SIZE = 512, RULE_WHOLE = 100000 };

typedef struct rule {
    uint32_t tokens;           /* most tokens of a chunk; 0: see share */
    uint32_t share;            /* most of a chunk, in 1/RULE_WHOLE; 0 too: as the pipeline has it */
    bool compact;              /* M-RoPE: places close up */
    bool by_budget;            /* the pipeline is our own choice: divprune to the budget */
    char spec[RULE_MARK_SIZE]; /* the pipeline */
    char mark[RULE_MARK_SIZE];
} rule;

/* Reads "256" or "12.5%" (up to three decimals) into tokens or share. */
bool rule_read_budget(rule *r, const char *text);

/* Fills by_budget, and the mark from everything else. False: the spec is too long or has a ';' or
 * a ')', which no pipeline has. */
bool rule_finish(rule *r);

/* Tokens that the budget leaves of n: at least one, at most n. */
uint32_t rule_count(const rule *r, uint32_t n);

/* Bytes of the mark that `id` starts with, 0 if it has none. */
size_t rule_mark_length(const char *id);

/* The rule of the mark that `id` starts with. */
bool rule_read_mark(rule *r, const char *id);

#endif /* RULE_H */
