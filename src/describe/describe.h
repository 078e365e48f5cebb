/* What features mean, in words.
 *
 * Everything is handed in: texts, numbers, and a function that embeds strings. Strings are
 * embedded once each, in batches, over all features; the answer depends neither on batches nor
 * on threads. */
#ifndef SS_DESCRIBE_H
#define SS_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "stats/evidence.h"

/* ---- embedding ---- */

/* Embeds n strings into out [n, width]; texts longer than the encoder's limit are cut by it.
 * The vector of a string does not depend on what else is in a call. */
struct ss_describe_embedder {
    ss_status (*embed)(void *user, const struct ss_text *texts, size_t n, float *out,
                       ss_err *err);
    void *user;
    size_t width;
};

/* What an SAE says of embeddings x [n, width], all features: out [n, n_features] are the numbers
 * that its rule compares, larger where a feature is more at home. */
struct ss_describe_answers {
    ss_status (*answer)(void *user, const float *x, size_t n, float *out, ss_err *err);
    void *user;
};

/* ---- keywords ---- */

struct ss_describe_term {
    struct ss_text text; /* lives as long as its list */
    double weight;
};

/* Terms of every feature, the best first: those of feature f are terms[offsets[f]] …
 * terms[offsets[f + 1] - 1]. */
struct ss_describe_terms {
    size_t n_features;
    size_t *offsets; /* [n_features + 1] */
    struct ss_describe_term *terms;
    size_t terms_room;
    struct ss__arena arena; /* of the texts */
};
void ss_describe_terms_release(struct ss_describe_terms *terms);
/* Add a term, copied, to the feature whose list is being written; the caller sets
 * offsets[f + 1] when it is done. */
SS_MUST_USE ss_status ss_describe_terms_add(struct ss_describe_terms *terms, size_t *n,
                                            struct ss_text text, double weight, ss_err *err);

/* Texts that features point at: feature f has texts[list[offsets[f]]] and so on. All borrowed.
 */
struct ss_describe_lists {
    size_t n_texts;
    const struct ss_text *texts;
    const float *embeddings; /* [n_texts, width] by the embedder for words; NULL: to be made */
    size_t n_features;
    const size_t *offsets; /* [n_features + 1] */
    const uint32_t *list;
};

/* ---- keywords of the seed project ---- */

typedef enum ss_describe_seed_variant {
    SS_DESCRIBE_SEED_TUTORIAL, /* terms join a cluster at cosine 0.75, all are kept */
    SS_DESCRIBE_SEED_EXPLAINER /* at 0.8, the best three */
} ss_describe_seed_variant;

struct ss_describe_seed_options {
    ss_describe_seed_variant variant;
    struct ss_describe_embedder list_model; /* ranks the words of a text */
    struct ss_describe_embedder model;      /* for everything else */
    bool is_one_model;                      /* list_model is not looked at: it is `model` */
    struct ss_progress_callback stop;
};

/* Keywords of every feature from its top texts, the strongest first: per text the five words
 * nearest to it, without near doubles, and pairs of them that are near to it; then sums over
 * the texts, clusters of like terms, and their scores. A feature without texts has none.
 *
 * out      gives (ss_describe_terms_release)
 * Errors   SS_E_NOMEM, SS_E_LIMIT, SS_E_STOPPED, those of the embedder
 * Source   tests/unit/test_describe_seed.c */
SS_MUST_USE ss_status ss_describe_seed(const struct ss_describe_lists *tops,
                                       const struct ss_describe_seed_options *options,
                                       struct ss_describe_terms *out, ss_err *err);

/* ---- the evidence ---- */

/* Distinct texts by half, then key; each half begins with its pool. All borrowed. */
struct ss_describe_evidence {
    size_t n_features, width, n_texts;
    const struct ss_text *texts;
    const float *embeddings;       /* [n_texts, width] */
    const struct ss_sparse *codes; /* [n_texts] */
    size_t first[SS_STATS_N_HALVES + 1];
    size_t n_pool[SS_STATS_N_HALVES];
    /* [n_features * SS_STATS_N_SAMPLES + 1] into the next two: by feature, then kind */
    const size_t *sample_offsets;
    const uint32_t *sample_texts;
    const float *sample_activations;
    const double *rates; /* [n_features] of all rows, the share in which a feature fires */
};

/* What labels and scores are computed from: made once, shared. */
struct ss_describe_view;

enum { SS_DESCRIBE_POOL = 4096 }; /* texts of a pool that are looked at, at most */

/* The evidence and `work` are borrowed until the view is freed; while a call with the view
 * runs, only the embedder uses the work, too. Gives *out (ss_describe_view_free). Errors:
 * SS_E_NOMEM, SS_E_STOPPED. */
SS_MUST_USE ss_status ss_describe_view_new(const struct ss_describe_evidence *evidence,
                                           ss_work *work, struct ss_describe_view **out,
                                           ss_err *err);
void ss_describe_view_free(struct ss_describe_view *view);

/* ---- scores ---- */

struct ss_describe_interval {
    double low, high;
};

/* The area under the ROC curve, with a 95 % interval. */
struct ss_describe_auc {
    double value, se;
    struct ss_describe_interval interval;
    size_t n_positives, n_negatives;
};

struct ss_describe_share {
    double value;
    struct ss_describe_interval interval;
    size_t n;
};

