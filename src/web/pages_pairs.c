/* What fires together, from pairs.arrow and families.json, where `families` made them:
 *
 *   pair_offsets (u4) [n_features + 1]; of each pair, by falling phi, the MOST_PARTNERS first of a feature:
 *   pair_partners, pair_rows (u4), pair_phi, pair_lift, pair_jaccard, pair_npmi (f4)
 *   parents (i4): of each feature, -1 for none */
#include "base/file.h"
#include "base/mem.h"
#include "folder/families_file.h"
#include "web/pages_priv.h"

enum { MOST_PARTNERS = 10, N_MEASURES = 4, NO_PARENT = -1 };

static const struct {
    const char *name;
    int column;
} measures[N_MEASURES] = {{"pair_phi", SS_FOLDER_PAIR_PHI},
                          {"pair_lift", SS_FOLDER_PAIR_LIFT},
                          {"pair_jaccard", SS_FOLDER_PAIR_JACCARD},
                          {"pair_npmi", SS_FOLDER_PAIR_NPMI}};

struct pairs {
    const char *path;
    size_t n_features, n;
    uint32_t last;     /* feature of the last row */
    uint32_t *offsets; /* [n_features + 1]: first the number of pairs of each */
    uint32_t *partners, *rows;
    float *values[N_MEASURES];
};

static ss_status take_rows(struct pairs *pairs, const struct ss_arrow_table_values *values,
                           size_t n, ss_err *err)
{
    const uint32_t *features = values[SS_FOLDER_PAIR_FEATURE].data;
    const uint32_t *partners = values[SS_FOLDER_PAIR_PARTNER].data;
    for (size_t i = 0; i < n; i++) {
        if (features[i] >= pairs->n_features || partners[i] >= pairs->n_features ||
            features[i] < pairs->last) {
            return ss__fail_file(err, pairs->path, SS_E_DATA,
                                 "a pair is of no feature of the run, or not in its order");
        }
        pairs->last = features[i];
        if (pairs->offsets[features[i] + 1] == MOST_PARTNERS) {
            continue;
        }
        pairs->offsets[features[i] + 1]++;
        pairs->partners[pairs->n] = partners[i];
        pairs->rows[pairs->n] = ((const uint32_t *)values[SS_FOLDER_PAIR_ROWS].data)[i];
        for (size_t k = 0; k < N_MEASURES; k++) {
            pairs->values[k][pairs->n] =
                (float)((const double *)values[measures[k].column].data)[i];
        }
        pairs->n++;
    }
    return SS_OK;
}

static ss_status allocate(struct pairs *pairs, uint64_t n_rows, ss_err *err)
{
    const uint64_t most = (uint64_t)pairs->n_features * MOST_PARTNERS;
    const size_t n = (size_t)(n_rows < most ? n_rows : most);
    SS_ALLOC_OR_RETURN(pairs->offsets, pairs->n_features + 1);
    SS_ALLOC_OR_RETURN(pairs->partners, n);
    SS_ALLOC_OR_RETURN(pairs->rows, n);
    for (size_t k = 0; k < N_MEASURES; k++) {
        SS_ALLOC_OR_RETURN(pairs->values[k], n);
    }
    return SS_OK;
}

static ss_status read_pairs(struct pairs *pairs, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_arrow_table *table = NULL;
    struct ss_arrow_table_values values[SS_FOLDER_N_PAIR_COLUMNS];
    size_t n = 0;
    SS_TRY(ss_arrow_table_open(pairs->path, ss_folder_pair_columns, SS_FOLDER_N_PAIR_COLUMNS,
                               &table, err));
    SS_TRY(allocate(pairs, ss_arrow_table_n_rows(table), err));
    do {
        SS_TRY(ss_arrow_table_next(table, values, &n, err));
        SS_TRY(take_rows(pairs, values, n, err));
    } while (n > 0);
    for (size_t f = 0; f < pairs->n_features; f++) {
        pairs->offsets[f + 1] += pairs->offsets[f];
    }
out:
    ss_arrow_table_close(table);
    return status;
}

static ss_status put_pairs(const char *path, size_t n_features, struct ss_web_zip *zip,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct pairs pairs = {.path = path, .n_features = n_features};
    SS_TRY(read_pairs(&pairs, err));
    SS_TRY(
        ss_web_zip_add_array(zip, "pair_offsets", "<u4", pairs.offsets, n_features + 1, err));
    SS_TRY(ss_web_zip_add_array(zip, "pair_partners", "<u4", pairs.partners, pairs.n, err));
    SS_TRY(ss_web_zip_add_array(zip, "pair_rows", "<u4", pairs.rows, pairs.n, err));
    for (size_t k = 0; k < N_MEASURES; k++) {
        SS_TRY(
            ss_web_zip_add_array(zip, measures[k].name, "<f4", pairs.values[k], pairs.n, err));
    }
out:
    ss__free(pairs.offsets);
    ss__free(pairs.partners);
    ss__free(pairs.rows);
    for (size_t k = 0; k < N_MEASURES; k++) {
        ss__free(pairs.values[k]);
    }
    return status;
}

static ss_status put_parents(const char *folder, size_t n_features, struct ss_web_zip *zip,
                             ss_err *err)
{
    ss_status status = SS_OK;
    ss_families *families = NULL;
    int32_t *parents = NULL;
    SS_TRY(ss_families_open(folder, &families, err));
    SS_ALLOC(parents, n_features);
    for (size_t f = 0; f < n_features; f++) {
        struct ss_family_parent parent = {.struct_size = sizeof parent};
        const bool has_one = ss_families_parent(families, f, &parent) == SS_OK &&
                             parent.n_rows > 0 && parent.parent < n_features;
        parents[f] = has_one ? (int32_t)parent.parent : NO_PARENT;
    }
    SS_TRY(ss_web_zip_add_array(zip, "parents", "<i4", parents, n_features, err));
out:
    ss__free(parents);
    ss_families_free(families);
    return status;
}

ss_status ss_web_pairs_put(const struct ss_web_source *source, struct ss_web_zip *zip,
                           ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_features = source->run->info.n_features;
    char *path = NULL;
    if (ss__path_look_in(source->folder, SS_FOLDER_FILE_PAIRS) != SS__PATH_NONE) {
        path = ss__path_join(source->folder, SS_FOLDER_FILE_PAIRS);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(put_pairs(path, n_features, zip, err));
    }
    if (ss__path_look_in(source->folder, SS_FOLDER_FILE_FAMILIES) != SS__PATH_NONE) {
        SS_TRY(put_parents(source->folder, n_features, zip, err));
    }
out:
    ss__free(path);
    return status;
}
