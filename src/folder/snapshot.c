/* Snapshots of a pass: written by the pass, read by the viewer (the form is in the header).
 *
 * Writing one costs time of the pass, and with many features that is not little: the next one
 * is due a hundred times what the last took, so that looking at a run slows it by a hundredth
 * at most. */
#include "folder/snapshot.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"
#include "base/stop.h"

enum { SCHEMA = 1 };
static const double first_seconds = 1, least_seconds = 5, times_own_cost = 100;

/* ---- writing ---- */

static void put_names(struct ss__json_writer *writer,
                      const struct ss_folder_snapshot_names *names, size_t n_features)
{
    ss__put_open(writer, "dataset", '{');
    ss__put_text(writer, "name", names->dataset);
    ss__put_close(writer, '}');
    ss__put_open(writer, "model", '{');
    ss__put_text(writer, "name", names->model);
    ss__put_close(writer, '}');
    ss__put_open(writer, "sae", '{');
    ss__put_text(writer, "kind", names->sae_kind);
    ss__put_count(writer, "n_features", n_features);
    ss__put_close(writer, '}');
}

static void put_features(struct ss__json_writer *writer, const struct ss_stats_fires *fires)
{
    ss__put_open(writer, "features", '{');
    ss__put_open(writer, "n_fires", '[');
    for (size_t f = 0; f < fires->n_features; f++) {
        ss__put_count(writer, NULL, fires->counts[f]);
    }
    ss__put_close(writer, ']');
    ss__put_open(writer, "max_activation", '[');
    for (size_t f = 0; f < fires->n_features; f++) {
        ss__put_number(writer, NULL, fires->counts[f] == 0 ? 0 : (double)fires->maxima[f]);
    }
    ss__put_close(writer, ']');
    ss__put_open(writer, "mean_activation", '[');
    for (size_t f = 0; f < fires->n_features; f++) {
        ss__put_number(writer, NULL, ss_stats_fires_mean(fires, f));
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
}

static void write_snapshot(const struct ss_folder *folder, struct ss__json_writer *writer)
{
    char *path = ss_folder_file(folder, SS_FOLDER_FILE_SNAPSHOT);
    if (path != NULL && !writer->buf.failed) {
        const ss_status status =
            ss__file_write(path, writer->buf.data, writer->buf.n_bytes, NULL);
        (void)status; /* best effort */
    }
    ss__free(path);
}

bool ss_folder_snapshots_due(struct ss_folder_snapshots *snapshots)
{
    const double now = ss__seconds_now();
    if (snapshots->due == 0) {
        snapshots->started = now;
        snapshots->due = now + first_seconds;
    }
    return now >= snapshots->due;
}

void ss_folder_snapshots_take(struct ss_folder_snapshots *snapshots,
                              const struct ss_folder *folder,
                              const struct ss_folder_snapshot_names *names,
                              const struct ss_stats_fires *fires,
                              const struct ss_folder_snapshot_counts *counts)
{
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    const double now = ss__seconds_now();
    if (folder->staging == NULL) {
        return;
    }
    ss__put_open(&writer, NULL, '{');
    ss__put_count(&writer, "schema", SCHEMA);
    put_names(&writer, names, fires->n_features);
    ss__put_open(&writer, "rows", '{');
    ss__put_count(&writer, "read", counts->n_read);
    ss__put_count(&writer, "used", counts->n_used);
    ss__put_count(&writer, "total", counts->n_total);
    ss__put_close(&writer, '}');
    ss__put_number(&writer, "seconds", now - snapshots->started);
    put_features(&writer, fires);
    ss__put_close(&writer, '}');
    write_snapshot(folder, &writer);
    ss__buf_release(&writer.buf);
    const double end = ss__seconds_now();
    snapshots->due = end + fmax(least_seconds, times_own_cost * (end - now));
}

/* ---- reading ---- */

static bool read_whole(const struct ss__json *value, uint64_t most, uint64_t *out)
{
    const int64_t integer = ss__json_integer(value);
    *out = (uint64_t)integer;
    return ss__json_is_integer(value) && integer >= 0 && *out <= most;
}

static bool read_size(const struct ss__json *value, double *out)
{
    *out = ss__json_real(value);
    return ss__json_is_number(value) && isfinite(*out) && *out >= 0 && *out <= 3e38;
}

static bool read_feature(const struct ss__json *lists[3], size_t f, uint64_t n_used,
                         struct ss_feature *feature)
{
    double most = 0, mean = 0, low = 0, high = 0;
    uint64_t n_fires = 0;
    if (!read_whole(ss__json_at(lists[0], f), n_used, &n_fires) ||
        !read_size(ss__json_at(lists[1], f), &most) ||
        !read_size(ss__json_at(lists[2], f), &mean)) {
        return false;
    }
    ss_stats_wilson(n_fires, n_used, &low, &high);
    *feature = (struct ss_feature){
        .struct_size = sizeof *feature,
        .n_fires = n_fires,
        .rate_pct = n_used == 0 ? 0 : (float)(100.0 * (double)n_fires / (double)n_used),
        .rate_low_pct = 100 * low,
        .rate_high_pct = 100 * high,
        .max_activation = (float)most,
        .mean_activation = mean,
        .dead = n_fires == 0,
    };
    return true;
}

static ss_status read_features(struct ss_run *run, const struct ss__json *features,
                               const char *path, ss_err *err)
{
    static const char *const names[] = {"n_fires", "max_activation", "mean_activation"};
    const struct ss__json *lists[3] = {NULL};
    bool is_whole = run->info.n_features > 0;
    for (size_t i = 0; i < 3; i++) {
        lists[i] = ss__json_get(features, names[i]);
        is_whole = is_whole && ss__json_is_array(lists[i]) &&
                   ss__json_count(lists[i]) == run->info.n_features;
    }
    if (!is_whole) {
        return ss__fail_file(err, path, SS_E_DATA, "it has not the numbers of %zu features",
                             run->info.n_features);
    }
    SS_ALLOC_OR_RETURN(run->features, run->info.n_features);
    SS_ALLOC_OR_RETURN(run->top_offsets, run->info.n_features + 1);
    for (size_t f = 0; f < run->info.n_features; f++) {
        if (!read_feature(lists, f, run->info.n_rows_used, &run->features[f])) {
            return ss__fail_file(err, path, SS_E_DATA, "its numbers of feature %zu are wrong",
                                 f);
        }
    }
    return ss_folder_run_summarise(run, err);
}

static const char *copy_name(struct ss_run *run, const struct ss__json *root, const char *part)
{
    const char *name = ss__json_string(ss__json_get(ss__json_get(root, part), "name"));
    return ss_folder_run_strdup(run, name == NULL ? "" : name);
}

static ss_status read_info(struct ss_run *run, const struct ss__json *root, const char *path,
                           ss_err *err)
{
    const struct ss__json *rows = ss__json_get(root, "rows");
    uint64_t n_features = 0;
    struct ss_run_info *info = &run->info;
    *info = (struct ss_run_info){.struct_size = sizeof *info};
    if (!read_whole(ss__json_get(rows, "read"), INT64_MAX, &info->n_rows_read) ||
        !read_whole(ss__json_get(rows, "used"), info->n_rows_read, &info->n_rows_used) ||
        !read_size(ss__json_get(root, "seconds"), &info->seconds) ||
        !read_whole(ss__json_get(ss__json_get(root, "sae"), "n_features"), UINT32_MAX,
                    &n_features)) {
        return ss__fail_file(err, path, SS_E_DATA, "its counts are wrong");
    }
    info->n_features = (size_t)n_features;
    info->dataset_name = copy_name(run, root, "dataset");
    info->model_name = copy_name(run, root, "model");
    info->title = info->dataset_name;
    info->sae_path = ss_folder_run_strdup(run, "");
    return info->dataset_name == NULL || info->model_name == NULL || info->sae_path == NULL
               ? ss__fail_nomem(err, "names")
               : SS_OK;
}

ss_status ss_folder_snapshot_read(const char *path, struct ss_run **out,
                                  struct ss__json **document, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run *run = NULL;
    struct ss__json *root = NULL;
    *out = NULL;
    *document = NULL;
    SS_TRY(ss__json_load(path, &root, err));
    SS_ALLOC(run, 1);
    SS_TRY(read_info(run, root, path, err));
    SS_TRY(read_features(run, ss__json_get(root, "features"), path, err));
    *out = run;
    *document = root;
    run = NULL;
    root = NULL;
out:
    ss_run_free(run);
    ss__json_free(root);
    return status;
}
