/* Rules of families by name, their defaults, and what is measured of every family whichever
 * rule found it.
 *
 * A rule gives families and parents, and no more; sizes, rounds, ratios of blocks are
 * measured here by one code, so that rules can be compared. Families by parents are ordered
 * by depth, size and root: whole trees first. The rules of other projects keep the order of
 * their code (docs/families.md). */
#include "graph/families.h"

#include <stdlib.h>

#include "base/sort.h"
#include "base/stop.h"
#include "graph/families_priv.h"

static const char *const rule_names[SS_GRAPH_N_RULES] = {"parents", "seed", "seed-keywords",
                                                         "saerch"};
static const char *const score_names[SS_GRAPH_N_SCORES] = {"cosine", "phi", "npmi",
                                                           "conditional"};

const char *ss_graph_rule_name(ss_graph_rule rule)
{
    return rule_names[rule];
}

const char *ss_graph_score_name(ss_graph_score score)
{
    return score_names[score];
}

void ss_graph_family_defaults(ss_graph_rule rule, struct ss_graph_family_options *options)
{
    *options = (struct ss_graph_family_options){
        .rule = rule,
        .rows = SS_GRAPH_ALL,
        .score = SS_GRAPH_COSINE,
        .largest_q = 0.01,
        .least_lift = 2,
        .least_count = 5,
        .most_parent_rate = rule == SS_GRAPH_SAERCH ? 0.2 : 1,
        .tau = 0.1,
    };
}

/* ---- figures ---- */

/* Sums of counts inside a family, each pair once. */
struct inside {
    uint64_t all, of_root, partners;
};

static struct inside sum_inside(const struct ss_graph_table *table, ss_graph_row_set rows,
                                const struct ss_graph_families *families,
                                const struct ss_graph_family *family, const size_t *family_of)
{
    const uint32_t *members = families->members + family->first;
    const size_t own = family_of[family->root];
    struct inside sums = {0, 0, 0};
    for (size_t i = 0; i < family->n; i++) {
        const size_t a = members[i];
        sums.partners += table->features[a].partners;
        for (uint64_t at = table->offsets[a]; at < table->offsets[a + 1]; at++) {
            const size_t b = table->others[at];
            if (family_of[b] == own) {
                const uint64_t n_both = ss_graph_count(table, rows, at);
                sums.all += n_both;
                sums.of_root += a == family->root || b == family->root ? n_both : 0;
            }
        }
    }
    return sums;
}

/* Means over ordered pairs, as the Python workflow has them, all features outside, also those
 * that never fire. */
static void set_figures(const struct ss_graph_table *table, struct ss_graph_family *family,
                        struct inside sums)
{
    const double n = (double)family->n, n_out = (double)table->n_features - n;
    const double n_children = n - 1;
    const double out = (double)(sums.partners - 2 * sums.all); /* of all rows */
    family->parent_children = n_children > 0 ? (double)sums.of_root / n_children : 0;
    family->children =
        n_children > 1 ? (double)(sums.all - sums.of_root) / (n_children * (n_children - 1) / 2)
                       : 0;
    family->in_block = n_children > 0 ? 2 * (double)sums.all / (n * n_children) : 0;
    family->off_block = n_out > 0 ? out / (n * n_out) : 0;
    family->block_ratio = family->in_block / (family->off_block + 1e-6);
}

static ss_status measure(const struct ss_graph_table *table,
                         const struct ss_graph_family_options *options,
                         struct ss_graph_families *families, ss_err *err)
{
    size_t *family_of = NULL; /* the last family that a feature was a member of, + 1 */
    SS_ALLOC_OR_RETURN(family_of, table->n_features);
    for (size_t i = 0; i < families->n; i++) {
        struct ss_graph_family *family = &families->families[i];
        for (size_t j = 0; j < family->n; j++) {
            family_of[families->members[family->first + j]] = i + 1;
        }
        set_figures(table, family,
                    sum_inside(table, options->rows, families, family, family_of));
    }
    ss__free(family_of);
    return SS_OK;
}

/* ---- the whole ---- */

static ss_status (*const makers[SS_GRAPH_N_RULES])(
    const struct ss_graph_table *table, const struct ss_graph_family_options *options,
    struct ss_graph_families *out, ss_err *err) = {
    ss_graph_by_parents, ss_graph_by_seed_graph, ss_graph_by_seed_keywords, ss_graph_by_saerch};

static int by_size(const void *a, const void *b)
{
    const struct ss_graph_family *x = a, *y = b;
    return x->round != y->round ? (x->round > y->round) - (x->round < y->round)
           : x->n != y->n       ? (x->n < y->n) - (x->n > y->n)
                                : (x->root > y->root) - (x->root < y->root);
}

ss_status ss_graph_make_families(const struct ss_graph_table *table,
                                 const struct ss_graph_family_options *options,
                                 struct ss_graph_families *out, ss_err *err)
{
    *out = (struct ss_graph_families){.n = 0};
    SS_RETURN_IF_ERROR(makers[options->rule](table, options, out, err));
    SS_RETURN_IF_ERROR(measure(table, options, out, err));
    if (options->rule == SS_GRAPH_PARENTS) {
        ss__sort(out->families, out->n, sizeof *out->families, by_size);
    }
    return SS_OK;
}

void ss_graph_families_release(struct ss_graph_families *families)
{
    ss__free(families->families);
    ss__free(families->members);
    ss__free(families->parents);
    *families = (struct ss_graph_families){.n = 0};
}
