/* Labels under way: shared by contrast.c, which goes through the features, contrast_grow.c,
 * which chooses phrases, and contrast_measure.c, which says what they are worth. */
#ifndef SS_DESCRIBE_CONTRAST_H
#define SS_DESCRIBE_CONTRAST_H

#include "describe/candidates.h"
#include "describe/probe.h"
#include "tensor/tensor.h"

enum {
    SS_DESCRIBE_BLOCK = 24,      /* features that are worked on at a time */
    SS_DESCRIBE_PHRASES = 5,     /* of a label, at most */
    SS_DESCRIBE_FEW_PHRASES = 2, /* of a label from fewer texts than the next */
    SS_DESCRIBE_FEW_TEXTS = 5,
    SS_DESCRIBE_TRIED = 8 /* joint texts that are embedded for the next phrase */
};

/* A phrase that the label may grow by. */
struct ss_describe_tried {
    uint32_t candidate;
    double worth;
};

/* The label of one feature. */
struct ss_describe_labelling {
    size_t feature;
    struct ss_describe_sets sets;
    struct ss_describe_candidate *candidates; /* [SS_DESCRIBE_MAX_CANDIDATES] */
    size_t n_candidates;
    float *probe;        /* [pool] what a linear probe says of its texts; sum 0, length 1 */
    float *similarities; /* [n_candidates, describe] */
    size_t similarities_room;
    float *joint;        /* [describe + pool] similarities of the label so far, */
    float *vector;       /* [width] its direction behind the mean, */
    double joint_length; /* what is left of its length there, */
    size_t n_bytes;      /* and of its text */
    uint32_t chosen[SS_DESCRIBE_PHRASES]; /* of the candidates */
    size_t n_chosen;
    double best; /* worth of the label, without the part of z */
    bool is_done;
    struct ss_describe_tried tried[SS_DESCRIBE_TRIED]; /* best first */
    size_t n_tried;
    size_t first_trial, n_trials;
    ss_status status;
    ss_err err;
};

/* A text whose worth is wanted: a row of the block's vectors, for one feature. */
struct ss_describe_trial {
    struct ss_describe_labelling *labelling;
    uint32_t candidate; /* that it adds */
    uint32_t row;
    double worth; /* without the part of z */
};

struct ss_describe_contrasting {
    const struct ss_describe_view *view;
    const struct ss_describe_contrast_options *options;
    struct ss_describe_corpus corpus;
    struct ss_describe_phrases phrases;
    uint32_t *pool_counts;                /* [phrases] */
    float *coherence;                     /* [phrases] */
    struct ss_describe_strings strings;   /* phrases, with the lengths of their vectors */
    struct ss_describe_probe probe;       /* without a matrix where vectors are too wide */
    struct ss_tensor_matrix pool;         /* [describe pool, width] centred */
    struct ss_describe_counter *counters; /* [threads] */
    float **rooms;                        /* [threads] for similarities */
    double **solving;                     /* [threads, 2, width] */
    size_t n_threads;
    struct ss_describe_labelling *block; /* [SS_DESCRIBE_BLOCK] */
    size_t n_block;
    struct ss_describe_trial *trials;
    size_t n_trials, trials_room;
    float *vectors; /* [rows, width] centred, of length 1 */
    size_t n_rows, vectors_room;
    float *lengths; /* [rows] what was left of them behind the mean */
    size_t lengths_room;
    float *products; /* [rows, describe pool] of joint texts */
    size_t products_room;
    bool keeps;                /* trials are the candidates themselves: similarities are kept */
    float *candidate_products; /* the same of candidates, which stay while those are tried */
    size_t candidate_products_room;
    float *steps; /* [SS_DESCRIBE_PHRASES - 1, describe half] similarities: contrast_joint.c */
    uint32_t *row_of; /* [strings] row of a string in the block + 1 */
    size_t row_of_room;
};

/* ---- contrast_measure.c ---- */

/* What a linear probe of the feature says of the pool's texts. */
void ss_describe_learn(const struct ss_describe_contrasting *work,
                       struct ss_describe_labelling *labelling, size_t worker);
/* The part of z in a worth. */
double ss_describe_worth_of_z(double z, size_t n_phrases);
/* What similarities are worth: of the describing texts, sorted, and of the pool by row.
 * most_idle: texts of the pool that areas are measured on. */
double ss_describe_worth_of(const struct ss_describe_labelling *labelling,
                            const float *positives, const float *pool, size_t n_pool,
                            size_t most_idle);
/* Similarities of a row of the block with the describing texts. */
void ss_describe_compare(const struct ss_describe_contrasting *work,
                         const struct ss_describe_labelling *labelling, size_t row, float *out);

void ss_describe_begin_trials(struct ss_describe_contrasting *work);
SS_MUST_USE ss_status ss_describe_add_trial(struct ss_describe_contrasting *work,
                                            struct ss_describe_labelling *labelling,
                                            uint32_t candidate, uint32_t row, ss_err *err);
/* Put a text's vector into the block as its next row, which has room: from x, which may lie
 * there. */
void ss_describe_place(struct ss_describe_contrasting *work, const float *x, size_t row);
/* Products of the block's vectors with the pool, then the worth of all trials. */
SS_MUST_USE ss_status ss_describe_measure(struct ss_describe_contrasting *work, ss_err *err);

/* ---- contrast_joint.c ---- */

/* Find the steps that joining makes from the sum of the parts. */
SS_MUST_USE ss_status ss_describe_learn_joining(struct ss_describe_contrasting *work,
                                                ss_err *err);
/* What n_parts phrases of n_bytes weigh beside one of n_bytes_more. */
double ss_describe_weight_of_parts(size_t n_parts, size_t n_bytes, size_t n_bytes_more);

/* ---- contrast_grow.c ---- */

/* The candidate that is worth most begins the label. */
void ss_describe_begin_label(const struct ss_describe_contrasting *work,
                             struct ss_describe_labelling *labelling);
/* One more phrase for the labels of the block that gain by it. */
SS_MUST_USE ss_status ss_describe_grow_labels(struct ss_describe_contrasting *work,
                                              ss_err *err);

#endif
