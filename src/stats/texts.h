/* Interned texts: each is kept once, with a reference count, while somebody needs it. */
#ifndef SS_STATS_TEXTS_H
#define SS_STATS_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SS_STATS_TEXT_NONE UINT32_MAX

struct ss_stats_text_slot {
    char *data; /* NULL in a free slot */
    size_t n_bytes;
    uint64_t hash;
    uint32_t n_refs;
    uint32_t next; /* in the chain of its bucket, or of free slots */
};

/* A zeroed struct is an empty table. Ids are indices of slots, used again after release. */
struct ss_stats_texts {
    struct ss_stats_text_slot *slots;
    size_t n_slots, slots_capacity;
    uint32_t *buckets; /* [n_buckets], heads of chains as id + 1, 0 if empty */
    size_t n_buckets;
    size_t n_texts;
    uint32_t free_slots; /* head of their chain as id + 1 */
    uint64_t n_bytes;    /* of all texts */
};

/* The id of a text with one more reference; the bytes are copied if they are new.
 * Errors: SS_E_NOMEM, SS_E_LIMIT (2^32 - 2 texts). */
SS_MUST_USE ss_status ss_stats_texts_intern(struct ss_stats_texts *texts, struct ss_text text,
                                            uint32_t *id, ss_err *err);
/* One reference more. */
void ss_stats_texts_retain(struct ss_stats_texts *texts, uint32_t id);
/* One reference less; the last one frees the text. */
void ss_stats_texts_unref(struct ss_stats_texts *texts, uint32_t id);
struct ss_text ss_stats_texts_get(const struct ss_stats_texts *texts, uint32_t id);
void ss_stats_texts_release(struct ss_stats_texts *texts);

#endif
