/* Reading a run folder back. Its files are not trusted: every number is checked against the
 * others before memory is asked for. */
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/stop.h"
#include "folder/manifest_read.h"

enum { MAX_TOP_K = 1 << 20 };

static ss_status need_object(const char *file, const struct ss__json *parent, const char *key,
                             const struct ss__json **object, ss_err *err)
{
    *object = ss__json_get(parent, key);
    if (!ss__json_is_object(*object)) {
        return ss__fail_file(err, file, SS_E_DATA, "key '%s' is not an object", key);
    }
    return SS_OK;
}

static ss_status need_count(const char *file, const struct ss__json *object, const char *key,
                            uint64_t *count, ss_err *err)
{
    size_t value = 0;
    SS_RETURN_IF_ERROR(ss__json_need(file, object, key, err));
    SS_RETURN_IF_ERROR(ss__json_size(file, object, key, &value, err));
    *count = value;
    return SS_OK;
}

static ss_status need_text(struct ss_run *run, const char *file, const struct ss__json *object,
                           const char *key, const char **text, ss_err *err)
{
    const char *found = NULL;
    SS_RETURN_IF_ERROR(ss__json_need(file, object, key, err));
    SS_RETURN_IF_ERROR(ss__json_text(file, object, key, &found, err));
    *text = ss_folder_run_strdup(run, found);
    if (*text == NULL) {
        return ss__fail_nomem(err, "a name");
    }
    return SS_OK;
}

static ss_status read_names(struct ss_run *run, const char *file, const struct ss__json *root,
                            ss_err *err)
{
    const struct ss__json *object = NULL;
    uint64_t n = 0;
    SS_RETURN_IF_ERROR(need_object(file, root, "model", &object, err));
    SS_RETURN_IF_ERROR(need_text(run, file, object, "name", &run->info.model_name, err));
    SS_RETURN_IF_ERROR(need_object(file, root, "sae", &object, err));
    SS_RETURN_IF_ERROR(need_text(run, file, object, "path", &run->info.sae_path, err));
    const char *source = ss__json_string(ss__json_get(object, "source"));
    if (source != NULL && source[0] != '\0') {
        SS_RETURN_IF_ERROR(need_text(run, file, object, "source", &run->sae_source, err));
    }
    SS_RETURN_IF_ERROR(need_count(file, object, "n_features", &n, err));
    run->info.n_features = (size_t)n;
    SS_RETURN_IF_ERROR(need_object(file, root, "dataset", &object, err));
    SS_RETURN_IF_ERROR(need_text(run, file, object, "name", &run->info.dataset_name, err));
    SS_RETURN_IF_ERROR(need_object(file, root, "settings", &object, err));
    SS_RETURN_IF_ERROR(need_text(run, file, object, "title", &run->info.title, err));
    SS_RETURN_IF_ERROR(need_count(file, object, "top_k", &n, err));
    if (n == 0 || n > MAX_TOP_K) {
        return ss__fail_file(err, file, SS_E_DATA, "key 'top_k' is not between 1 and %d",
                             MAX_TOP_K);
    }
    run->info.top_k = (size_t)n;
    return SS_OK;
}

/* Rows that were passed over; older runs, and those of all rows, do not have them. */
static ss_status read_passed_rows(const char *file, const struct ss__json *rows, uint64_t *n,
                                  ss_err *err)
{
    const struct ss__json *passed = ss__json_get(rows, "passed_over");
    size_t n_unmatched = 0, n_unsampled = 0;
    SS_RETURN_IF_ERROR(ss__json_size(file, passed, "where", &n_unmatched, err));
    SS_RETURN_IF_ERROR(ss__json_size(file, passed, "sample", &n_unsampled, err));
    return ss__add_u64(n_unmatched, n_unsampled, n)
               ? SS_OK
               : ss__fail_file(err, file, SS_E_DATA, "too many rows were passed over");
}

