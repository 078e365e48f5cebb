/* A trie over bytes whose edges lie in one hash table: for each text added, the longest one
 * that starts at a place is found in as many steps as it has bytes. */
#ifndef SS_TOKENIZER_TRIE_H
#define SS_TOKENIZER_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A zeroed struct is an empty trie. Immutable and shareable once filled. */
struct ss_tokenizer_trie {
    uint64_t *edges; /* [n_slots] parent << 32 | byte << 24 | child, 0 while free */
    size_t n_slots;  /* a power of two */
    int32_t *values; /* [n_nodes], -1 where no text ends; node 0 is the root */
    size_t n_nodes, values_capacity;
};

enum { SS_TOKENIZER_TRIE_ROOT = 0, SS_TOKENIZER_TRIE_MAX_NODES = 1 << 24 };

/* Add a text with a value of 0 or more; a text that is there gets the new value.
 * Errors: SS_E_LIMIT (too many nodes), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_tokenizer_trie_add(struct ss_tokenizer_trie *trie, const char *text,
                                            size_t n_bytes, int32_t value, ss_err *err);
void ss_tokenizer_trie_release(struct ss_tokenizer_trie *trie);

static inline size_t ss_tokenizer_trie_slot(const struct ss_tokenizer_trie *trie, uint64_t key)
{
    return (size_t)((key >> 24) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (trie->n_slots - 1);
}

/* The child of a node along a byte; 0 if there is none. The trie must not be empty. */
static inline uint32_t ss_tokenizer_trie_step(const struct ss_tokenizer_trie *trie,
                                              uint32_t node, uint8_t byte)
{
    const uint64_t key = (uint64_t)node << 32 | (uint64_t)byte << 24;
    for (size_t slot = ss_tokenizer_trie_slot(trie, key);;
         slot = (slot + 1) & (trie->n_slots - 1)) {
        const uint64_t edge = trie->edges[slot];
        if (edge == 0) {
            return 0;
        }
        if ((edge ^ key) >> 24 == 0) {
            return (uint32_t)(edge & 0xFFFFFF);
        }
    }
}

/* The node that a text leads to, 0 if there is none. */
uint32_t ss_tokenizer_trie_walk(const struct ss_tokenizer_trie *trie, const char *text,
                                size_t n_bytes);

/* The value of a whole text, -1 if it was not added. */
int32_t ss_tokenizer_trie_find(const struct ss_tokenizer_trie *trie, const char *text,
                               size_t n_bytes);

/* The value of the longest text that starts at `text`, below `node`; -1 if there is none. Its
 * length goes to *n_matched. */
static inline int32_t ss_tokenizer_trie_longest(const struct ss_tokenizer_trie *trie,
                                                uint32_t node, const char *text, size_t n_bytes,
                                                size_t *n_matched)
{
    int32_t best = -1;
    for (size_t i = 0; i < n_bytes; i++) {
        node = ss_tokenizer_trie_step(trie, node, (uint8_t)text[i]);
        if (node == 0) {
            break;
        }
        if (trie->values[node] >= 0) {
            best = trie->values[node];
            *n_matched = i + 1;
        }
    }
    return best;
}

#endif
