/* Which pairs fire together more often than chance has it: a one-sided test of each pair that
 * occurs, and the q-values of Benjamini and Hochberg over all pairs of features that fire,
 * those that never fire together among them (they count as tests with p = 1, without being
 * walked over).
 *
 * A q is never smaller than its p, so a p above the limit is dropped at once, and what is
 * kept is a small part of the pairs. Blocks of features are tested by threads, and what they
 * kept is joined in the order of the blocks. */
#include <math.h>
#include <stdlib.h>

#include "base/pool.h"
#include "base/sort.h"
#include "base/stop.h"
#include "graph/families.h"
#include "graph/significance.h"

#include "base/mem.h"

enum { BLOCK_PAIRS = 1 << 14 };

/* Features whose pairs one task tests. */
struct block {
    size_t first, end;
    struct ss_graph_significant_pair *found;
    size_t n, capacity;
    bool failed;
};

struct testing {
    const struct ss_graph_table *table;
    ss_graph_row_set rows;
    double log_largest; /* p above it cannot have a q below */
    struct block *blocks;
    size_t n_blocks;
};

static void keep(struct block *block, struct ss_graph_significant_pair pair)
{
    void *grown = block->found;
    if (!ss__grow(&grown, &block->capacity, block->n + 1, sizeof *block->found)) {
        block->failed = true;
        return;
    }
    block->found = grown;
    block->found[block->n++] = pair;
}

static void test_block(void *context, size_t index, size_t worker)
{
    const struct testing *testing = context;
    const struct ss_graph_table *table = testing->table;
    struct block *block = &testing->blocks[index];
    const uint64_t n_rows = ss_graph_n_rows(table, testing->rows);
    (void)worker;
    for (size_t a = block->first; a < block->end; a++) {
        const uint64_t n_a = ss_graph_fires(table, testing->rows, a);
        for (uint64_t i = table->offsets[a]; i < table->offsets[a + 1] && !block->failed; i++) {
            const size_t b = table->others[i];
            const uint64_t n_b = ss_graph_fires(table, testing->rows, b);
            const uint64_t n_both = ss_graph_count(table, testing->rows, i);
            if ((double)n_both * (double)n_rows <= (double)n_a * (double)n_b) {
                continue; /* no more often than chance has it */
            }
            const double log_p = ss_graph_log_tail(n_rows, n_a, n_b, n_both);
            if (log_p <= testing->log_largest) {
                keep(block,
                     (struct ss_graph_significant_pair){i, (uint32_t)a, (uint32_t)b, log_p, 0});
            }
        }
    }
}

static ss_status make_blocks(struct testing *testing, ss_err *err)
{
    const struct ss_graph_table *table = testing->table;
    const size_t n_most = (size_t)(table->offsets[table->n_features] / BLOCK_PAIRS) + 1;
    size_t begin = 0;
    SS_ALLOC_OR_RETURN(testing->blocks, n_most);
    for (size_t f = 0; f < table->n_features; f++) {
        const bool is_full = table->offsets[f + 1] - table->offsets[begin] >= BLOCK_PAIRS;
        if (is_full || f + 1 == table->n_features) {
            testing->blocks[testing->n_blocks++] = (struct block){.first = begin, .end = f + 1};
            begin = f + 1;
        }
    }
    return SS_OK;
}

static ss_status join_blocks(const struct testing *testing, struct ss_graph_significant *out,
                             ss_err *err)
{
    for (size_t i = 0; i < testing->n_blocks; i++) {
        if (testing->blocks[i].failed) {
            return ss__fail_nomem(err, "pairs");
        }
        out->n += testing->blocks[i].n;
    }
    SS_ALLOC_OR_RETURN(out->pairs, out->n);
    size_t n = 0;
    for (size_t i = 0; i < testing->n_blocks; i++) {
        for (size_t j = 0; j < testing->blocks[i].n; j++) {
            out->pairs[n++] = testing->blocks[i].found[j];
        }
    }
    return SS_OK;
}

static int by_p(const void *a, const void *b)
{
    const struct ss_graph_significant_pair *x = a, *y = b;
    return x->log_p != y->log_p ? (x->log_p > y->log_p) - (x->log_p < y->log_p)
                                : (x->index > y->index) - (x->index < y->index);
}

static int by_index(const void *a, const void *b)
{
    const struct ss_graph_significant_pair *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

/* q-values, and only those pairs that have a small one. */
static ss_status cut(struct ss_graph_significant *found, double log_largest, ss_err *err)
{
    double *values = NULL;
    size_t n_kept = 0;
    SS_ALLOC_OR_RETURN(values, found->n);
    ss__sort(found->pairs, found->n, sizeof *found->pairs, by_p);
    for (size_t i = 0; i < found->n; i++) {
        values[i] = found->pairs[i].log_p;
    }
    ss_graph_log_q(values, found->n, found->n_tests, values);
    while (n_kept < found->n && values[n_kept] <= log_largest) {
        found->pairs[n_kept].log_q = values[n_kept];
        n_kept++;
    }
    ss__free(values);
    found->n = n_kept;
    found->log_last = n_kept == 0 ? -HUGE_VAL : found->pairs[n_kept - 1].log_p;
    ss__sort(found->pairs, found->n, sizeof *found->pairs, by_index);
    return SS_OK;
}

ss_status ss_graph_find_significant(const struct ss_graph_table *table, ss_graph_row_set rows,
                                    double largest_q, struct ss__pool *pool,
                                    struct ss_graph_significant *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct testing testing = {.table = table, .rows = rows, .log_largest = log(largest_q)};
    *out = (struct ss_graph_significant){.pairs = NULL};
    for (size_t f = 0; f < table->n_features; f++) {
        out->n_alive += ss_graph_fires(table, rows, f) > 0;
    }
    out->n_tests = (double)out->n_alive * ((double)out->n_alive - 1) / 2;
    SS_TRY(make_blocks(&testing, err));
    ss__pool_run(pool, testing.n_blocks, test_block, &testing);
    SS_TRY(ss__pool_check(pool, err));
    SS_TRY(join_blocks(&testing, out, err));
    SS_TRY(cut(out, testing.log_largest, err));
out:
    for (size_t i = 0; i < testing.n_blocks; i++) {
        ss__free(testing.blocks[i].found);
    }
    ss__free(testing.blocks);
    return status;
}

void ss_graph_significant_release(struct ss_graph_significant *significant)
{
    ss__free(significant->pairs);
    *significant = (struct ss_graph_significant){.pairs = NULL};
}
