/* What families found on one half of the texts are on the other (docs/families.md, "Held
 * out").
 *
 * A rule that looks at thousands of pairs finds some by accident. So it is run again on the
 * rows of the half "describe" alone, and the pairs of parent and child that it finds there
 * are counted on the half "score": rows that fire both against what independence expects,
 * summed over pairs before they are divided, since single expectations are often below one.
 * The interval of a sum is Byar's of a Poisson count. Whether parent and child mean the like
 * is asked of the caller (`meaning`): this room knows no texts. */
#include "graph/families_held_out.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"

#define Z_95 1.959963984540054

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct ss_graph_counts counts_on_score(const struct ss_graph_table *table,
                                              const struct ss_graph_parent *pair)
{
    return (struct ss_graph_counts){ss_graph_n_rows(table, SS_GRAPH_SCORE),
                                    ss_graph_fires(table, SS_GRAPH_SCORE, pair->parent),
                                    ss_graph_fires(table, SS_GRAPH_SCORE, pair->child),
                                    ss_graph_count(table, SS_GRAPH_SCORE, pair->index)};
}

static double expected_of(struct ss_graph_counts counts)
{
    return counts.n_rows == 0 ? 0
                              : (double)counts.n_a * (double)counts.n_b / (double)counts.n_rows;
}

static void add_meaning(struct ss_graph_held_out *sum, const struct ss_graph_meaning *meaning,
                        const struct ss_graph_parent *pair)
{
    const double value =
        meaning == NULL ? NAN : meaning->of(meaning->context, pair->parent, pair->child);
    if (!isnan(value)) {
        sum->n_meant++;
        sum->meaning_sum += value;
        sum->meaning_sum2 += value * value;
    }
}

static void set_meaning(struct ss_graph_held_out *sum)
{
    const double n = (double)sum->n_meant;
    sum->meaning = sum->meaning_low = sum->meaning_high = NAN;
    if (sum->n_meant > 0) {
        sum->meaning = sum->meaning_sum / n;
    }
    if (sum->n_meant > 1) {
        const double variance =
            fmax(0, sum->meaning_sum2 - n * sum->meaning * sum->meaning) / (n - 1);
        const double half = Z_95 * sqrt(variance / n);
        sum->meaning_low = sum->meaning - half;
        sum->meaning_high = sum->meaning + half;
    }
}

static void add_pair(struct ss_graph_held_out *sum, struct ss_graph_counts counts)
{
    sum->n++;
    sum->n_both += counts.n_both;
    sum->n_expected += expected_of(counts);
}

/* Byar's approximation of the exact interval of a Poisson count. */
static void set_lift(struct ss_graph_held_out *sum)
{
    const double n = (double)sum->n_both, e = sum->n_expected;
    sum->lift = sum->lift_low = sum->lift_high = NAN;
    if (e <= 0) {
        return;
    }
    sum->lift = n / e;
    sum->lift_low = n > 0 ? n * pow(1 - 1 / (9 * n) - Z_95 / (3 * sqrt(n)), 3) / e : 0;
    sum->lift_high = (n + 1) * pow(1 - 1 / (9 * (n + 1)) + Z_95 / (3 * sqrt(n + 1)), 3) / e;
}

/* Over all pairs, each alone. */
static ss_status sum_pairs(const struct ss_graph_table *table,
                           const struct ss_graph_families *found,
                           const struct ss_graph_meaning *meaning,
                           struct ss_graph_held_out_all *out, ss_err *err)
{
    double *lifts = NULL, conditional = 0;
    size_t n_lifts = 0, n_children = 0;
    SS_ALLOC_OR_RETURN(lifts, found->n_parents);
    for (size_t i = 0; i < found->n_parents; i++) {
        const struct ss_graph_counts counts = counts_on_score(table, &found->parents[i]);
        add_pair(&out->sum, counts);
        add_meaning(&out->sum, meaning, &found->parents[i]);
        if (counts.n_a > 0 && counts.n_b > 0) {
            lifts[n_lifts++] = ss_graph_lift(counts);
        }
        if (counts.n_b > 0) {
            conditional += (double)counts.n_both / (double)counts.n_b;
            n_children++;
        }
    }
    set_lift(&out->sum);
    set_meaning(&out->sum);
    ss__sort(lifts, n_lifts, sizeof *lifts, compare_numbers);
    out->median_lift = n_lifts == 0 ? NAN : (lifts[(n_lifts - 1) / 2] + lifts[n_lifts / 2]) / 2;
    out->conditional = n_children == 0 ? NAN : conditional / (double)n_children;
    ss__free(lifts);
    return SS_OK;
}

/* The pairs of which both are members. */
static ss_status sum_families(const struct ss_graph_table *table,
                              const struct ss_graph_families *found,
                              const struct ss_graph_families *families,
                              const struct ss_graph_meaning *meaning,
                              struct ss_graph_held_out_all *out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_graph_parent **parent_of = NULL; /* [F] NULL: none */
    size_t *family_of = NULL;
    SS_ALLOC(parent_of, table->n_features);
    SS_ALLOC(family_of, table->n_features);
    SS_ALLOC(out->families, families->n);
    for (size_t i = 0; i < found->n_parents; i++) {
        parent_of[found->parents[i].child] = &found->parents[i];
    }
    for (size_t i = 0; i < families->n; i++) {
        const uint32_t *members = families->members + families->families[i].first;
        for (size_t j = 0; j < families->families[i].n; j++) {
            family_of[members[j]] = i + 1;
        }
        for (size_t j = 0; j < families->families[i].n; j++) {
            const struct ss_graph_parent *pair = parent_of[members[j]];
            if (pair != NULL && family_of[pair->parent] == i + 1) {
                add_pair(&out->families[i], counts_on_score(table, pair));
                add_meaning(&out->families[i], meaning, pair);
            }
        }
        set_lift(&out->families[i]);
        set_meaning(&out->families[i]);
    }
out:
    ss__free(parent_of);
    ss__free(family_of);
    return status;
}

ss_status ss_graph_hold_out(const struct ss_graph_table *table,
                            const struct ss_graph_family_options *options,
                            const struct ss_graph_families *families,
                            const struct ss_graph_meaning *meaning,
                            struct ss_graph_held_out_all *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_graph_families found = {.n = 0};
    struct ss_graph_family_options on_describe = *options;
    *out = (struct ss_graph_held_out_all){.families = NULL};
    on_describe.rows = SS_GRAPH_DESCRIBE;
    SS_TRY(ss_graph_make_families(table, &on_describe, &found, err));
    SS_TRY(sum_pairs(table, &found, meaning, out, err));
    SS_TRY(sum_families(table, &found, families, meaning, out, err));
out:
    ss_graph_families_release(&found);
    if (status != SS_OK) {
        ss__free(out->families);
        *out = (struct ss_graph_held_out_all){.families = NULL};
    }
    return status;
}
