/* Evidence: distinct texts, kept whole, that tell what features mean. A reducer beside those of
 * stats.h, which sees every row once, in any order, with its embedding.
 *
 * Everything is chosen by one key: the first 8 bytes, big-endian, of the SHA-256 of the text;
 * the lowest bit of byte 8 is the text's half, 0 describe or 1 score. Equal texts have equal
 * keys, so that a text that occurs again is sampled once and never stands in both halves. Keys
 * know nothing of order, threads or parts: "the m smallest keys" is a uniform sample without
 * replacement, and the m smallest of a union.
 *
 * What is kept of each half is
 *   pool        the n_pool texts with the smallest keys, whether features fire in them or not
 * and of each feature
 *   top         the strongest texts of both halves, ordered as those of struct ss_stats_top
 *   strongest   the strongest texts of the describe half; equal ones by key
 *   firing      of each half, the texts with the smallest keys in which it fires
 *
 * In memory are eight bytes for a place in a list (24 of a top list), and some eighty for a
 * text; the texts with their embeddings and activations are in a file without a name. */
#ifndef SS_STATS_EVIDENCE_H
#define SS_STATS_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { SS_STATS_DESCRIBE, SS_STATS_SCORE, SS_STATS_N_HALVES };

/* ---- keys ---- */

/* Bytes 0–7 and 8–15 of the hash, big-endian. Texts are told apart by all of it, and ordered by
 * it. */
struct ss_stats_key {
    uint64_t key, rest;
};
/* The key of a text; of a row without one (n_bytes 0) that of its number. `seed` is hashed
 * before, unless it is 0. */
struct ss_stats_key ss_stats_key_of(uint64_t seed, struct ss_text text, uint64_t number);

/* A bit that ordering by `key` does not see. */
static inline int ss_stats_key_half(struct ss_stats_key key)
{
    return (int)(key.rest >> 56 & 1);
}

static inline int ss_stats_key_compare(struct ss_stats_key a, struct ss_stats_key b)
{
    return a.key != b.key ? (a.key > b.key) - (a.key < b.key)
                          : (a.rest > b.rest) - (a.rest < b.rest);
}

/* ---- lists ---- */

/* The lists of a feature, in the order of the files. Misses are found after the pass. */
typedef enum ss_stats_sample_kind {
    SS_STATS_SAMPLE_TOP,
    SS_STATS_SAMPLE_STRONGEST,
    SS_STATS_SAMPLE_FIRING_DESCRIBE,
    SS_STATS_SAMPLE_FIRING_SCORE,
    SS_STATS_SAMPLE_MISS_DESCRIBE,
    SS_STATS_SAMPLE_MISS_SCORE,
    SS_STATS_N_SAMPLES,
    SS_STATS_N_GATHERED = SS_STATS_SAMPLE_MISS_DESCRIBE /* the first ones, in the pass */
} ss_stats_sample_kind;

struct ss_stats_evidence_sizes {
    uint64_t n_pool;                        /* texts of each half; UINT64_MAX: all */
    uint32_t n_samples[SS_STATS_N_SAMPLES]; /* texts of each list of a feature */
};

/* Where a row is: the file in the order of the dataset, and the row in it. */
struct ss_stats_position {
    uint32_t file;
    uint64_t row;
};

/* ---- the reducer ---- */

struct ss_stats_evidence_options {
    size_t n_features, width;
    struct ss_stats_evidence_sizes sizes;
    uint64_t seed;
    bool keep_duplicates;  /* as of the top texts */
    bool tells_embeddings; /* equal texts with unequal embeddings are told apart */
    bool has_texts;        /* else keys are those of row numbers, and no text is kept */
};

struct ss_stats_evidence;

/* Errors: SS_E_USAGE (more places than 2^32 - 2), SS_E_IO (the temporary file), SS_E_NOMEM.
 * Gives *out (ss_stats_evidence_free). */
SS_MUST_USE ss_status ss_stats_evidence_new(const struct ss_stats_evidence_options *options,
                                            struct ss_stats_evidence **out, ss_err *err);
void ss_stats_evidence_free(struct ss_stats_evidence *evidence);

