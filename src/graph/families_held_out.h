/* Whether families hold where they were not found: parents are chosen on the describe half of
 * the rows alone, and looked at on the score half. */
#ifndef SS_GRAPH_FAMILIES_HELD_OUT_H
#define SS_GRAPH_FAMILIES_HELD_OUT_H

#include "graph/families.h"

/* Pairs of a parent and a child, both within a family, on the score half. Numbers without a
 * value (no pairs, or features that do not fire there) are NaN. */
struct ss_graph_held_out {
    size_t n;          /* pairs */
    uint64_t n_both;   /* rows of the score half in which both of a pair fire, summed */
    double n_expected; /* the same by chance */
    double lift, lift_low, lift_high; /* n_both / n_expected, with a 95 % interval (Byar) */
    size_t n_meant;                   /* pairs whose meaning has a value */
    double meaning, meaning_low, meaning_high; /* their mean, with its 95 % interval (normal;
                                                  two or more); NaN: none, or not asked */
    double meaning_sum, meaning_sum2;
};

/* What a parent and a child share on the score half besides firing together; NaN: no value. */
struct ss_graph_meaning {
    double (*of)(const void *context, uint32_t parent, uint32_t child);
    const void *context;
};

struct ss_graph_held_out_all {
    struct ss_graph_held_out sum;       /* of all pairs that were found on the describe half */
    double median_lift;                 /* of the pairs, each alone */
    double conditional;                 /* mean P(parent given child) */
    struct ss_graph_held_out *families; /* [families->n] */
};

/* Options are those of `families`, which were made by parents on all rows; `meaning` is
 * nullable. Gives out->families (ss__free). Errors: SS_E_STOPPED, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_graph_hold_out(const struct ss_graph_table *table,
                                        const struct ss_graph_family_options *options,
                                        const struct ss_graph_families *families,
                                        const struct ss_graph_meaning *meaning,
                                        struct ss_graph_held_out_all *out, ss_err *err);

#endif
