/* Weights files, archives, JSON documents and datasets as facts and a table. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/stop.h"
#include "pass/pipeline.h"
#include "run/inspect.h"
#include "sae/sae.h"
#include "source/source.h"
#include "weights/weights.h"

/* ---- weights ---- */

static void add_tensor(struct ss_report *report, const struct ss_weights_tensor *tensor)
{
    char shape[SS_WEIGHTS_MAX_DIMS * 22 + 4] = "[";
    size_t n = 1;
    for (size_t i = 0; i < tensor->n_dims; i++) {
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%s%" PRIu64, i == 0 ? "" : ", ",
                              tensor->shape[i]);
    }
    shape[n++] = ']';
    ss_run_report_cell(report, tensor->name, strlen(tensor->name));
    ss_run_report_cell(report, tensor->dtype_name, strlen(tensor->dtype_name));
    ss_run_report_cell(report, shape, n);
}

ss_status ss_run_inspect_weights(struct ss_run_inspection *inspection, ss_err *err)
{
    ss_status status = SS_OK;
    static const char *const header[] = {"tensor", "dtype", "shape"};
    static const ss_value_kind kinds[] = {SS_VALUE_TEXT, SS_VALUE_TEXT, SS_VALUE_LIST};
    struct ss_report *report = inspection->report;
    struct ss_weights *weights = NULL;
    uint64_t n_values = 0;
    SS_TRY(ss_weights_open(inspection->path, &inspection->asking, &weights, err));
    if (inspection->options->check) {
        SS_TRY(ss_weights_verify(weights, err));
    }
    for (size_t i = 0; i < ss_weights_n(weights); i++) {
        n_values += ss_weights_at(weights, i)->n_elements;
    }
    ss_run_report_text(report, "format", ss_weights_format(weights));
    ss_run_report_count(report, "tensors", ss_weights_n(weights));
    ss_run_report_count(report, "values", n_values);
    const char *sae = ss_sae_format_of(weights);
    if (sae != NULL) {
        ss_run_report_text(report, "sae format", sae);
    }
    ss_run_report_table(report, 3, header, kinds);
    for (size_t i = 0; i < ss_weights_n(weights); i++) {
        add_tensor(report, ss_weights_at(weights, i));
    }
out:
    ss_weights_close(weights);
    return status;
}

/* ---- archives ---- */

struct listing {
    struct ss_report *report;
    uint64_t n_entries, n_bytes;
    char pickle[160]; /* the first entry that is a pickle */
};

/* A pickle as checkpoints have it: by its name, or protocol 2 or later and a final STOP. */
static bool is_pickle(const struct ss_source_zip_entry *entry)
{
    const size_t n_name = strlen(entry->name);
    return (n_name >= 4 && strcmp(entry->name + n_name - 4, ".pkl") == 0) ||
           (entry->n_bytes >= 4 && entry->data[0] == 0x80 && entry->data[1] >= 2 &&
            entry->data[1] <= 5 && entry->data[entry->n_bytes - 1] == '.');
}

static int list_entry(void *user, const struct ss_source_zip_entry *entry)
{
    struct listing *listing = user;
    char number[24];
    ss_run_report_cell(listing->report, entry->name, strlen(entry->name));
    int n = snprintf(number, sizeof number, "%" PRIu64, entry->n_bytes);
    ss_run_report_cell(listing->report, number, (size_t)n);
    n = snprintf(number, sizeof number, "%08" PRIx32, entry->crc32);
    ss_run_report_cell(listing->report, number, (size_t)n);
    listing->n_entries++;
    listing->n_bytes += entry->n_bytes;
    if (listing->pickle[0] == '\0' && is_pickle(entry)) {
        snprintf(listing->pickle, sizeof listing->pickle, "%s",
                 entry->name[0] == '\0' ? "?" : entry->name);
    }
    return 0;
}

ss_status ss_run_inspect_archive(struct ss_run_inspection *inspection, ss_err *err)
{
    static const char *const header[] = {"entry", "bytes", "crc32"};
    static const ss_value_kind kinds[] = {SS_VALUE_TEXT, SS_VALUE_NUMBER, SS_VALUE_TEXT};
    struct listing listing = {.report = inspection->report};
    ss_run_report_table(inspection->report, 3, header, kinds);
    SS_RETURN_IF_ERROR(
        ss_source_zip_each(inspection->path, list_entry, &listing, &inspection->asking, err));
    if (listing.pickle[0] != '\0') {
        return ss__fail_file(
            err, inspection->path, SS_E_UNSUPPORTED,
            "holds a pickle ('%.100s') but is not a checkpoint; nothing in it was run",
            listing.pickle);
    }
    ss_run_report_count(inspection->report, "entries", listing.n_entries);
    ss_run_report_count(inspection->report, "bytes", listing.n_bytes);
    return SS_OK;
}

