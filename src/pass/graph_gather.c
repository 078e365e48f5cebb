/* A thin layer between the pass and the reducers of stats: it decides what is gathered, they
 * add it up. */
#include "pass/graph_gather.h"

#include "base/mem.h"
#include "folder/centroids_file.h"
#include "folder/coactivation_file.h"
#include "folder/folder.h"
#include "folder/results.h"
#include "sae/sae.h"

/* Enough for 65,536 features in 2,000 dimensions. */
#define MOST_CENTROID_BYTES (UINT64_C(1) << 30)

#define DEFAULT_PAIR_BYTES UINT64_C(512000000)

static ss_status start_centroids(struct ss_pass_graph_gathered *gathered,
                                 const struct ss_pass *pass, const struct ss_sae_info *sae,
                                 ss_err *err)
{
    const uint64_t bytes = ss_stats_centroids_bytes(sae->n_features, sae->width);
    gathered->has_centroids = bytes <= MOST_CENTROID_BYTES;
    if (!gathered->has_centroids) {
        ss__log(&pass->log, SS_LEVEL_NOTICE,
                "no centroids: those of %zu features in %zu dimensions take %.1f GB, more than "
                "1.1 GB, so that there will be no map of this run",
                sae->n_features, sae->width, (double)bytes / 1e9);
        return SS_OK;
    }
    return ss_stats_centroids_init(&gathered->centroids, sae->n_features, sae->width, err);
}

static ss_status start_pairs(struct ss_pass_graph_gathered *gathered,
                             const struct ss_analyze_options *options,
                             const struct ss_pass *pass, const struct ss_sae_info *sae,
                             ss_err *err)
{
    const uint64_t budget =
        options->pairs_bytes > 0 ? options->pairs_bytes : DEFAULT_PAIR_BYTES;
    const uint64_t bytes = ss_stats_pairs_triangle_bytes(sae->n_features);
    gathered->seed = options->sample_seed;
    gathered->has_texts = pass->encoder != NULL || pass->dataset != NULL;
    if (bytes > budget) {
        ss__log(&pass->log, SS_LEVEL_NOTICE,
                "pairs of %zu features take up to %.1f MB in memory, more than the %.1f MB of "
                "`pairs_bytes`: they are counted in sorted runs in temporary files, about 10 "
                "bytes for each pair that fires together, twice",
                sae->n_features, (double)bytes / 1e6, (double)budget / 1e6);
    }
    return ss_stats_pairs_new(sae->n_features, budget, &gathered->pairs, err);
}

ss_status ss_pass_graph_start(struct ss_pass_graph_gathered *gathered,
                              const struct ss_analyze_options *options,
                              const struct ss_pass *pass, ss_err *err)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    *gathered = (struct ss_pass_graph_gathered){.has_centroids = false};
    if (options->out_dir == NULL) {
        return SS_OK;
    }
    ss_sae_describe(pass->sae, &sae);
    if (options->evidence != SS_EVIDENCE_NONE) {
        SS_RETURN_IF_ERROR(start_centroids(gathered, pass, &sae, err));
    }
    return options->no_pairs ? SS_OK : start_pairs(gathered, options, pass, &sae, err);
}

static ss_status take_pairs(struct ss_pass_graph_gathered *gathered,
                            const struct ss_pass_rows *rows, ss_err *err)
{
    const struct ss_pass_batch *batch = rows->batch;
    static const struct ss_text none = {"", 0};
    SS_GROW_OR_RETURN(gathered->halves, gathered->halves_capacity, batch->n_rows);
    for (size_t r = 0; r < batch->n_rows; r++) {
        const struct ss_text text = gathered->has_texts ? batch->texts[r] : none;
        gathered->halves[r] = (uint8_t)ss_stats_key_half(
            ss_stats_key_of(gathered->seed, text, batch->row_ids[r]));
    }
    return ss_stats_pairs_add(gathered->pairs, rows->rows, gathered->halves, err);
}

ss_status ss_pass_graph_take(struct ss_pass_graph_gathered *gathered,
                             const struct ss_pass_rows *rows, ss_err *err)
{
    if (gathered->has_centroids) {
        ss_stats_centroids_add(&gathered->centroids, rows->rows, rows->embeddings);
    }
    return gathered->pairs == NULL || rows->batch->n_rows == 0
               ? SS_OK
               : take_pairs(gathered, rows, err);
}

ss_status ss_pass_graph_finish(struct ss_pass_graph_gathered *gathered, ss_err *err)
{
    return gathered->pairs == NULL ? SS_OK : ss_stats_pairs_finish(gathered->pairs, err);
}

void ss_pass_graph_abort(struct ss_pass_graph_gathered *gathered)
{
    ss_stats_centroids_release(&gathered->centroids);
    ss_stats_pairs_free(gathered->pairs);
    ss__free(gathered->halves);
    *gathered = (struct ss_pass_graph_gathered){.has_centroids = false};
}

/* ---- files ---- */

static ss_status write_centroids(const struct ss_pass_graph_gathered *gathered,
                                 const char *path, ss_err *err)
{
    return gathered->has_centroids ? ss_folder_centroids_write(&gathered->centroids, path, err)
                                   : SS_OK;
}

static ss_status write_pairs(const struct ss_pass_graph_gathered *gathered, const char *path,
                             ss_err *err)
{
    return gathered->pairs == NULL ? SS_OK
                                   : ss_folder_coactivation_write(gathered->pairs, path, err);
}

static const struct {
    const char *name;
    ss_status (*write)(const struct ss_pass_graph_gathered *gathered, const char *path,
                       ss_err *err);
} outputs[] = {{SS_FOLDER_FILE_CENTROIDS, write_centroids},
               {SS_FOLDER_FILE_COACTIVATION, write_pairs}};

ss_status ss_pass_graph_write(const struct ss_pass_graph_gathered *gathered,
                              const struct ss_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        path = ss_folder_file(folder, outputs[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(outputs[i].write(gathered, path, err));
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    return status;
}
