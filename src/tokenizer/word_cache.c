/* Filling and looking up; the layout, and why it is so, stands in word_cache.h. */
#include "tokenizer/word_cache.h"

#include "base/mem.h"

ss_status ss_tokenizer_word_cache_init(struct ss_tokenizer_word_cache *cache, ss_err *err)
{
    SS_ALLOC_ALIGNED_OR_RETURN(cache->short_entries, SS_TOKENIZER_N_SHORT_ENTRIES);
    SS_ALLOC_ALIGNED_OR_RETURN(cache->long_entries, SS_TOKENIZER_N_LONG_ENTRIES);
    ss_tokenizer_word_cache_clear(cache);
    return SS_OK;
}

void ss_tokenizer_word_cache_release(struct ss_tokenizer_word_cache *cache)
{
    ss__free(cache->short_entries);
    ss__free(cache->long_entries);
    *cache = (struct ss_tokenizer_word_cache){0};
}

/* All bytes 0: no word has such a key and length, so nothing is found. */
void ss_tokenizer_word_cache_clear(struct ss_tokenizer_word_cache *cache)
{
    memset(cache->short_entries, 0,
           SS_TOKENIZER_N_SHORT_ENTRIES * sizeof *cache->short_entries);
    memset(cache->long_entries, 0, SS_TOKENIZER_N_LONG_ENTRIES * sizeof *cache->long_entries);
}

/* The set of a long word: its first entry. */
static struct ss_tokenizer_long_entry *long_set(const struct ss_tokenizer_word_cache *cache,
                                                const uint64_t *key)
{
    const uint64_t hash = ss_tokenizer_word_cache_hash(key[0], key[1]) +
                          ss_tokenizer_word_cache_hash(key[2], key[3]) * 3;
    return &cache->long_entries[hash % (SS_TOKENIZER_N_LONG_ENTRIES / SS_TOKENIZER_N_WAYS) *
                                SS_TOKENIZER_N_WAYS];
}

int ss_tokenizer_word_cache_find_long(struct ss_tokenizer_word_cache *cache,
                                      const struct ss_text *word, int32_t *ids)
{
    uint64_t key[SS_TOKENIZER_CACHED_BYTES / 8];
    if (word->n_bytes > SS_TOKENIZER_CACHED_BYTES) {
        return -1;
    }
    ss_tokenizer_word_cache_key(word, SS_TOKENIZER_CACHED_BYTES / 8, key);
    struct ss_tokenizer_long_entry *entry = long_set(cache, key);
    for (size_t i = 0; i < SS_TOKENIZER_N_WAYS; i++, entry++) {
        if (entry->length == word->n_bytes + 1 && memcmp(entry->key, key, sizeof key) == 0) {
            entry->n_uses = (uint8_t)(entry->n_uses + (entry->n_uses < UINT8_MAX));
            memcpy(ids, entry->ids, sizeof entry->ids);
            return entry->n_ids;
        }
    }
    return -1;
}

/* Chooses the least used entry of a set and lets the use counts of the set decay. */
#define EVICT_LEAST_USED(set, least)                                                           \
    do {                                                                                       \
        (least) = (set);                                                                       \
        for (size_t i = 0; i < SS_TOKENIZER_N_WAYS; i++) {                                     \
            (least) = (set)[i].n_uses <= (least)->n_uses ? &(set)[i] : (least);                \
            (set)[i].n_uses = (uint8_t)((set)[i].n_uses - (set)[i].n_uses / 4);                \
        }                                                                                      \
    } while (0)

static void insert_short(struct ss_tokenizer_word_cache *cache, const struct ss_text *word,
                         const int32_t *ids, size_t n_ids)
{
    uint64_t key[2];
    struct ss_tokenizer_short_entry *entry = NULL;
    ss_tokenizer_short_key(word, key);
    struct ss_tokenizer_short_entry *set = ss_tokenizer_short_set(cache, key);
    EVICT_LEAST_USED(set, entry);
    *entry = (struct ss_tokenizer_short_entry){
        .key = {key[0], key[1]}, .n_ids = (uint8_t)n_ids, .n_uses = 1};
    memcpy(entry->ids, ids, n_ids * sizeof *ids);
}

static void insert_long(struct ss_tokenizer_word_cache *cache, const struct ss_text *word,
                        const int32_t *ids, size_t n_ids)
{
    uint64_t key[SS_TOKENIZER_CACHED_BYTES / 8];
    struct ss_tokenizer_long_entry *entry = NULL;
    ss_tokenizer_word_cache_key(word, SS_TOKENIZER_CACHED_BYTES / 8, key);
    struct ss_tokenizer_long_entry *set = long_set(cache, key);
    EVICT_LEAST_USED(set, entry);
    *entry = (struct ss_tokenizer_long_entry){.length = (uint8_t)(word->n_bytes + 1),
                                              .n_ids = (uint8_t)n_ids};
    memcpy(entry->key, key, sizeof key);
    memcpy(entry->ids, ids, n_ids * sizeof *ids);
}

/* Words that fit neither table are tokenised each time: long ones are rare. */
void ss_tokenizer_word_cache_add(struct ss_tokenizer_word_cache *cache,
                                 const struct ss_text *word, const int32_t *ids, size_t n_ids)
{
    if (word->n_bytes <= SS_TOKENIZER_SHORT_BYTES && n_ids <= SS_TOKENIZER_SHORT_IDS) {
        insert_short(cache, word, ids, n_ids);
    } else if (word->n_bytes <= SS_TOKENIZER_CACHED_BYTES && n_ids <= SS_TOKENIZER_CACHED_IDS) {
        insert_long(cache, word, ids, n_ids);
    }
}