/* ---- datasets ---- */

/* The text column that an analysis would use, or why there is none. */
static ss_status add_text_column(struct ss_run_inspection *inspection, ss_err *err)
{
    ss_err reason = {0};
    ss_dataset *dataset = NULL;
    struct ss_dataset_info info = {.struct_size = sizeof info};
    const ss_status status =
        ss_dataset_open(&inspection->path, 1, &inspection->dataset, &dataset, &reason);
    if (status == SS_E_NOMEM || status == SS_E_IO || status == SS_E_STOPPED) {
        return ss__fail(err, status, "%s", reason.message); /* nothing about the dataset */
    }
    if (status != SS_OK) {
        ss_run_report_text(inspection->report, "no text column", reason.message);
        return SS_OK;
    }
    ss_dataset_describe(dataset, &info);
    ss_run_report_text(inspection->report, "text column", info.text_column);
    ss_dataset_close(dataset);
    return SS_OK;
}

static void add_columns(struct ss_report *report, const ss_dataset *dataset)
{
    static const char *const header[] = {"column", "type", "text"};
    static const ss_value_kind kinds[] = {SS_VALUE_TEXT, SS_VALUE_TEXT, SS_VALUE_BOOL};
    const struct ss_format_column *columns = NULL;
    size_t n = 0;
    ss_dataset_columns(dataset, &columns, &n);
    ss_run_report_table(report, 3, header, kinds);
    for (size_t i = 0; i < n; i++) {
        const char *is_text = columns[i].is_text ? "true" : "false";
        ss_run_report_cell(report, columns[i].name, strlen(columns[i].name));
        ss_run_report_cell(report, columns[i].type, strlen(columns[i].type));
        ss_run_report_cell(report, is_text, strlen(is_text));
    }
    struct ss_text name, value;
    for (size_t at = 0; ss_dataset_next_partition(dataset, &at, &name, &value);) {
        ss_run_report_cell(report, name.data, name.n_bytes);
        ss_run_report_cell(report, "partition", strlen("partition"));
        ss_run_report_cell(report, "false", strlen("false"));
    }
}

/* Rows that are read for a check: who waits for the dataset is told of them. */
struct counting {
    struct ss_progress_callback to;
    ss_dataset *dataset; /* NULL before it is open */
    uint64_t n_rows, n_total;
    double start;
};

static int tell_rows(void *user, const struct ss_progress *waiting)
{
    const struct counting *counting = user;
    struct ss_progress progress = *waiting;
    if (counting->to.fn == NULL || counting->dataset == NULL) {
        return counting->to.fn != NULL && counting->to.fn(counting->to.user, waiting) != 0;
    }
    progress.stage = SS_STAGE_ROWS;
    progress.n_rows_done = counting->n_rows;
    progress.n_rows_total = counting->n_total;
    progress.n_bytes_done = ss_dataset_bytes_done(counting->dataset);
    progress.n_bytes_total = ss_dataset_bytes(counting->dataset);
    progress.seconds = ss__seconds_now() - counting->start;
    return counting->to.fn(counting->to.user, &progress) != 0;
}

static ss_status count_rows(struct counting *counting, ss_dataset *dataset, ss_err *err)
{
    counting->start = ss__seconds_now();
    counting->n_total = ss_dataset_n_rows(dataset);
    counting->dataset = dataset;
    return ss_dataset_read_all(dataset, &counting->n_rows, err);
}

