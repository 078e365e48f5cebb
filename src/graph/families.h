/* Families: groups of features with a parent that is more general than the others, from counts
 * of pairs. By parents, the rule of this program; and by the rules of two projects before it,
 * whose orders and ties are kept, so that their families come out equal. */
#ifndef SS_GRAPH_FAMILIES_H
#define SS_GRAPH_FAMILIES_H

#include "base/error.h"
#include "graph/pairs.h"

struct ss__pool;

/* ---- pairs that are no accident ---- */

struct ss_graph_significant_pair {
    uint64_t index; /* in the table */
    uint32_t a, b;
    double log_p, log_q;
};

/* Pairs whose q-value is at most that which was asked for, by rising index. A zeroed struct is
 * valid to release. */
struct ss_graph_significant {
    struct ss_graph_significant_pair *pairs;
    size_t n;
    size_t n_alive;  /* features that fire */
    double n_tests;  /* pairs of these: those that never fire together, too */
    double log_last; /* the largest log_p among them; -HUGE_VAL: there are none */
};

/* Test every pair that fires together more often than by chance; q-values are over all pairs of
 * features that fire. Errors: SS_E_STOPPED, SS_E_NOMEM. Threads: those of the pool. */
SS_MUST_USE ss_status ss_graph_find_significant(const struct ss_graph_table *table,
                                                ss_graph_row_set rows, double largest_q,
                                                struct ss__pool *pool,
                                                struct ss_graph_significant *out, ss_err *err);
void ss_graph_significant_release(struct ss_graph_significant *significant);

/* ---- families ---- */

typedef enum ss_graph_rule {
    SS_GRAPH_PARENTS,       /* one parent a feature: the best of the more general ones */
    SS_GRAPH_SEED_GRAPH,    /* the Python workflow's: a spanning tree over all features */
    SS_GRAPH_SEED_KEYWORDS, /* its other builder: over features with good keywords */
    SS_GRAPH_SAERCH,        /* that of the paper arXiv 2408.00657 */
    SS_GRAPH_N_RULES
} ss_graph_rule;
const char *ss_graph_rule_name(ss_graph_rule rule); /* "parents", "seed", … */

/* By what the parent of a feature is chosen among those that may be it. */
typedef enum ss_graph_score {
    SS_GRAPH_COSINE, /* cosine of activations, times ln lift */
    SS_GRAPH_PHI,
    SS_GRAPH_NPMI,
    SS_GRAPH_CONDITIONAL, /* low end of the Wilson interval of P(parent given child) */
    SS_GRAPH_N_SCORES
} ss_graph_score;
const char *ss_graph_score_name(ss_graph_score score);

struct ss_graph_family_options {
    ss_graph_rule rule;
    ss_graph_row_set rows;
    ss_graph_score score; /* of parents, as the next four */
    double largest_q, least_lift;
    uint64_t least_count;
    double most_parent_rate;      /* no parent fires in a larger share of the rows; 1: any */
    double tau;                   /* of the others: smallest conditional of an edge */
    const double *keyword_scores; /* [F] of SS_GRAPH_SEED_KEYWORDS */
    struct ss__pool *pool;
};
/* The values that each rule has in its own project. */
void ss_graph_family_defaults(ss_graph_rule rule, struct ss_graph_family_options *options);

/* Members are members[first] … members[first + n - 1], the root first; by parents the others
 * rise, by other rules they stand as those give them. */
struct ss_graph_family {
    uint32_t root;
    uint32_t round; /* in which it was found, from 0; by parents how deep its root lies */
    size_t first, n;
    /* Means of counts, as the Python workflow has them: of root and others, of pairs of others,
     * of all pairs inside, of those between inside and outside; the ratio of the last two. */
    double parent_children, children, in_block, off_block, block_ratio;
};

struct ss_graph_parent {
    uint32_t child, parent;
    uint64_t index; /* of their pair in the table */
    double score, log_q;
};

/* Families by falling size, then root; by parents the whole trees first, then by depth. A zeroed
 * struct is valid to release. */
struct ss_graph_families {
    struct ss_graph_family *families;
    size_t n, families_capacity;
    uint32_t *members;
    size_t n_members, members_capacity;
    struct ss_graph_parent *parents; /* [n_parents] by child; by other rules none */
    size_t n_parents;
    size_t n_dead, n_rare,
        n_without;   /* by parents: features that never fire, fire in fewer rows
                                         than are needed, have no parent and no child */
    size_t n_before; /* by other rules: families before near doubles went */
};

/* Make families. Errors: SS_E_STOPPED, SS_E_LIMIT (more members than 2^31), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_graph_make_families(const struct ss_graph_table *table,
                                             const struct ss_graph_family_options *options,
                                             struct ss_graph_families *out, ss_err *err);
void ss_graph_families_release(struct ss_graph_families *families);

#endif
