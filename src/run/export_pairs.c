/* Features whose activations go together, for the dashboards of other programs: of each the few
 * with the largest correlation, as SAEDashboard lists them. From the counts of pairs; features
 * that never fire together are no pair. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "folder/coactivation_file.h"
#include "graph/pairs.h"
#include "run/export.h"

/* Larger first; of equal ones the feature with the lower number. */
static bool is_before(const struct ss_run_export_partner *a,
                      const struct ss_run_export_partner *b)
{
    return a->pearson != b->pearson ? a->pearson > b->pearson : a->feature < b->feature;
}

static void offer(struct ss_run_export_partners *partners, struct ss_run_export_partner new)
{
    size_t at = partners->n;
    while (at > 0 && is_before(&new, &partners->best[at - 1])) {
        at--;
    }
    if (at == SS_RUN_EXPORT_PARTNERS) {
        return;
    }
    partners->n += partners->n < SS_RUN_EXPORT_PARTNERS;
    for (size_t i = partners->n - 1; i > at; i--) {
        partners->best[i] = partners->best[i - 1];
    }
    partners->best[at] = new;
}

static double sum_of(const ss_run *run, size_t feature)
{
    const struct ss_feature *facts = &run->features[feature];
    return (double)facts->mean_activation * (double)facts->n_fires;
}

ss_status ss_run_export_partners_find(const char *run_dir, const ss_run *run,
                                      struct ss_run_export_partners **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_folder_coactivation coactivation = {0};
    const size_t n = run->info.n_features;
    *out = NULL;
    if (ss__path_look_in(run_dir, SS_FOLDER_FILE_COACTIVATION) == SS__PATH_NONE) {
        return SS_OK;
    }
    SS_TRY(ss_folder_coactivation_open(run_dir, n, &coactivation, err));
    SS_ALLOC(*out, n);
    const struct ss_graph_table *table = &coactivation.table;
    for (size_t a = 0; a < n; a++) {
        for (uint64_t i = table->offsets[a]; i < table->offsets[a + 1]; i++) {
            const uint32_t b = table->others[i];
            const double sums[2] = {sum_of(run, a), sum_of(run, b)};
            const double pearson = ss_graph_correlation(table, SS_GRAPH_ALL, a, b, i, sums);
            const double cosine = ss_graph_cosine(table, SS_GRAPH_ALL, a, b, i);
            offer(&(*out)[a], (struct ss_run_export_partner){b, pearson, cosine});
            offer(&(*out)[b], (struct ss_run_export_partner){(uint32_t)a, pearson, cosine});
        }
    }
out:
    ss_folder_coactivation_release(&coactivation);
    return status;
}

void ss_run_export_put_partners(struct ss__json_writer *writer,
                                const struct ss_run_export_partners *partners)
{
    static const struct ss_run_export_partners none = {0};
    const struct ss_run_export_partners *own = partners == NULL ? &none : partners;
    double pearson[SS_RUN_EXPORT_PARTNERS], cosine[SS_RUN_EXPORT_PARTNERS];
    ss__put_open(writer, "correlated_features_indices", '[');
    for (size_t i = 0; i < own->n; i++) {
        ss__put_count(writer, NULL, own->best[i].feature);
        pearson[i] = own->best[i].pearson;
        cosine[i] = own->best[i].cosine;
    }
    ss__put_close(writer, ']');
    ss_run_export_put_numbers(writer, "correlated_features_pearson", pearson, own->n);
    ss_run_export_put_numbers(writer, "correlated_features_l1", cosine, own->n);
}
