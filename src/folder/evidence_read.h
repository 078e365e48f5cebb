/* The evidence of a run, read back: texts, embeddings, samples and histograms that `analyze`
 * gathered in its pass, for the steps that work on a run folder without its dataset. The files
 * are described in docs/formats.md; they are not trusted, and everything here is checked when
 * they are opened: indices lie inside their arrays, numbers are finite, texts are UTF-8.
 *
 * Rows are distinct texts. They are ordered by half, then by key, so that each half is one
 * range of rows and the pool of a half is the beginning of its range:
 *
 *   [ describe: pool | others ][ score: pool | others ]
 *   0                first[1]                   first[2] = n_texts
 */
#ifndef SS_FOLDER_EVIDENCE_READ_H
#define SS_FOLDER_EVIDENCE_READ_H

#include "stats/evidence.h"
#include "stats/magnitudes.h"

struct ss_weights;

/* A row of a feature's samples: its texts by rank, with their activations (of misses: the
 * pre-activation). Borrowed. */
struct ss_folder_samples {
    size_t n;
    const uint32_t *texts; /* [n] rows */
    const float *activations;
};

/* A feature's active values by size: counts[i] of them are in bin bins[i], which holds the
 * floats whose bits, without the lowest 20, are bins[i]. Borrowed. */
struct ss_folder_bins {
    size_t n;
    const uint32_t *bins; /* [n] rising */
    const uint64_t *counts;
};

struct ss_folder_evidence {
    size_t n_features, width, n_texts;
    struct ss_stats_evidence_sizes sizes; /* what was asked for */
    uint64_t sample_seed;
    bool has_texts;          /* false where a run over embeddings had none */
    size_t first[3];         /* rows of half h: first[h] … first[h + 1] - 1 */
    size_t n_pool[2];        /* of them in the pool: the first ones */
    uint64_t n_rows[2];      /* rows of the pass in each half, repeated texts counted */
    uint64_t *n_active;      /* [F, 2] of those, the rows in which a feature fires */
    uint64_t *keys;          /* [n_texts] */
    uint64_t *counts;        /* [n_texts] occurrences; 0: not known */
    uint64_t *positions;     /* [n_texts] the first row, over the whole dataset */
    struct ss_text *texts;   /* [n_texts] empty where there is none */
    struct ss_text *files;   /* [n_texts] */
    struct ss_text *kept;    /* [n_texts] a JSON object of the kept columns, or empty */
    struct ss_sparse codes;  /* [n_texts] activations of each text */
    const float *embeddings; /* [n_texts, width] mapped; finite when it was opened */

    /* The rest belongs to the readers. */
    size_t *sample_offsets; /* [F * SS_STATS_N_SAMPLES + 1] into the next two */
    uint32_t *sample_texts;
    float *sample_activations;
    struct ss_stats_magnitude_bins histograms;
    char *bytes;                /* of the texts */
    struct ss_weights *weights; /* the embeddings */
    float *owned;               /* a copy of them, if they cannot be mapped */
};

/* Open the evidence in a run folder whose manifest says n_features.
 *
 * out      gives (ss_folder_evidence_release)
 * Errors   SS_E_NOINPUT (the run has no evidence: the sentence says how to get it), SS_E_DATA
 *          (damaged, or files that do not belong together), SS_E_IO, SS_E_NOMEM
 * Threads  any; the result is shared as long as nobody changes it */
SS_MUST_USE ss_status ss_folder_evidence_open(const char *folder, size_t n_features,
                                              struct ss_folder_evidence *out, ss_err *err);
void ss_folder_evidence_release(struct ss_folder_evidence *evidence);
/* Whether the mapped embeddings are still those of the file as it was opened: whoever computed
 * with them asks before anything is given out. Errors: SS_E_IO. Threads: any. */
SS_MUST_USE ss_status ss_folder_evidence_check(const struct ss_folder_evidence *evidence,
                                               ss_err *err);

/* The half of a row: 0 describe, 1 score. */
static inline int ss_folder_evidence_half(const struct ss_folder_evidence *evidence, size_t row)
{
    return row >= evidence->first[1];
}

/* The samples of a feature. */
struct ss_folder_samples ss_folder_evidence_samples(const struct ss_folder_evidence *evidence,
                                                    size_t feature, ss_stats_sample_kind kind);

/* The histogram of a feature. */
struct ss_folder_bins ss_folder_evidence_bins(const struct ss_folder_evidence *evidence,
                                              size_t feature);

/* mean [width]: of the embeddings of the describe half's pool, which similarities are centred
 * by; summed in double in the order of rows. Zeros where the pool is empty. */
void ss_folder_evidence_mean(const struct ss_folder_evidence *evidence, double *mean);

#endif