static ss_status read_counts(struct ss_run *run, const char *file, const struct ss__json *root,
                             ss_err *err)
{
    const struct ss__json *object = NULL, *timings = NULL;
    struct ss_run_info *info = &run->info;
    size_t n_reembedded = 0, n_bad = 0;
    SS_RETURN_IF_ERROR(need_object(file, root, "rows", &object, err));
    SS_RETURN_IF_ERROR(need_count(file, object, "read", &info->n_rows_read, err));
    SS_RETURN_IF_ERROR(need_count(file, object, "used", &info->n_rows_used, err));
    SS_RETURN_IF_ERROR(need_count(file, object, "repaired", &info->n_rows_repaired, err));
    SS_RETURN_IF_ERROR(need_object(file, object, "skipped", &object, err));
    SS_RETURN_IF_ERROR(
        need_count(file, object, "null", &info->n_rows_skipped[SS_ROW_NULL], err));
    SS_RETURN_IF_ERROR(
        need_count(file, object, "empty", &info->n_rows_skipped[SS_ROW_EMPTY], err));
    SS_RETURN_IF_ERROR(
        need_count(file, object, "blank", &info->n_rows_skipped[SS_ROW_BLANK], err));
    SS_RETURN_IF_ERROR(ss__json_size(file, object, "bad", &n_bad, err)); /* 0 in older runs */
    info->n_rows_skipped[SS_ROW_BAD] = n_bad;
    SS_RETURN_IF_ERROR(
        read_passed_rows(file, ss__json_get(root, "rows"), &info->n_rows_passed, err));
    SS_RETURN_IF_ERROR(need_count(file, root, "tokens", &info->n_tokens, err));
    SS_RETURN_IF_ERROR(
        ss__json_size(file, root, "n_reembedded", &n_reembedded, err)); /* 0 in older runs */
    info->n_rows_reembedded = n_reembedded;
    SS_RETURN_IF_ERROR(need_object(file, root, "timings", &timings, err));
    SS_RETURN_IF_ERROR(ss__json_number(file, timings, "seconds", &info->seconds, err));
    if (info->n_rows_reembedded > info->n_rows_used) {
        return ss__fail_file(err, file, SS_E_DATA,
                             "more rows were embedded again than were used");
    }
    uint64_t n_accounted = info->n_rows_used;
    bool fits = ss__add_u64(n_accounted, info->n_rows_passed, &n_accounted);
    for (size_t i = 0; i < SS_N_ROW_KINDS; i++) {
        fits = fits && ss__add_u64(n_accounted, info->n_rows_skipped[i], &n_accounted);
    }
    if (!fits || n_accounted != info->n_rows_read || info->n_rows_used == 0) {
        return ss__fail_file(err, file, SS_E_DATA,
                             "rows read are not rows used plus rows skipped and passed over");
    }
    return SS_OK;
}

ss_status ss_folder_manifest_read(struct ss_run *run, const char *folder, bool check,
                                  struct ss__asking *asking, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    uint64_t schema = 0;
    char *path = ss__path_join(folder, SS_FOLDER_FILE_MANIFEST);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (ss__path_stat(path) == SS__PATH_NONE && ss__path_stat(folder) == SS__PATH_FOLDER) {
        SS_FAIL_FILE(folder, SS_E_DATA, "not a complete run: there is no %s",
                     SS_FOLDER_FILE_MANIFEST);
    }
    SS_TRY(ss__json_load(path, &root, err));
    SS_TRY(need_count(path, root, "schema", &schema, err));
    if (schema != SS_FOLDER_MANIFEST_SCHEMA) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED, "schema %zu; this version reads schema %d",
                     (size_t)schema, SS_FOLDER_MANIFEST_SCHEMA);
    }
    SS_TRY(read_names(run, path, root, err));
    SS_TRY(read_counts(run, path, root, err));
    if (check) {
        SS_TRY(ss_folder_manifest_check(path, folder, root, asking, err));
    }
out:
    ss__json_free(root);
    ss__free(path);
    return status;
}

