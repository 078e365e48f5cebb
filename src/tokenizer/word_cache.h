/* The word cache: token ids of words seen before, keyed by the words' bytes. Natural text repeats
 * its words, so most words of a text are found here and neither splitters nor model see them.
 *
 * Set-associative with SS_TOKENIZER_N_WAYS entries per set, one table for short words (32 bytes
 * an entry, half a cache line) and one for longer ones. The lookup is laid out for the common
 * hit: a word's bytes are loaded as two integers and masked by its length, and all ways of the
 * set are compared without a branch, since branches on the length or on the way that matches are
 * mispredicted in natural text.
 *
 * Keys are the whole bytes of a word, not a hash of them: a hit is always right. The cache of a
 * scratch belongs to one tokenizer at a time (its fingerprint), and only affects speed: ids are
 * those of the model. Threads: each scratch has its own cache. */
#ifndef SS_TOKENIZER_WORD_CACHE_H
#define SS_TOKENIZER_WORD_CACHE_H

#include <string.h>

#include "base/error.h"

enum {
    SS_TOKENIZER_CACHED_BYTES = 32, /* of the longest word that is cached */
    SS_TOKENIZER_CACHED_IDS = 7,    /* at most for one word */
    SS_TOKENIZER_SHORT_BYTES = 15,
    SS_TOKENIZER_SHORT_IDS = 3,
    SS_TOKENIZER_N_SHORT_ENTRIES = 1 << 16,
    SS_TOKENIZER_N_LONG_ENTRIES = 1 << 13,
    SS_TOKENIZER_N_WAYS = 4 /* entries of a set: associativity */
};

/* 32 bytes. */
struct ss_tokenizer_short_entry {
    uint64_t key[2]; /* the word, zeros, and in the last byte its length and 1; 0: free */
    int32_t ids[SS_TOKENIZER_SHORT_IDS];
    uint8_t n_ids, n_uses; /* uses: met again, fewer with time */
};

/* 64 bytes: a word that is longer, or has more ids. */
struct ss_tokenizer_long_entry {
    uint64_t key[SS_TOKENIZER_CACHED_BYTES / 8]; /* zeros behind the last */
    int32_t ids[SS_TOKENIZER_CACHED_IDS];
    uint8_t length; /* in bytes, and 1; 0: free */
    uint8_t n_ids, n_uses;
};

struct ss_tokenizer_word_cache {
    struct ss_tokenizer_short_entry *short_entries; /* [SS_TOKENIZER_N_SHORT_ENTRIES] */
    struct ss_tokenizer_long_entry *long_entries;   /* [SS_TOKENIZER_N_LONG_ENTRIES] */
};

SS_MUST_USE ss_status ss_tokenizer_word_cache_init(struct ss_tokenizer_word_cache *cache,
                                                   ss_err *err);
void ss_tokenizer_word_cache_release(struct ss_tokenizer_word_cache *cache);
void ss_tokenizer_word_cache_clear(struct ss_tokenizer_word_cache *cache); /* all words */

/* Look up a word: writes its ids to `ids`, of capacity SS_TOKENIZER_CACHED_IDS + 1, and returns
 * their number; -1 for a miss. SS_TOKENIZER_CACHED_BYTES must be readable from the word's
 * start. */
static inline int ss_tokenizer_word_cache_find(struct ss_tokenizer_word_cache *cache,
                                               const struct ss_text *word, int32_t *ids);
/* Insert a word, unless it or its ids are too long. The least used entry of its set is evicted,
 * and the use counts of the set decay by a quarter, so that words that were frequent once do
 * not stay for ever. */
void ss_tokenizer_word_cache_add(struct ss_tokenizer_word_cache *cache,
                                 const struct ss_text *word, const int32_t *ids, size_t n_ids);

/* ---- inside ---- */

/* The words that the short table cannot hold. */
int ss_tokenizer_word_cache_find_long(struct ss_tokenizer_word_cache *cache,
                                      const struct ss_text *word, int32_t *ids);

/* Reads past the end of the word and masks the result: a branch on the length would be
 * mispredicted. */
static inline void ss_tokenizer_word_cache_key(const struct ss_text *word, size_t n_words,
                                               uint64_t *key)
{
    static const uint8_t masks[2 * SS_TOKENIZER_CACHED_BYTES] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    for (size_t i = 0; i < n_words; i++) {
        uint64_t mask = 0;
        memcpy(&key[i], word->data + 8 * i, sizeof key[i]);
        memcpy(&mask, masks + SS_TOKENIZER_CACHED_BYTES - word->n_bytes + 8 * i, sizeof mask);
        key[i] &= mask;
    }
}

/* Both halves of a product: every bit of the key reaches the set's number. */
static inline uint64_t ss_tokenizer_word_cache_hash(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product =
        (wide)(a ^ UINT64_C(0xA0761D6478BD642F)) * (b ^ UINT64_C(0xE7037ED1A0B428DB));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Words of different lengths that are equal but for zeros at the end stay apart by the
 * length. */
static inline void ss_tokenizer_short_key(const struct ss_text *word, uint64_t key[2])
{
    ss_tokenizer_word_cache_key(word, 2, key);
    key[1] |= (uint64_t)(word->n_bytes + 1) << 56;
}

/* The set of a short word: its first entry. */
static inline struct ss_tokenizer_short_entry *
ss_tokenizer_short_set(const struct ss_tokenizer_word_cache *cache, const uint64_t key[2])
{
    const uint64_t hash = ss_tokenizer_word_cache_hash(key[0], key[1]);
    return &cache->short_entries[hash % (SS_TOKENIZER_N_SHORT_ENTRIES / SS_TOKENIZER_N_WAYS) *
                                 SS_TOKENIZER_N_WAYS];
}

static inline int ss_tokenizer_word_cache_find(struct ss_tokenizer_word_cache *cache,
                                               const struct ss_text *word, int32_t *ids)
{
    uint64_t key[2];
    if (word->n_bytes > SS_TOKENIZER_SHORT_BYTES) {
        return ss_tokenizer_word_cache_find_long(cache, word, ids);
    }
    ss_tokenizer_short_key(word, key);
    struct ss_tokenizer_short_entry *set = ss_tokenizer_short_set(cache, key);
    size_t found = SS_TOKENIZER_N_WAYS;
    for (size_t i = 0; i < SS_TOKENIZER_N_WAYS; i++) {
        const bool is_word = ((set[i].key[0] ^ key[0]) | (set[i].key[1] ^ key[1])) == 0;
        found = is_word ? i : found;
    }
    if (found == SS_TOKENIZER_N_WAYS) {
        return ss_tokenizer_word_cache_find_long(cache, word, ids);
    }
    struct ss_tokenizer_short_entry *entry = &set[found];
    entry->n_uses = (uint8_t)(entry->n_uses + (entry->n_uses < UINT8_MAX));
    memcpy(ids, entry->ids, sizeof entry->ids);
    return entry->n_ids;
}

#endif