ss_status ss_run_inspect_dataset(struct ss_run_inspection *inspection, ss_err *err)
{
    ss_status status = SS_OK;
    struct counting counting = {.to = inspection->options->progress};
    struct ss_report *report = inspection->report;
    struct ss_dataset_options options = inspection->dataset;
    ss_dataset *dataset = NULL;
    struct ss_dataset_info info = {.struct_size = sizeof info};
    uint64_t n_rows = 0;
    options.log = options.log.fn == NULL ? inspection->options->log : options.log;
    counting.to = counting.to.fn == NULL ? options.progress : counting.to;
    options.progress = (struct ss_progress_callback){tell_rows, &counting};
    SS_TRY(ss_dataset_open_rows(&inspection->path, 1, &options, &dataset, err));
    ss_dataset_describe(dataset, &info);
    ss_run_report_text(report, "format", info.format);
    ss_run_report_count(report, "files", info.n_files);
    add_columns(report, dataset);
    n_rows = ss_dataset_n_rows(dataset);
    if (inspection->options->check) {
        if (strcmp(info.format, "jsonl") == 0) { /* lines are rows only for their texts */
            SS_TRY(ss_dataset_check_text(dataset, err));
        }
        SS_TRY(count_rows(&counting, dataset, err));
        ss_run_report_count(report, "rows", counting.n_rows);
    } else if (n_rows > 0) {
        ss_run_report_count(report, "rows", n_rows);
    }
    SS_TRY(add_text_column(inspection, err));
out:
    ss_dataset_close(dataset);
    return status;
}

/* ---- JSON ---- */

/* What the first byte of a JSON value says about it; NULL where it is no plain JSON. */
enum { LOOK_BYTES = 1 << 20 };

static const char *top_level(const char *path)
{
    static const char first[] = "{[\"tfn-0123456789";
    static const char *const names[] = {"object", "array", "string", "true", "false", "null"};
    struct ss__map map = {0};
    const char *name = NULL;
    if (ss__file_reserve(path, &map, NULL) != SS_OK) {
        return NULL;
    }
    const size_t n = ss__min_size(map.n_bytes, LOOK_BYTES);
    size_t at = ss__map_populate(&map, 0, n, path, NULL) == SS_OK ? 0 : n;
    while (at < n && map.data[at] != 0 && strchr(" \t\r\n", map.data[at]) != NULL) {
        at++;
    }
    const char *found = at < n && map.data[at] != 0 ? strchr(first, map.data[at]) : NULL;
    if (found != NULL) {
        name = found - first < 6 ? names[found - first] : "number";
    }
    ss__map_release(&map);
    return name;
}

/* Whether a dataset has exactly one row. */
static ss_status has_one_row(const struct ss_run_inspection *inspection, bool *is_one,
                             ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss_text json = {0};
    bool has_first = false, has_second = false;
    SS_TRY(ss_dataset_open_rows(&inspection->path, 1, &inspection->dataset, &dataset, err));
    SS_TRY(ss_dataset_next_json(dataset, &json, &has_first, err));
    if (has_first) {
        SS_TRY(ss_dataset_next_json(dataset, &json, &has_second, err));
    }
    *is_one = has_first && !has_second;
out:
    ss_dataset_close(dataset);
    return status;
}

/* A document whose rows can be read is a dataset; a single object, such as a config, and every
 * other valid value are documents. */
ss_status ss_run_inspect_json(struct ss_run_inspection *inspection, ss_err *err)
{
    struct ss_report *report = inspection->report;
    ss_err reason = {0};
    bool is_one = false;
    const char *top = top_level(inspection->path);
    if (inspection->options->check) {
        SS_RETURN_IF_ERROR(
            ss_dataset_json_check_file(inspection->path, inspection->asking.stop, err));
    }
    ss_status as_rows = has_one_row(inspection, &is_one, &reason);
    const bool is_single_object = is_one && top != NULL && strcmp(top, "object") == 0;
    if (as_rows == SS_OK && !is_single_object) {
        as_rows = ss_run_inspect_dataset(inspection, &reason);
    }
    if (as_rows == SS_OK && !is_single_object) {
        report->kind = SS_PATH_DATASET;
        report->title = "A dataset";
        return SS_OK;
    }
    if (ss_status_exit_code(as_rows) != ss_status_exit_code(SS_E_DATA) && as_rows != SS_OK) {
        return ss__fail_as(err, &reason);
    }
    ss_run_report_truncate(report, 0);
    if (!inspection->options->check) {
        SS_RETURN_IF_ERROR(
            ss_dataset_json_check_file(inspection->path, inspection->asking.stop, err));
    }
    ss_run_report_text(report, "top level", top == NULL ? "compressed" : top);
    if (!is_single_object) {
        ss_run_report_text(report, "not a dataset", reason.message);
    }
    return SS_OK;
}