/* Call a reader of one file of the folder. */
static ss_status read_part(struct ss_run *run, const char *folder, const char *name,
                           ss_status (*read)(struct ss_run *, const char *, ss_err *),
                           ss_err *err)
{
    char *path = ss__path_join(folder, name);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    const ss_status status =
        ss__path_stat(path) == SS__PATH_NONE
            ? ss__fail_file(err, path, SS_E_DATA, "missing: this is not a complete run")
            : read(run, path, err);
    ss__free(path);
    return status;
}

static bool has_part(const char *folder, const char *name)
{
    return ss__path_look_in(folder, name) != SS__PATH_NONE;
}

static ss_status check_rates(struct ss_run *run, const char *path, ss_err *err)
{
    return ss_folder_rates_check(run, path, err);
}

static ss_status skip_tops(struct ss_run *run, const char *path, ss_err *err)
{
    (void)path;
    SS_ALLOC_OR_RETURN(run->top_offsets, run->info.n_features + 1);
    return SS_OK;
}

static ss_status read_tops(struct ss_run *run, const char *dir, ss_err *err)
{
    SS_RETURN_IF_ERROR(read_part(run, dir, SS_FOLDER_FILE_TOP, ss_folder_top_json_read, err));
    return has_part(dir, SS_FOLDER_FILE_TEXTS)
               ? read_part(run, dir, SS_FOLDER_FILE_TEXTS, ss_folder_top_texts_read, err)
               : SS_OK;
}

/* What of a run is read. */
struct opening {
    bool checks;   /* hashes */
    bool has_tops; /* top texts too */
    struct ss__asking *asking;
};

static ss_status open_run(const char *dir, const struct opening *opening, ss_run **out,
                          ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run *run = NULL;
    *out = NULL;
    const ss__path_kind kind = ss__path_stat(dir);
    if (kind == SS__PATH_NONE) {
        SS_FAIL_FILE(dir, SS_E_NOINPUT, "there is no such folder");
    }
    if (kind != SS__PATH_FOLDER && kind != SS__PATH_BROKEN) {
        SS_FAIL_FILE(dir, SS_E_DATA, "this is a file, not the folder of an analysis's results");
    }
    SS_ALLOC(run, 1);
    run->asking = opening->asking;
    SS_TRY(ss__check_stop(opening->asking, err));
    SS_TRY(ss_folder_manifest_read(run, dir, opening->checks, opening->asking, err));
    SS_TRY(read_part(run, dir, SS_FOLDER_FILE_FEATURES, ss_folder_features_csv_read, err));
    SS_TRY(read_part(run, dir, SS_FOLDER_FILE_RATES, check_rates, err));
    SS_TRY(opening->has_tops ? read_tops(run, dir, err)
                             : read_part(run, dir, SS_FOLDER_FILE_TOP, skip_tops, err));
    SS_TRY(ss_folder_run_summarise(run, err));
    run->asking = NULL;
    *out = run;
    run = NULL;
out:
    ss_run_free(run);
    return status;
}

ss_status ss_folder_run_open_checked(const char *dir, bool check, struct ss__asking *asking,
                                     ss_run **out, ss_err *err)
{
    return open_run(dir, &(struct opening){check, true, asking}, out, err);
}

ss_status ss_folder_run_open_features(const char *dir, ss_run **out, ss_err *err)
{
    struct ss__asking asking = {{0}, 0};
    return open_run(dir, &(struct opening){false, false, &asking}, out, err);
}

ss_status ss_run_open(const char *dir, const struct ss_run_options *options, ss_run **out,
                      ss_err *err)
{
    struct ss_run_options read = {.struct_size = sizeof read};
    struct ss__asking asking = {{0}, 0};
    *out = NULL;
    SS_RETURN_IF_ERROR(SS_READ_OPTIONS(&read, options, ss_run_options, err));
    asking.stop = read.progress;
    return ss_folder_run_open_checked(dir, false, &asking, out, err);
}
