/* Another run that this one is compared with, as ss_diff_run does:
 *
 *   compare.json: its title, rows, features, whether its SAE is the same, and how many features
 *                 have no partner
 *   compare_a, compare_b (u4): numbers of a feature in this run and in the other, the surest
 *                 difference first
 *   compare_similarity, compare_effect, compare_odds, compare_z (f4), compare_fires_b,
 *   compare_difference, compare_low, compare_high, compare_p, compare_q (f8): columns of
 *                 `diff --print-csv`
 *   compare_labels: UTF-8, a line a feature of the other run, where it has labels and another SAE */
#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "folder/descriptions.h"
#include "folder/manifest_read.h"
#include "web/pages_priv.h"

ss_status ss_web_source_compare(struct ss_web_source *source, const char *folder, ss_err *err)
{
    const struct ss_diff_options options = {.struct_size = sizeof options,
                                            .progress = source->asking == NULL
                                                            ? (struct ss_progress_callback){0}
                                                            : source->asking->stop};
    struct ss_diff_info info = {.struct_size = sizeof info};
    if (folder == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(
        ss_folder_run_open_checked(folder, false, source->asking, &source->other, err));
    SS_RETURN_IF_ERROR(ss_diff_run(source->folder, folder, &options, &source->diff, err));
    ss_diff_describe(source->diff, &info);
    return !info.is_same_sae &&
                   ss__path_look_in(folder, SS_FOLDER_FILE_DESCRIPTIONS) != SS__PATH_NONE
               ? ss_descriptions_open(folder, &source->other_descriptions, err)
               : SS_OK;
}

/* ---- arrays ---- */

enum { SIMILARITY, EFFECT, ODDS, Z, N_FLOATS };
enum { FIRES, DIFFERENCE, LOW, HIGH, P, Q, N_DOUBLES };
static const char *const float_names[N_FLOATS] = {"compare_similarity", "compare_effect",
                                                  "compare_odds", "compare_z"};
static const char *const double_names[N_DOUBLES] = {"compare_fires_b", "compare_difference",
                                                    "compare_low",     "compare_high",
                                                    "compare_p",       "compare_q"};

struct columns {
    uint32_t *a, *b;
    float *floats[N_FLOATS];
    double *doubles[N_DOUBLES];
};

static ss_status allocate(struct columns *columns, size_t n, ss_err *err)
{
    SS_ALLOC_OR_RETURN(columns->a, n);
    SS_ALLOC_OR_RETURN(columns->b, n);
    for (size_t k = 0; k < N_FLOATS; k++) {
        SS_ALLOC_OR_RETURN(columns->floats[k], n);
    }
    for (size_t k = 0; k < N_DOUBLES; k++) {
        SS_ALLOC_OR_RETURN(columns->doubles[k], n);
    }
    return SS_OK;
}

static void release(struct columns *columns)
{
    ss__free(columns->a);
    ss__free(columns->b);
    for (size_t k = 0; k < N_FLOATS; k++) {
        ss__free(columns->floats[k]);
    }
    for (size_t k = 0; k < N_DOUBLES; k++) {
        ss__free(columns->doubles[k]);
    }
}

static void take(struct columns *columns, const ss_diff *diff, size_t i)
{
    struct ss_difference item = {.struct_size = sizeof item};
    (void)ss_diff_get(diff, i, &item);
    columns->a[i] = (uint32_t)item.feature_a;
    columns->b[i] = (uint32_t)item.feature_b;
    const double floats[N_FLOATS] = {item.similarity, item.effect, item.odds_ratio, item.z};
    const double doubles[N_DOUBLES] = {(double)item.n_fires_b,
                                       item.difference_pct,
                                       item.low_pct,
                                       item.high_pct,
                                       item.p,
                                       item.q};
    for (size_t k = 0; k < N_FLOATS; k++) {
        columns->floats[k][i] = (float)floats[k];
    }
    for (size_t k = 0; k < N_DOUBLES; k++) {
        columns->doubles[k][i] = doubles[k];
    }
}

static ss_status put_columns(const ss_diff *diff, size_t n, struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    struct columns columns = {0};
    SS_TRY(allocate(&columns, n, err));
    for (size_t i = 0; i < n; i++) {
        take(&columns, diff, i);
    }
    SS_TRY(ss_web_zip_add_array(zip, "compare_a", "<u4", columns.a, n, err));
    SS_TRY(ss_web_zip_add_array(zip, "compare_b", "<u4", columns.b, n, err));
    for (size_t k = 0; k < N_FLOATS; k++) {
        SS_TRY(ss_web_zip_add_array(zip, float_names[k], "<f4", columns.floats[k], n, err));
    }
    for (size_t k = 0; k < N_DOUBLES; k++) {
        SS_TRY(ss_web_zip_add_array(zip, double_names[k], "<f8", columns.doubles[k], n, err));
    }
out:
    release(&columns);
    return status;
}

static ss_status put_labels(const struct ss_web_source *source, struct ss_web_zip *zip,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf lines = {0};
    for (size_t f = 0; f < ss_descriptions_n_features(source->other_descriptions); f++) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(source->other_descriptions, f, &description);
        ss_web_add_line(&lines, description.label);
    }
    SS_TRY(ss__buf_check(&lines, err));
    SS_TRY(ss_web_zip_add_array(zip, "compare_labels", "|u1", lines.data, lines.n_bytes, err));
out:
    ss__buf_release(&lines);
    return status;
}

static ss_status put_facts(const struct ss_web_source *source, const struct ss_diff_info *info,
                           struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    const struct ss_run_info *other = &source->other->info;
    ss__put_open(&writer, NULL, '{');
    ss__put_text(&writer, "title", other->dataset_name);
    ss__put_count(&writer, "rows_used", other->n_rows_used);
    ss__put_count(&writer, "n_features", other->n_features);
    ss__put_bool(&writer, "is_same_sae", info->is_same_sae);
    ss__put_count(&writer, "n_unmatched_a", info->n_unmatched_a);
    ss__put_count(&writer, "n_unmatched_b", info->n_unmatched_b);
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss_web_zip_add(zip, "compare.json", writer.buf.data, writer.buf.n_bytes, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}

ss_status ss_web_compare_put(const struct ss_web_source *source, struct ss_web_zip *zip,
                             ss_err *err)
{
    struct ss_diff_info info = {.struct_size = sizeof info};
    if (source->diff == NULL) {
        return SS_OK;
    }
    ss_diff_describe(source->diff, &info);
    SS_RETURN_IF_ERROR(put_facts(source, &info, zip, err));
    SS_RETURN_IF_ERROR(put_columns(source->diff, info.n, zip, err));
    return source->other_descriptions == NULL ? SS_OK : put_labels(source, zip, err);
}
