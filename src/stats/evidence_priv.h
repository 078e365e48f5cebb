/* What the files evidence*.c share: the table of texts (evidence_texts.c), the lists
 * (evidence_lists.c), adding and merging (evidence.c), saving and loading (evidence_state.c).
 */
#ifndef SS_STATS_EVIDENCE_PRIV_H
#define SS_STATS_EVIDENCE_PRIV_H

#include "base/mem.h"
#include "stats/evidence.h"

#define SS_STATS_NO_TEXT UINT32_MAX

/* ---- texts ---- */

/* What is known of a text that some list holds. The rest of it is a record of the file: text,
 * kept columns, features, activations, embedding, one behind the other. */
struct ss_stats_held {
    struct ss_stats_key key;
    uint64_t variant; /* hash of the embedding, if they are told apart; else 0 */
    uint64_t count;   /* of rows since it is held; 0 in a free slot */
    uint64_t row;     /* the first of them */
    uint32_t file;
    uint32_t n_lists; /* that hold it; 0 while it is being added */
    uint64_t offset;  /* of the record */
    uint32_t n_text, n_kept, n_active;
    uint32_t next; /* in the chain of its bucket, or of free slots, + 1 */
    bool is_in_pool;
    bool is_counted; /* set at the end: it is in a list that depends on texts alone, so that it
                        was held from its first row on */
};

/* A zeroed struct is an empty table without a file. Threads: caller only. */
struct ss_stats_held_texts {
    size_t width;
    struct ss_stats_held *slots;
    size_t n_slots, slots_capacity, n_held;
    uint32_t *buckets; /* [n_buckets] heads of chains, + 1 */
    size_t n_buckets;
    uint32_t free_slots;     /* head of their chain, + 1 */
    int handle;              /* of the file, + 1; 0: none */
    uint64_t n_file, n_live; /* bytes written, and those of records that are held */
    struct ss__buf pending;  /* the last of them, which are not in the file yet */
};

/* A text as it comes. */
struct ss_stats_arrival {
    struct ss_stats_key key;
    uint64_t variant;
    struct ss_stats_position position;
    struct ss_text text, kept;
    size_t n_active;
    const uint32_t *features;
    const float *activations;
    const float *embedding;
};

/* An empty table with a file without a name, which goes when it is closed. Errors: SS_E_IO. */
SS_MUST_USE ss_status ss_stats_held_open(struct ss_stats_held_texts *texts, size_t width,
                                         ss_err *err);
void ss_stats_held_close(struct ss_stats_held_texts *texts);

/* The slot of a text, or SS_STATS_NO_TEXT. */
uint32_t ss_stats_held_find(const struct ss_stats_held_texts *texts, struct ss_stats_key key,
                            uint64_t variant);
/* Add a text that is not there, with a count of 0. Errors: SS_E_IO, SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_held_add(struct ss_stats_held_texts *texts,
                                        const struct ss_stats_arrival *text, uint32_t *slot,
                                        ss_err *err);
/* Count rows of a text; if they begin before those that were seen, its kept columns are those
 * of the arrival from now on. */
SS_MUST_USE ss_status ss_stats_held_count(struct ss_stats_held_texts *texts, uint32_t slot,
                                          const struct ss_stats_arrival *text, uint64_t count,
                                          ss_err *err);
/* Free the slot; its record stays in the file until that is compacted. */
void ss_stats_held_forget(struct ss_stats_held_texts *texts, uint32_t slot);
/* Read a record into `memory`; the views of *out lead there until its next use. Errors:
 * SS_E_IO, SS_E_NOMEM. Threads: any, with a buffer each, while nothing is added. */
SS_MUST_USE ss_status ss_stats_held_read(const struct ss_stats_held_texts *texts, uint32_t slot,
                                         struct ss__buf *memory, struct ss_stats_arrival *out,
                                         ss_err *err);
/* Rewrite the file where more than half of it, and 16 MiB, is of texts that were let go.
 * Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_held_compact(struct ss_stats_held_texts *texts, ss_err *err);
/* By half, key and variant. */
int ss_stats_held_compare(const struct ss_stats_held *a, const struct ss_stats_held *b);

/* ---- lists ---- */

struct ss_stats_entry {
    uint32_t slot;
    float activation;
};

/* Lists of one kind, one a feature; a heap with the worst entry first. */
struct ss_stats_lists {
    ss_stats_sample_kind kind;
    bool has_texts; /* no text is an empty one, as any other */
    size_t k;
    struct ss_stats_entry *entries;      /* [F, k] */
    struct ss_stats_position *positions; /* [F, k] of top texts, else NULL */
    uint32_t *n;                         /* [F] */
    uint64_t *floors;                    /* [F] the first half of the worst entry's key */
};

/* Empty lists of up to k entries. Errors: SS_E_USAGE (F k of 2^32 or more), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_lists_init(struct ss_stats_lists *lists, size_t n_features,
                                          ss_stats_sample_kind kind, size_t k, ss_err *err);
void ss_stats_lists_release(struct ss_stats_lists *lists);

/* A text that may enter a list. */
struct ss_stats_candidate {
    size_t feature;
    struct ss_stats_key key;
    uint64_t variant;
    float activation;
    struct ss_stats_position position;
    uint32_t slot; /* SS_STATS_NO_TEXT: in no list yet */
};
/* Whether it is better than the worst of a full list, or the list is not full. */
bool ss_stats_lists_may_enter(const struct ss_stats_lists *lists,
                              const struct ss_stats_held *slots,
                              const struct ss_stats_candidate *candidate);
/* Put it in, as may_enter said; its slot is set. Equal texts stand once, with the better entry,
 * unless `keep_duplicates`. Gives the slot that the list let go of, or SS_STATS_NO_TEXT;
 * *enters tells whether the list holds the candidate's once more. */
uint32_t ss_stats_lists_enter(struct ss_stats_lists *lists, const struct ss_stats_held *slots,
                              const struct ss_stats_candidate *candidate, bool keep_duplicates,
                              bool *enters);
/* Worst first, which is a heap as well. */
void ss_stats_lists_sort(struct ss_stats_lists *lists, size_t n_features,
                         const struct ss_stats_held *slots);

/* Whether they are, as lists that were loaded have to be; their floors are set. */
bool ss_stats_lists_are_sorted(struct ss_stats_lists *lists, size_t n_features,
                               const struct ss_stats_held *slots);

/* ---- the whole ---- */

/* The slots of a half's pool: a heap with the largest key first. */
struct ss_stats_pool {
    uint32_t *slots;
    size_t n, capacity;
};

struct ss_stats_evidence {
    struct ss_stats_evidence_options options;
    struct ss_stats_held_texts texts;
    struct ss_stats_pool pools[SS_STATS_N_HALVES];
    struct ss_stats_lists lists[SS_STATS_N_GATHERED];
    uint64_t n_rows[SS_STATS_N_HALVES];
    uint64_t *n_active; /* [F, 2] */
    uint32_t *order;    /* [n_held] slots by half and key, once it is finished */
    uint32_t *index_of; /* [n_slots] places in it */
};

#endif
