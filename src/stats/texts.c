/* A hash table of texts by content: chains of slots, at least twice as many buckets as texts.
 * Top lists of many features hold the same texts, so a text is stored once and counted. */
#include "stats/texts.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

enum { MIN_BUCKETS = 64 };

/* Chains hold ids + 1, so that 0 ends them and a zeroed table is empty. */
static uint32_t *bucket_of(const struct ss_stats_texts *texts, uint64_t hash)
{
    return &texts->buckets[hash & (texts->n_buckets - 1)];
}

static void link_slot(struct ss_stats_texts *texts, uint32_t id)
{
    uint32_t *bucket = bucket_of(texts, texts->slots[id].hash);
    texts->slots[id].next = *bucket;
    *bucket = id + 1;
}

/* The slot is in the chain: whoever asks holds the last reference. */
static void unlink_slot(struct ss_stats_texts *texts, uint32_t id)
{
    uint32_t *link = bucket_of(texts, texts->slots[id].hash);
    while (*link != id + 1) {
        link = &texts->slots[*link - 1].next;
    }
    *link = texts->slots[id].next;
}

/* Hashes are kept, so that no text is read again. */
static ss_status grow_buckets(struct ss_stats_texts *texts, ss_err *err)
{
    uint32_t *buckets = NULL;
    if (texts->n_texts * 2 < texts->n_buckets) {
        return SS_OK;
    }
    const size_t n_buckets = ss__max_size(MIN_BUCKETS, texts->n_buckets * 2);
    SS_ALLOC_OR_RETURN(buckets, n_buckets);
    ss__free(texts->buckets);
    texts->buckets = buckets;
    texts->n_buckets = n_buckets;
    for (size_t id = 0; id < texts->n_slots; id++) {
        if (texts->slots[id].data != NULL) {
            link_slot(texts, (uint32_t)id);
        }
    }
    return SS_OK;
}

/* Hash and length first: texts are compared only where they are nearly surely equal. */
static uint32_t find(const struct ss_stats_texts *texts, struct ss_text text, uint64_t hash)
{
    if (texts->n_buckets == 0) {
        return SS_STATS_TEXT_NONE;
    }
    for (uint32_t link = *bucket_of(texts, hash); link != 0;
         link = texts->slots[link - 1].next) {
        const struct ss_stats_text_slot *slot = &texts->slots[link - 1];
        if (slot->hash == hash && slot->n_bytes == text.n_bytes &&
            memcmp(slot->data, text.data, text.n_bytes) == 0) {
            return link - 1;
        }
    }
    return SS_STATS_TEXT_NONE;
}

/* A slot that was freed, or a new one. */
static ss_status allocate_slot(struct ss_stats_texts *texts, uint32_t *id, ss_err *err)
{
    if (texts->free_slots != 0) {
        *id = texts->free_slots - 1;
        texts->free_slots = texts->slots[*id].next;
        return SS_OK;
    }
    if (texts->n_slots >= SS_STATS_TEXT_NONE - 1) {
        return ss__fail(err, SS_E_LIMIT,
                        "more than %zu different top texts; ask for fewer per feature",
                        texts->n_slots);
    }
    SS_GROW_OR_RETURN(texts->slots, texts->slots_capacity, texts->n_slots + 1);
    *id = (uint32_t)texts->n_slots++;
    texts->slots[*id] = (struct ss_stats_text_slot){0};
    return SS_OK;
}

/* The table grows before the text is copied, so that a failure leaves it as it was. */
ss_status ss_stats_texts_intern(struct ss_stats_texts *texts, struct ss_text text, uint32_t *id,
                                ss_err *err)
{
    ss_status status = SS_OK;
    char *copy = NULL;
    const struct ss_text whole = {text.n_bytes == 0 ? "" : text.data, text.n_bytes};
    const uint64_t hash = ss__hash64(whole.data, whole.n_bytes);
    *id = find(texts, whole, hash);
    if (*id != SS_STATS_TEXT_NONE) {
        texts->slots[*id].n_refs++;
        return SS_OK;
    }
    SS_TRY(grow_buckets(texts, err));
    copy = ss__strndup(whole.data, whole.n_bytes);
    if (copy == NULL) {
        status = ss__fail_nomem(err, "a top text");
        goto out;
    }
    SS_TRY(allocate_slot(texts, id, err));
    texts->slots[*id] = (struct ss_stats_text_slot){
        .data = copy, .n_bytes = whole.n_bytes, .hash = hash, .n_refs = 1};
    copy = NULL;
    link_slot(texts, *id);
    texts->n_texts++;
    texts->n_bytes += whole.n_bytes;
out:
    ss__free(copy);
    return status;
}

void ss_stats_texts_retain(struct ss_stats_texts *texts, uint32_t id)
{
    texts->slots[id].n_refs++;
}

/* Lists change all the time: the slot of a text that no list holds is the next one's. */
void ss_stats_texts_unref(struct ss_stats_texts *texts, uint32_t id)
{
    struct ss_stats_text_slot *slot = &texts->slots[id];
    slot->n_refs--;
    if (slot->n_refs > 0) {
        return;
    }
    unlink_slot(texts, id);
    texts->n_texts--;
    texts->n_bytes -= slot->n_bytes;
    ss__free(slot->data);
    *slot = (struct ss_stats_text_slot){.next = texts->free_slots};
    texts->free_slots = id + 1;
}

struct ss_text ss_stats_texts_get(const struct ss_stats_texts *texts, uint32_t id)
{
    return (struct ss_text){texts->slots[id].data, texts->slots[id].n_bytes};
}

void ss_stats_texts_release(struct ss_stats_texts *texts)
{
    for (size_t i = 0; i < texts->n_slots; i++) {
        ss__free(texts->slots[i].data);
    }
    ss__free(texts->slots);
    ss__free(texts->buckets);
    *texts = (struct ss_stats_texts){0};
}
