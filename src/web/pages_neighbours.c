/* Nearest decoder directions, from neighbours.arrow, where `families` made it:
 *
 *   neighbour_offsets (u4) [n_features + 1]; of each neighbour, the nearest first, then the most opposite ones:
 *   neighbour_ids, neighbour_rows (u4), neighbour_cosine, neighbour_phi (f4)
 *   neighbour_kind (u1): the letter that its kind begins with (d duplicate, s split, o opposite), 0: none
 *   neighbour_chance (f8) [1]: what the nearest of as many random directions seldom exceeds */
#include "base/file.h"
#include "base/mem.h"
#include "folder/families_file.h"
#include "run/directions.h"
#include "web/pages_priv.h"

struct neighbours {
    const char *path;
    size_t n_features, n, n_with; /* n_with: features that have any */
    uint32_t last;
    uint32_t *offsets, *ids, *rows;
    float *cosines, *phis;
    char *kinds;
};

static ss_status take_rows(struct neighbours *all, const struct ss_arrow_table_values *values,
                           size_t n, ss_err *err)
{
    const uint32_t *features = values[SS_FOLDER_NEIGHBOUR_FEATURE].data;
    const uint32_t *ids = values[SS_FOLDER_NEIGHBOUR_NEIGHBOUR].data;
    const int32_t *kinds = values[SS_FOLDER_NEIGHBOUR_KIND].offsets;
    for (size_t i = 0; i < n; i++) {
        if (features[i] >= all->n_features || ids[i] >= all->n_features ||
            features[i] < all->last) {
            return ss__fail_file(
                err, all->path, SS_E_DATA,
                "a neighbour is of no feature of the run, or not in its order");
        }
        all->last = features[i];
        all->n_with += all->offsets[features[i] + 1]++ == 0;
        all->ids[all->n] = ids[i];
        all->rows[all->n] = ((const uint32_t *)values[SS_FOLDER_NEIGHBOUR_ROWS].data)[i];
        all->cosines[all->n] =
            (float)((const double *)values[SS_FOLDER_NEIGHBOUR_COSINE].data)[i];
        all->phis[all->n] = (float)((const double *)values[SS_FOLDER_NEIGHBOUR_PHI].data)[i];
        all->kinds[all->n++] =
            kinds[i + 1] > kinds[i]
                ? ((const char *)values[SS_FOLDER_NEIGHBOUR_KIND].data)[kinds[i]]
                : '\0';
    }
    return SS_OK;
}

static ss_status allocate(struct neighbours *all, uint64_t n_rows, ss_err *err)
{
    const size_t n = (size_t)n_rows;
    SS_ALLOC_OR_RETURN(all->offsets, all->n_features + 1);
    SS_ALLOC_OR_RETURN(all->ids, n);
    SS_ALLOC_OR_RETURN(all->rows, n);
    SS_ALLOC_OR_RETURN(all->cosines, n);
    SS_ALLOC_OR_RETURN(all->phis, n);
    SS_ALLOC_OR_RETURN(all->kinds, n);
    return SS_OK;
}

static ss_status read_neighbours(struct neighbours *all, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_arrow_table *table = NULL;
    struct ss_arrow_table_values values[SS_FOLDER_N_NEIGHBOUR_COLUMNS];
    size_t n = 0;
    SS_TRY(ss_arrow_table_open(all->path, ss_folder_neighbour_columns,
                               SS_FOLDER_N_NEIGHBOUR_COLUMNS, &table, err));
    SS_TRY(allocate(all, ss_arrow_table_n_rows(table), err));
    do {
        SS_TRY(ss_arrow_table_next(table, values, &n, err));
        SS_TRY(take_rows(all, values, n, err));
    } while (n > 0);
    for (size_t f = 0; f < all->n_features; f++) {
        all->offsets[f + 1] += all->offsets[f];
    }
out:
    ss_arrow_table_close(table);
    return status;
}

static ss_status put_arrays(const struct neighbours *all, double chance, struct ss_web_zip *zip,
                            ss_err *err)
{
    const struct {
        const char *name, *type;
        const void *data;
        size_t n;
    } arrays[] = {
        {"neighbour_offsets", "<u4", all->offsets, all->n_features + 1},
        {"neighbour_ids", "<u4", all->ids, all->n},
        {"neighbour_rows", "<u4", all->rows, all->n},
        {"neighbour_cosine", "<f4", all->cosines, all->n},
        {"neighbour_phi", "<f4", all->phis, all->n},
        {"neighbour_kind", "|u1", all->kinds, all->n},
        {"neighbour_chance", "<f8", &chance, 1},
    };
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        SS_RETURN_IF_ERROR(ss_web_zip_add_array(zip, arrays[i].name, arrays[i].type,
                                                arrays[i].data, arrays[i].n, err));
    }
    return SS_OK;
}

ss_status ss_web_neighbours_put(const struct ss_web_source *source, struct ss_web_zip *zip,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct neighbours all = {.n_features = source->run->info.n_features};
    if (ss__path_look_in(source->folder, SS_FOLDER_FILE_NEIGHBOURS) == SS__PATH_NONE) {
        return SS_OK;
    }
    char *path = ss__path_join(source->folder, SS_FOLDER_FILE_NEIGHBOURS);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    all.path = path;
    SS_TRY(read_neighbours(&all, err));
    const int64_t width =
        ss__json_integer(ss__json_get(ss__json_get(source->manifest, "sae"), "width"));
    SS_TRY(put_arrays(
        &all,
        ss_run_neighbours_chance(all.n_with - (all.n_with > 0), width > 0 ? (size_t)width : 1),
        zip, err));
out:
    ss__free(all.offsets);
    ss__free(all.ids);
    ss__free(all.rows);
    ss__free(all.cosines);
    ss__free(all.phis);
    ss__free(all.kinds);
    ss__free(path);
    return status;
}