/* What belongs to the rows of a batch. */
struct ss_stats_evidence_rows {
    const struct ss_sparse *codes;             /* [n] */
    const float *embeddings;                   /* [n, width] */
    const struct ss_text *texts;               /* [n] */
    const struct ss_text *kept;                /* [n] of the columns carried along; nullable */
    const struct ss_stats_position *positions; /* [n] each comes once */
    const uint64_t *numbers;                   /* [n] of rows, for those without a text */
};
/* Errors: SS_E_IO, SS_E_NOMEM, SS_E_LIMIT; the evidence is then only valid to be freed.
 * Threads: caller only. */
SS_MUST_USE ss_status ss_stats_evidence_add(struct ss_stats_evidence *evidence,
                                            const struct ss_stats_evidence_rows *rows,
                                            ss_err *err);

/* Take over what another part gathered, of other rows. Errors: SS_E_SHAPE (other options), as
 * above. */
SS_MUST_USE ss_status ss_stats_evidence_merge(struct ss_stats_evidence *evidence,
                                              const struct ss_stats_evidence *other,
                                              ss_err *err);

/* Bring texts and lists into their order; more may be added afterwards, and then it is to be
 * finished again. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_evidence_finish(struct ss_stats_evidence *evidence, ss_err *err);

/* ---- after ss_stats_evidence_finish ---- */

const struct ss_stats_evidence_options *
ss_stats_evidence_options(const struct ss_stats_evidence *evidence);

/* Texts in the order of half and key. */
size_t ss_stats_evidence_n_texts(const struct ss_stats_evidence *evidence);
/* Those of half h are first[h] … first[h + 1] - 1, of which the first n_pool[h] are its pool.
 */
void ss_stats_evidence_halves(const struct ss_stats_evidence *evidence,
                              size_t first[SS_STATS_N_HALVES + 1],
                              size_t n_pool[SS_STATS_N_HALVES]);

struct ss_stats_evidence_text {
    struct ss_stats_key key;
    struct ss_stats_position position; /* of the first row */
    uint64_t count;                    /* of rows; 0: not known */
    bool is_in_pool;
    struct ss_text text, kept;
    size_t n_active;
    const uint32_t *features; /* [n_active] */
    const float *activations; /* [n_active] */
    const float *embedding;   /* [width] */
};
/* Read a text into `memory`, which the views lead to. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_evidence_text(const struct ss_stats_evidence *evidence,
                                             size_t index, struct ss__buf *memory,
                                             struct ss_stats_evidence_text *out, ss_err *err);

/* A list of a feature, best first. */
struct ss_stats_sample {
    uint32_t text; /* index */
    float activation;
};
size_t ss_stats_evidence_n_samples(const struct ss_stats_evidence *evidence, size_t feature,
                                   ss_stats_sample_kind kind);
struct ss_stats_sample ss_stats_evidence_sample(const struct ss_stats_evidence *evidence,
                                                size_t feature, ss_stats_sample_kind kind,
                                                size_t rank);

/* Rows seen of each half, and those of them in which a feature fires. */
uint64_t ss_stats_evidence_n_rows(const struct ss_stats_evidence *evidence, int half);
uint64_t ss_stats_evidence_n_active(const struct ss_stats_evidence *evidence, size_t feature,
                                    int half);

/* ---- the state ---- */

/* Save what was finished in the form of docs/formats.md, which is the same for equal evidence,
 * however it came about; load it back, finished. Its bytes are not trusted. Errors: those of
 * `write`; SS_E_DATA, SS_E_USAGE, SS_E_IO, SS_E_NOMEM. `data` is at a multiple of 8 bytes. */
SS_MUST_USE ss_status ss_stats_evidence_save(const struct ss_stats_evidence *evidence,
                                             ss_status (*write)(void *user, const void *data,
                                                                size_t n_bytes, ss_err *err),
                                             void *user, ss_err *err);
SS_MUST_USE ss_status ss_stats_evidence_load(const void *data, size_t n_bytes, const char *name,
                                             struct ss_stats_evidence **out, ss_err *err);

#endif
