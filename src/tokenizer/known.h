/* The memory of words: the ids of words that were met before, by their bytes. Most words of a
 * text are found here, so it is laid out for that: a short word takes half a cache line, and
 * neither its length nor which of its places it has decides a branch. */
#ifndef SS_TOKENIZER_KNOWN_H
#define SS_TOKENIZER_KNOWN_H

#include <string.h>

#include "base/error.h"

enum {
    SS_TOKENIZER_KNOWN_BYTES = 32, /* of the longest word that is remembered */
    SS_TOKENIZER_KNOWN_IDS = 7,    /* at most for one word */
    SS_TOKENIZER_SHORT_BYTES = 15,
    SS_TOKENIZER_SHORT_IDS = 3,
    SS_TOKENIZER_N_SHORT_WORDS = 1 << 16,
    SS_TOKENIZER_N_LONG_WORDS = 1 << 13,
    SS_TOKENIZER_N_PLACES = 4 /* that a word may be remembered at */
};

/* 32 bytes. */
struct ss_tokenizer_short_word {
    uint64_t key[2]; /* the word, zeros, and in the last byte its length and 1; 0: free */
    int32_t ids[SS_TOKENIZER_SHORT_IDS];
    uint8_t n_ids, n_uses; /* n_uses 0: free */
};

/* 64 bytes: a word that is longer, or has more ids. */
struct ss_tokenizer_long_word {
    uint64_t key[SS_TOKENIZER_KNOWN_BYTES / 8]; /* zeros behind the last */
    int32_t ids[SS_TOKENIZER_KNOWN_IDS];
    uint8_t length;        /* in bytes, and 1; 0: free */
    uint8_t n_ids, n_uses; /* n_uses 0: free */
};

struct ss_tokenizer_known {
    struct ss_tokenizer_short_word *short_words; /* [SS_TOKENIZER_N_SHORT_WORDS] */
    struct ss_tokenizer_long_word *long_words;   /* [SS_TOKENIZER_N_LONG_WORDS] */
};

SS_MUST_USE ss_status ss_tokenizer_known_init(struct ss_tokenizer_known *known, ss_err *err);
void ss_tokenizer_known_release(struct ss_tokenizer_known *known);
void ss_tokenizer_known_forget(struct ss_tokenizer_known *known); /* all words */

/* Write the ids of a word to `ids`, which has room for SS_TOKENIZER_KNOWN_IDS and 1, and return
 * how many they are; -1 if it is not remembered. Words can be read SS_TOKENIZER_KNOWN_BYTES
 * from their start. */
static inline int ss_tokenizer_known_find(struct ss_tokenizer_known *known,
                                          const struct ss_text *word, int32_t *ids);
/* Remember a word, unless it or its ids are too many. Of the words that share its places the
 * one that was used least makes room; the others are worth less from then on. */
void ss_tokenizer_known_keep(struct ss_tokenizer_known *known, const struct ss_text *word,
                             const int32_t *ids, size_t n_ids);

/* ---- inside ---- */

int ss_tokenizer_known_find_long(struct ss_tokenizer_known *known, const struct ss_text *word,
                                 int32_t *ids);

/* What stands behind the word is read as well: no branch depends on its length, which could not
 * be foreseen. */
static inline void ss_tokenizer_known_key(const struct ss_text *word, size_t n_words,
                                          uint64_t *key)
{
    static const uint8_t masks[2 * SS_TOKENIZER_KNOWN_BYTES] = {
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    for (size_t i = 0; i < n_words; i++) {
        uint64_t mask = 0;
        memcpy(&key[i], word->data + 8 * i, sizeof key[i]);
        memcpy(&mask, masks + SS_TOKENIZER_KNOWN_BYTES - word->n_bytes + 8 * i, sizeof mask);
        key[i] &= mask;
    }
}

static inline uint64_t ss_tokenizer_known_hash(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    const wide product =
        (wide)(a ^ UINT64_C(0xA0761D6478BD642F)) * (b ^ UINT64_C(0xE7037ED1A0B428DB));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline void ss_tokenizer_short_key(const struct ss_text *word, uint64_t key[2])
{
    ss_tokenizer_known_key(word, 2, key);
    key[1] |= (uint64_t)(word->n_bytes + 1) << 56;
}

/* The first of the places where a short word may be. */
static inline struct ss_tokenizer_short_word *
ss_tokenizer_short_places(const struct ss_tokenizer_known *known, const uint64_t key[2])
{
    const uint64_t hash = ss_tokenizer_known_hash(key[0], key[1]);
    return &known->short_words[hash % (SS_TOKENIZER_N_SHORT_WORDS / SS_TOKENIZER_N_PLACES) *
                               SS_TOKENIZER_N_PLACES];
}

static inline int ss_tokenizer_known_find(struct ss_tokenizer_known *known,
                                          const struct ss_text *word, int32_t *ids)
{
    uint64_t key[2];
    if (word->n_bytes > SS_TOKENIZER_SHORT_BYTES) {
        return ss_tokenizer_known_find_long(known, word, ids);
    }
    ss_tokenizer_short_key(word, key);
    struct ss_tokenizer_short_word *places = ss_tokenizer_short_places(known, key);
    size_t found = SS_TOKENIZER_N_PLACES;
    for (size_t i = 0; i < SS_TOKENIZER_N_PLACES; i++) {
        const bool is_word = ((places[i].key[0] ^ key[0]) | (places[i].key[1] ^ key[1])) == 0;
        found = is_word ? i : found;
    }
    if (found == SS_TOKENIZER_N_PLACES) {
        return ss_tokenizer_known_find_long(known, word, ids);
    }
    struct ss_tokenizer_short_word *place = &places[found];
    place->n_uses = (uint8_t)(place->n_uses + (place->n_uses < UINT8_MAX));
    memcpy(ids, place->ids, sizeof place->ids);
    return place->n_ids;
}

#endif
