#include "tokenizer/known.h"

#include "base/mem.h"

ss_status ss_tokenizer_known_init(struct ss_tokenizer_known *known, ss_err *err)
{
    SS_ALLOC_ALIGNED_OR_RETURN(known->short_words, SS_TOKENIZER_N_SHORT_WORDS);
    SS_ALLOC_ALIGNED_OR_RETURN(known->long_words, SS_TOKENIZER_N_LONG_WORDS);
    ss_tokenizer_known_forget(known);
    return SS_OK;
}

void ss_tokenizer_known_release(struct ss_tokenizer_known *known)
{
    ss__free(known->short_words);
    ss__free(known->long_words);
    *known = (struct ss_tokenizer_known){0};
}

void ss_tokenizer_known_forget(struct ss_tokenizer_known *known)
{
    memset(known->short_words, 0, SS_TOKENIZER_N_SHORT_WORDS * sizeof *known->short_words);
    memset(known->long_words, 0, SS_TOKENIZER_N_LONG_WORDS * sizeof *known->long_words);
}

/* The first of the places where a long word may be. */
static struct ss_tokenizer_long_word *long_places(const struct ss_tokenizer_known *known,
                                                  const uint64_t *key)
{
    const uint64_t hash =
        ss_tokenizer_known_hash(key[0], key[1]) + ss_tokenizer_known_hash(key[2], key[3]) * 3;
    return &known->long_words[hash % (SS_TOKENIZER_N_LONG_WORDS / SS_TOKENIZER_N_PLACES) *
                              SS_TOKENIZER_N_PLACES];
}

int ss_tokenizer_known_find_long(struct ss_tokenizer_known *known, const struct ss_text *word,
                                 int32_t *ids)
{
    uint64_t key[SS_TOKENIZER_KNOWN_BYTES / 8];
    if (word->n_bytes > SS_TOKENIZER_KNOWN_BYTES) {
        return -1;
    }
    ss_tokenizer_known_key(word, SS_TOKENIZER_KNOWN_BYTES / 8, key);
    struct ss_tokenizer_long_word *place = long_places(known, key);
    for (size_t i = 0; i < SS_TOKENIZER_N_PLACES; i++, place++) {
        if (place->length == word->n_bytes + 1 && memcmp(place->key, key, sizeof key) == 0) {
            place->n_uses = (uint8_t)(place->n_uses + (place->n_uses < UINT8_MAX));
            memcpy(ids, place->ids, sizeof place->ids);
            return place->n_ids;
        }
    }
    return -1;
}

/* The place whose word was used least is taken, the others are worth less than they were. */
#define TAKE_LEAST(places, least)                                                              \
    do {                                                                                       \
        (least) = (places);                                                                    \
        for (size_t i = 0; i < SS_TOKENIZER_N_PLACES; i++) {                                   \
            (least) = (places)[i].n_uses <= (least)->n_uses ? &(places)[i] : (least);          \
            (places)[i].n_uses = (uint8_t)((places)[i].n_uses - (places)[i].n_uses / 4);       \
        }                                                                                      \
    } while (0)

static void keep_short(struct ss_tokenizer_known *known, const struct ss_text *word,
                       const int32_t *ids, size_t n_ids)
{
    uint64_t key[2];
    struct ss_tokenizer_short_word *place = NULL;
    ss_tokenizer_short_key(word, key);
    struct ss_tokenizer_short_word *places = ss_tokenizer_short_places(known, key);
    TAKE_LEAST(places, place);
    *place = (struct ss_tokenizer_short_word){
        .key = {key[0], key[1]}, .n_ids = (uint8_t)n_ids, .n_uses = 1};
    memcpy(place->ids, ids, n_ids * sizeof *ids);
}

static void keep_long(struct ss_tokenizer_known *known, const struct ss_text *word,
                      const int32_t *ids, size_t n_ids)
{
    uint64_t key[SS_TOKENIZER_KNOWN_BYTES / 8];
    struct ss_tokenizer_long_word *place = NULL;
    ss_tokenizer_known_key(word, SS_TOKENIZER_KNOWN_BYTES / 8, key);
    struct ss_tokenizer_long_word *places = long_places(known, key);
    TAKE_LEAST(places, place);
    *place = (struct ss_tokenizer_long_word){.length = (uint8_t)(word->n_bytes + 1),
                                             .n_ids = (uint8_t)n_ids};
    memcpy(place->key, key, sizeof key);
    memcpy(place->ids, ids, n_ids * sizeof *ids);
}

void ss_tokenizer_known_keep(struct ss_tokenizer_known *known, const struct ss_text *word,
                             const int32_t *ids, size_t n_ids)
{
    if (word->n_bytes <= SS_TOKENIZER_SHORT_BYTES && n_ids <= SS_TOKENIZER_SHORT_IDS) {
        keep_short(known, word, ids, n_ids);
    } else if (word->n_bytes <= SS_TOKENIZER_KNOWN_BYTES && n_ids <= SS_TOKENIZER_KNOWN_IDS) {
        keep_long(known, word, ids, n_ids);
    }
}