/* Texts on which the feature does not fire: */
typedef enum ss_describe_negatives {
    SS_DESCRIBE_RANDOM, /* the first of the pool */
    SS_DESCRIBE_NEAR,   /* nearest to the mean of the describing texts */
    SS_DESCRIBE_MISS,   /* on which it nearly fires */
    SS_DESCRIBE_N_NEGATIVES
} ss_describe_negatives;
const char *ss_describe_negatives_name(ss_describe_negatives kind); /* "random", … */

typedef enum ss_describe_verdict {
    SS_DESCRIBE_SHARP,    /* random: low end 0.9 or more, near 0.7 or more */
    SS_DESCRIBE_TOPICAL,  /* random: low end 0.75 or more */
    SS_DESCRIBE_WEAK,     /* better than chance */
    SS_DESCRIBE_CHANCE,   /* the interval of random holds 0.5, or lies below */
    SS_DESCRIBE_TOO_FEW,  /* fewer than 10 positives or 20 negatives */
    SS_DESCRIBE_NO_LABEL, /* no phrase was found */
    SS_DESCRIBE_UNSCORED, /* not asked for */
    SS_DESCRIBE_N_VERDICTS
} ss_describe_verdict;
const char *ss_describe_verdict_name(ss_describe_verdict verdict); /* "sharp", "too few", … */

enum { SS_DESCRIBE_DECILES = 10 };

/* How a label does on the score half. Numbers that have no value are NaN. */
struct ss_describe_score {
    ss_describe_verdict verdict;
    size_t n_positives;
    struct ss_describe_auc auc[SS_DESCRIBE_N_NEGATIVES]; /* n_negatives < 20: no value */
    float threshold;                                     /* chosen on the describe half */
    struct ss_describe_share tpr, fpr;                   /* fpr: of random negatives */
    double balanced_accuracy, f1, precision;             /* precision: at the fire rate */
    double coverage, coverage_random, lift;              /* texts with a phrase of the label */
    double strength;                                     /* rank correlation with activations */
    double deciles[SS_DESCRIBE_DECILES];                 /* TPR by rising activation */
    double describe_auc;                                 /* random, on the half it is from */
    double ceiling_mean[SS_DESCRIBE_N_NEGATIVES];        /* areas of the mean embedding, */
    double ceiling_probe[SS_DESCRIBE_N_NEGATIVES];       /* of a linear probe */
    struct ss_describe_share sentences;                  /* n = 0: not tested */
};

/* No numbers. */
void ss_describe_score_clear(struct ss_describe_score *score, ss_describe_verdict verdict);

struct ss_describe_score_options {
    struct ss_describe_embedder embedder;
    bool is_plain;     /* cosines as they are, not after subtracting the pool's mean */
    bool without_tops; /* positives that stand in the top list do not count */
    bool with_probe;   /* also the linear probe */
    const struct ss_describe_answers *answers; /* for the sentence test; NULL: without */
    /* of its sentences, of which only the order of numbers counts: may be a coarser one;
       without a function: `embedder` */
    struct ss_describe_embedder sentence_embedder;
    struct ss_progress_callback stop;
};

/* Score a label of every feature.
 *
 * labels   [n_features] borrowed; phrases with ", " between; an empty one: no label
 * scores   [n_features] written
 * Errors   SS_E_NOMEM, SS_E_STOPPED, those of the embedder
 * Source   tests/unit/test_describe_auc.c */
SS_MUST_USE ss_status ss_describe_score(const struct ss_describe_view *view,
                                        const struct ss_text *labels,
                                        const struct ss_describe_score_options *options,
                                        struct ss_describe_score *scores, ss_err *err);

/* ---- labels by contrast ---- */

/* Words that may not stand first or last in a phrase. */
typedef enum ss_describe_stop_kind {
    SS_DESCRIBE_STOP_ENGLISH, /* the list of this program; as AUTO where the texts are not
                                 English */
    SS_DESCRIBE_STOP_AUTO,    /* the words that most texts hold */
    SS_DESCRIBE_STOP_NONE,
    SS_DESCRIBE_STOP_LIST
} ss_describe_stop_kind;
struct ss_describe_stop_words {
    ss_describe_stop_kind kind;
    const struct ss_text *words; /* [n_words] of a list */
    size_t n_words;
};

struct ss_describe_contrast_options {
    struct ss_describe_embedder embedder;
    struct ss_describe_stop_words stop_words;
    size_t n_block; /* features that are worked on at a time, 1 … 24; 0: 24. Fewer take less
                       memory, and the answer is the same */
    struct ss_progress_callback stop;
    const char *step, *unit; /* what progress is told as; NULL: "labels", "feature" */
};

/* Up to a few phrases for every feature, the most telling first, made from the describe half:
 * what its texts say more often than others, chosen by how well the phrase's embedding tells
 * them apart. The weight of a term is its z score.
 *
 * out      gives (ss_describe_terms_release)
 * Errors   as above
 * Source   tests/unit/test_describe_contrast.c */
SS_MUST_USE ss_status ss_describe_contrast(const struct ss_describe_view *view,
                                           const struct ss_describe_contrast_options *options,
                                           struct ss_describe_terms *out, ss_err *err);

/* The best n_most terms of each feature as one text, ", " between: labels [n_features], of
 * which each lives in `arena`. */
SS_MUST_USE ss_status ss_describe_join(const struct ss_describe_terms *terms, size_t n_most,
                                       struct ss__arena *arena, struct ss_text *labels,
                                       ss_err *err);

#endif
