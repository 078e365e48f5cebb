#include "run/graph_gather.h"

#include "base/mem.h"
#include "run/centroids_file.h"
#include "run/folder.h"
#include "run/results.h"
#include "sae/sae.h"

/* Enough for 65,536 features in 2,000 dimensions. */
#define MOST_CENTROID_BYTES (UINT64_C(1) << 30)

ss_status ss_run_graph_start(struct ss_run_graph_gathered *gathered,
                             const struct ss_analyze_options *options,
                             const struct ss_run_pass *pass, ss_err *err)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    *gathered = (struct ss_run_graph_gathered){.has_centroids = false};
    if (options->out_dir == NULL || options->evidence == SS_EVIDENCE_NONE) {
        return SS_OK;
    }
    ss_sae_describe(pass->sae, &sae);
    const uint64_t bytes = ss_stats_centroids_bytes(sae.n_features, sae.width);
    gathered->has_centroids = bytes <= MOST_CENTROID_BYTES;
    if (!gathered->has_centroids) {
        ss__log(&pass->log, SS_LEVEL_NOTICE,
                "no centroids: those of %zu features in %zu dimensions take %.1f GB, more than "
                "1.1 GB, so that there will be no map of this run",
                sae.n_features, sae.width, (double)bytes / 1e9);
        return SS_OK;
    }
    return ss_stats_centroids_init(&gathered->centroids, sae.n_features, sae.width, err);
}

ss_status ss_run_graph_take(struct ss_run_graph_gathered *gathered,
                            const struct ss_run_pass_rows *rows, ss_err *err)
{
    (void)err;
    if (gathered->has_centroids) {
        ss_stats_centroids_add(&gathered->centroids, rows->rows, rows->embeddings);
    }
    return SS_OK;
}

void ss_run_graph_abort(struct ss_run_graph_gathered *gathered)
{
    ss_stats_centroids_release(&gathered->centroids);
    *gathered = (struct ss_run_graph_gathered){.has_centroids = false};
}

ss_status ss_run_graph_write(const struct ss_run_graph_gathered *gathered,
                             const struct ss_run_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    if (gathered->has_centroids) {
        path = ss_run_folder_file(folder, SS_RUN_FILE_CENTROIDS);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(ss_run_centroids_write(&gathered->centroids, path, err));
    }
out:
    ss__free(path);
    return status;
}
