/* A thin layer over the reducers: each of their verbs (start, take a batch, merge, finish) is
 * done to all of them, in one order.
 *
 * Rows are known to them by file and place in it, packed into 64 bits (SS_PASS_ROW_BITS), and
 * never by a number over the whole dataset: a part of a run does not know how many rows come
 * before its own. That number is made when files are written (finish.c). This is what lets
 * parts be merged into the bytes of one run, in any order. */
#include "pass/gather.h"

#include "base/mem.h"

ss_status ss_pass_gather_start(struct ss_pass_gathered *gathered,
                               const struct ss_analyze_options *options,
                               const struct ss_pass *pass, size_t top_k, ss_err *err)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    ss_sae_describe(pass->sae, &sae);
    SS_RETURN_IF_ERROR(ss_stats_fires_init(&gathered->fires, sae.n_features, err));
    SS_RETURN_IF_ERROR(
        ss_stats_top_new(sae.n_features, top_k, options->keep_duplicates, &gathered->top, err));
    SS_RETURN_IF_ERROR(ss_pass_evidence_start(&gathered->evidence, options, pass, top_k, err));
    return ss_pass_graph_start(&gathered->graph, options, pass, err);
}

static struct ss_stats_position number(const struct ss_pass_numbering *by,
                                       struct ss_stats_position at)
{
    if (by != NULL) {
        at.file = by->file_of != NULL ? by->file_of[at.file] : at.file + by->first_file;
        at.row = by->row_of != NULL ? by->row_of[at.row] : at.row + by->first_row;
    }
    return at;
}

/* The number of each row of a batch. */
static ss_status find_places(struct ss_pass_gathered *gathered,
                             const struct ss_pass_batch *batch, ss_err *err)
{
    SS_GROW_OR_RETURN(gathered->places, gathered->places_capacity, batch->n_rows);
    SS_GROW_OR_RETURN(gathered->positions, gathered->positions_capacity, batch->n_rows);
    for (size_t i = 0; i < batch->n_rows; i++) {
        struct ss_stats_position *at = &gathered->positions[i];
        *at = number(gathered->numbering, batch->positions[i]);
        if (at->file >= SS_PASS_MAX_FILES || at->row >= SS_PASS_MAX_FILE_ROWS) {
            return ss__fail(err, SS_E_LIMIT,
                            "more than %llu files, or %llu rows in one of them",
                            (unsigned long long)SS_PASS_MAX_FILES,
                            (unsigned long long)SS_PASS_MAX_FILE_ROWS);
        }
        gathered->places[i] = (uint64_t)at->file << SS_PASS_ROW_BITS | at->row;
    }
    return SS_OK;
}

ss_status ss_pass_gather_take(struct ss_pass_gathered *gathered,
                              const struct ss_pass_rows *rows, ss_err *err)
{
    const struct ss_pass_batch *batch = rows->batch;
    SS_RETURN_IF_ERROR(find_places(gathered, batch, err));
    const struct ss_stats_row_texts texts = {
        batch->texts, batch->has_notes ? batch->notes : NULL, gathered->places};
    ss_stats_fires_add(&gathered->fires, rows->rows);
    SS_RETURN_IF_ERROR(ss_stats_top_add(gathered->top, rows->rows, &texts, err));
    SS_RETURN_IF_ERROR(ss_pass_graph_take(&gathered->graph, rows, err));
    return ss_pass_evidence_take(&gathered->evidence, rows, gathered->positions, err);
}

ss_status ss_pass_gather_order(struct ss_pass_gathered *gathered, ss_err *err)
{
    ss_stats_top_finish(gathered->top);
    SS_RETURN_IF_ERROR(ss_pass_graph_finish(&gathered->graph, err));
    return gathered->evidence.kind == SS_EVIDENCE_NONE
               ? SS_OK
               : ss_stats_evidence_finish(gathered->evidence.evidence, err);
}

/* Parts that are of one analysis have gathered the same. */
static ss_status check_same(const struct ss_pass_gathered *a, const struct ss_pass_gathered *b,
                            ss_err *err)
{
    return a->evidence.kind == b->evidence.kind &&
                   a->graph.has_centroids == b->graph.has_centroids &&
                   (a->graph.pairs == NULL) == (b->graph.pairs == NULL)
               ? SS_OK
               : ss__fail(err, SS_E_SHAPE,
                          "parts that gathered different things cannot be merged");
}

ss_status ss_pass_gather_merge(struct ss_pass_gathered *gathered,
                               const struct ss_pass_gathered *other, ss_err *err)
{
    SS_RETURN_IF_ERROR(check_same(gathered, other, err));
    SS_RETURN_IF_ERROR(ss_stats_fires_merge(&gathered->fires, &other->fires, err));
    SS_RETURN_IF_ERROR(ss_stats_top_merge(gathered->top, other->top, err));
    if (gathered->evidence.kind != SS_EVIDENCE_NONE) {
        SS_RETURN_IF_ERROR(ss_stats_magnitudes_merge(&gathered->evidence.magnitudes,
                                                     &other->evidence.magnitudes, err));
        SS_RETURN_IF_ERROR(ss_stats_evidence_merge(gathered->evidence.evidence,
                                                   other->evidence.evidence, err));
    }
    if (gathered->graph.has_centroids) {
        SS_RETURN_IF_ERROR(
            ss_stats_centroids_merge(&gathered->graph.centroids, &other->graph.centroids, err));
    }
    return gathered->graph.pairs == NULL
               ? SS_OK
               : ss_stats_pairs_merge(gathered->graph.pairs, other->graph.pairs, err);
}

void ss_pass_gather_abort(struct ss_pass_gathered *gathered)
{
    ss_stats_fires_release(&gathered->fires);
    ss_stats_top_free(gathered->top);
    ss_pass_evidence_abort(&gathered->evidence);
    ss_pass_graph_abort(&gathered->graph);
    ss__free(gathered->places);
    ss__free(gathered->positions);
    *gathered = (struct ss_pass_gathered){.evidence = {.kind = SS_EVIDENCE_NONE}};
}
