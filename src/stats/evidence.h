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
 *   misses      of each half, texts of the pool in which it does not fire and whose
 *               pre-activation is the largest above 0; found after the pass */
#ifndef SS_STATS_EVIDENCE_H
#define SS_STATS_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { SS_STATS_DESCRIBE, SS_STATS_SCORE, SS_STATS_N_HALVES };

/* The lists of a feature, in the order of the files. */
typedef enum ss_stats_sample_kind {
    SS_STATS_SAMPLE_TOP,
    SS_STATS_SAMPLE_STRONGEST,
    SS_STATS_SAMPLE_FIRING_DESCRIBE,
    SS_STATS_SAMPLE_FIRING_SCORE,
    SS_STATS_SAMPLE_MISS_DESCRIBE,
    SS_STATS_SAMPLE_MISS_SCORE,
    SS_STATS_N_SAMPLES
} ss_stats_sample_kind;

struct ss_stats_evidence_sizes {
    uint64_t n_pool;                        /* texts of each half; UINT64_MAX: all */
    uint32_t n_samples[SS_STATS_N_SAMPLES]; /* texts of each list of a feature */
};

#endif
