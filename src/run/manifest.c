/* The keys and their meaning are in docs/formats.md. Everything that may differ between two
 * runs over the same data (timings, threads, paths) is here and in no other file. */
#include "run/manifest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/output.h"
#include "dataset/dataset.h"
#include "encoder/encoder.h"
#include "run/embeddings.h"
#include "saescope_tools.h"
#include "tensor/tensor.h"

static const char *const row_kind_names[SS_N_ROW_KINDS] = {
    [SS_ROW_TEXT] = NULL,     [SS_ROW_NULL] = "null", [SS_ROW_EMPTY] = "empty",
    [SS_ROW_BLANK] = "blank", [SS_ROW_BAD] = "bad",
};

static const char *const hashed_outputs[] = {
    SS_RUN_FILE_RATES,          SS_RUN_FILE_TOP,         SS_RUN_FILE_FEATURES,
    SS_RUN_FILE_TEXTS,          SS_RUN_FILE_SKIPPED,     SS_RUN_FILE_HISTOGRAMS,
    SS_RUN_FILE_EVIDENCE_TEXTS, SS_RUN_FILE_EMBEDDINGS,  SS_RUN_FILE_SAMPLES,
    SS_RUN_FILE_CENTROIDS,      SS_RUN_FILE_COACTIVATION};

enum { N_HASHED_OUTPUTS = sizeof hashed_outputs / sizeof hashed_outputs[0] };

/* ---- writing ---- */

/* A larger file is not hashed for the first few rows of it. */
enum { ALWAYS_HASHED_BYTES = 16 << 20 };

/* A file that was read. */
struct input {
    const char *path;
    struct ss__file_facts facts; /* when it was opened */
    bool is_regular;
    bool is_complete; /* read to its end */
};

/* What has the name now, if it is not what was read; NULL if it is. */
static const char *find_change(const struct input *input)
{
    struct ss__file_facts now;
    if (!ss__file_facts_at(input->path, &now)) {
        return "was removed";
    }
    if (now.device != input->facts.device || now.inode != input->facts.inode) {
        return "was replaced";
    }
    return ss__file_is_same(&input->facts, &now) ? NULL : "was written to";
}

/* The hash of what was read, "" where there is none. */
static ss_status hash_input(const struct ss_run_manifest *manifest, const struct input *input,
                            char hex[SS__SHA256_HEX_BYTES], ss_err *err)
{
    ss_status status = SS_OK;
    ss_err cause;
    hex[0] = '\0';
    if (!input->is_regular ||
        (!input->is_complete && input->facts.n_bytes > ALWAYS_HASHED_BYTES)) {
        return SS_OK;
    }
    const char *change = find_change(input);
    if (change == NULL) {
        status = ss__sha256_file(input->path, manifest->asking, hex, &cause);
        change = find_change(input);
    }
    if (change != NULL && status != SS_E_STOPPED) {
        hex[0] = '\0';
        ss__log(&manifest->log, SS_LEVEL_WARNING,
                "%s %s while it was in use: its hash is not recorded, since it would not be "
                "that of what was read",
                input->path, change);
        return SS_OK;
    }
    if (status != SS_OK && err != NULL) {
        *err = cause;
    }
    return status;
}

/* 2026-11-30T07:10:17.123456789Z */
static void put_time(struct ss__json_writer *writer, const char *name, struct timespec when)
{
    struct tm day;
    char text[48] = "";
    if (gmtime_r(&when.tv_sec, &day) != NULL) {
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", day.tm_year + 1900,
                 day.tm_mon + 1, day.tm_mday, day.tm_hour, day.tm_min, day.tm_sec,
                 when.tv_nsec);
    }
    ss__put_text(writer, name, text);
}

/* {"path", "sha256", "bytes", "modified"}: the hash null for what is no regular file, such as
 * standard input, for what has changed, and for a large file that was not read to its end. */
static ss_status put_input(struct ss__json_writer *writer,
                           const struct ss_run_manifest *manifest, const struct input *input,
                           ss_err *err)
{
    char hex[SS__SHA256_HEX_BYTES];
    SS_RETURN_IF_ERROR(hash_input(manifest, input, hex, err));
    ss__put_open(writer, NULL, '{');
    ss__put_text(writer, "path", input->path);
    if (hex[0] != '\0') {
        ss__put_text(writer, "sha256", hex);
    } else {
        ss__put_null(writer, "sha256");
    }
    if (input->is_regular) {
        ss__put_count(writer, "bytes", input->facts.n_bytes);
        put_time(writer, "modified", input->facts.modified);
    }
    ss__put_close(writer, '}');
    return SS_OK;
}

/* A file that was read when something was opened, and wholly. */
static ss_status put_file(struct ss__json_writer *writer,
                          const struct ss_run_manifest *manifest, const char *path,
                          struct ss__file_facts facts, ss_err *err)
{
    const struct input input = {path, facts, true, true};
    return put_input(writer, manifest, &input, err);
}

/* Where a thing with a name came from. */
static void put_source(struct ss__json_writer *writer, const char *source, const char *commit)
{
    if (source[0] != '\0') {
        ss__put_text(writer, "source", source);
        ss__put_text(writer, "commit", commit);
    }
}

static ss_status put_model(struct ss__json_writer *writer,
                           const struct ss_run_manifest *manifest, ss_err *err)
{
    const ss_encoder *encoder = manifest->encoder;
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder_describe(encoder, &info);
    ss__put_open(writer, "model", '{');
    ss__put_text(writer, "path", info.path);
    ss__put_text(writer, "name", info.name);
    put_source(writer, info.source, info.commit);
    ss__put_text(writer, "architecture", info.architecture);
    ss__put_text(writer, "pooling", info.pooling);
    ss__put_bool(writer, "normalized", info.normalized);
    ss__put_text(writer, "prompt", info.prompt);
    ss__put_count(writer, "width", info.width);
    ss__put_count(writer, "max_tokens", info.max_tokens);
    ss__put_open(writer, "files", '[');
    for (size_t i = 0; i < ss_encoder_n_files(encoder); i++) {
        SS_RETURN_IF_ERROR(put_file(writer, manifest, ss_encoder_file(encoder, i),
                                    ss_encoder_file_facts(encoder, i), err));
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
    return SS_OK;
}

/* Embeddings stand in the place of a model. */
static ss_status put_embeddings(struct ss__json_writer *writer,
                                const struct ss_run_manifest *manifest, ss_err *err)
{
    const ss_embeddings *embeddings = manifest->options->embeddings;
    struct input input = {.is_regular = false};
    struct ss_embeddings_info info = {.struct_size = sizeof info};
    ss_embeddings_describe(embeddings, &info);
    ss__put_open(writer, "model", '{');
    ss__put_text(writer, "name", SS_RUN_NAME_EMBEDDINGS);
    ss__put_text(writer, "path", info.path);
    ss__put_text(writer, "format", info.format);
    ss__put_text(writer, "column", info.column);
    ss__put_count(writer, "width", info.width);
    ss__put_open(writer, "files", '[');
    input.path = info.path;
    input.is_regular = ss_run_embeddings_facts(embeddings, &input.facts, &input.is_complete);
    SS_RETURN_IF_ERROR(put_input(writer, manifest, &input, err));
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
    return SS_OK;
}

static ss_status put_sae(struct ss__json_writer *writer, const struct ss_run_manifest *manifest,
                         ss_err *err)
{
    struct ss_sae_info info = {.struct_size = sizeof info};
    const ss_sae *sae = manifest->sae;
    ss_sae_describe(sae, &info);
    ss__put_open(writer, "sae", '{');
    ss__put_text(writer, "path", info.path);
    put_source(writer, info.source, info.commit);
    ss__put_text(writer, "format", info.format);
    ss__put_text(writer, "kind", info.kind);
    ss__put_text(writer, "variant", info.variant);
    ss__put_text(writer, "rule", manifest->run->sae_rule);
    if (isfinite(manifest->run->sae_threshold)) {
        ss__put_number(writer, "batchtopk_threshold", manifest->run->sae_threshold);
    }
    ss__put_text(writer, "model_name", info.model_name);
    ss__put_text(writer, "dtype", info.dtype);
    ss__put_bool(writer, "normalizes_input", info.normalizes_input);
    ss__put_count(writer, "width", info.width);
    ss__put_count(writer, "n_features", info.n_features);
    ss__put_count(writer, "n_tied_rows", manifest->sae_counts.n_tied_rows);
    ss__put_count(writer, "n_borderline_pairs", manifest->sae_counts.n_borderline_pairs);
    ss__put_value(writer, "config", ss_sae_config(sae));
    ss__put_open(writer, "files", '[');
    for (size_t i = 0; i < ss_sae_n_files(sae); i++) {
        SS_RETURN_IF_ERROR(
            put_file(writer, manifest, ss_sae_file(sae, i), ss_sae_file_facts(sae, i), err));
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
    return SS_OK;
}

static ss_status put_dataset(struct ss__json_writer *writer,
                             const struct ss_run_manifest *manifest, ss_err *err)
{
    struct ss_dataset_info info = {
        .struct_size = sizeof info, .format = "", .text_column = "", .repository = ""};
    if (manifest->dataset != NULL) {
        ss_dataset_describe(manifest->dataset, &info);
    }
    ss__put_open(writer, "dataset", '{');
    ss__put_text(writer, "name", manifest->run->info.dataset_name);
    ss__put_text(writer, "format", info.format);
    ss__put_text(writer, "text_column", info.text_column);
    if (info.repository[0] != '\0') {
        ss__put_text(writer, "repository", info.repository);
        ss__put_text(writer, "commit", info.commit);
        ss__put_text(writer, "config", info.config);
        ss__put_text(writer, "split", info.split);
    }
    ss__put_open(writer, "files", '[');
    for (size_t i = 0; i < info.n_files; i++) {
        struct input input = {.path = info.files[i]};
        input.is_regular =
            ss_dataset_file_facts(manifest->dataset, i, &input.facts, &input.is_complete);
        SS_RETURN_IF_ERROR(put_input(writer, manifest, &input, err));
    }
    ss__put_close(writer, ']');
    if (info.n_archives > 0) { /* members have no hash of their own */
        ss__put_open(writer, "archives", '[');
        for (size_t i = 0; i < info.n_archives; i++) {
            struct input input = {.path = info.archives[i]};
            input.is_regular = ss_dataset_archive_facts(manifest->dataset, i, &input.facts,
                                                        &input.is_complete);
            SS_RETURN_IF_ERROR(put_input(writer, manifest, &input, err));
        }
        ss__put_close(writer, ']');
    }
    ss__put_close(writer, '}');
    return SS_OK;
}

/* What is not of the kind that it claims is a text. */
static void put_record(struct ss__json_writer *writer, const char *key,
                       const struct ss_option_record *record)
{
    struct ss__json *json = NULL;
    if (record->kind != SS_VALUE_TEXT &&
        ss__json_parse("an option", record->value, strlen(record->value), &json, NULL) ==
            SS_OK) {
        ss__put_value(writer, key, json);
    } else {
        ss__put_text(writer, key, record->value);
    }
    ss__json_free(json);
}

/* One value, or the list of several. */
static void put_option_value(struct ss__json_writer *writer,
                             const struct ss_option_record *records, size_t n)
{
    if (n == 1) {
        put_record(writer, "value", records);
        return;
    }
    ss__put_open(writer, "value", '[');
    for (size_t i = 0; i < n; i++) {
        put_record(writer, NULL, &records[i]);
    }
    ss__put_close(writer, ']');
}

static void put_options(struct ss__json_writer *writer, const struct ss_run_manifest *manifest)
{
    const struct ss_analyze_options *options = manifest->options;
    ss__put_open(writer, "options", '{');
    for (size_t i = 0; i < options->n_records;) {
        const struct ss_option_record *record = &options->records[i];
        size_t n = 1; /* of this name */
        while (i + n < options->n_records && strcmp(record[n].name, record->name) == 0) {
            n++;
        }
        ss__put_open(writer, record->name, '{');
        put_option_value(writer, record, n);
        ss__put_text(writer, "origin", record->origin);
        ss__put_close(writer, '}');
        i += n;
    }
    ss__put_close(writer, '}');
    ss__put_open(writer, "settings", '{');
    ss__put_count(writer, "top_k", manifest->run->info.top_k);
    ss__put_bool(writer, "keep_duplicates", options->keep_duplicates);
    ss__put_count(writer, "threads", manifest->n_threads);
    ss__put_count(writer, "batch_tokens", manifest->batch_tokens);
    ss__put_text(writer, "title", manifest->run->info.title);
    ss__put_close(writer, '}');
}

/* Rows that could not be read, by reason. */
static void put_bad_rows(struct ss__json_writer *writer, const ss_dataset *dataset)
{
    ss__put_open(writer, "bad", '{');
    for (int i = SS_FORMAT_FAULT_NONE + 1; dataset != NULL && i < SS_FORMAT_N_FAULTS; i++) {
        const uint64_t n = ss_dataset_n_bad_rows(dataset, (ss_format_fault)i);
        if (n > 0) {
            ss__put_count(writer, ss_format_fault_name((ss_format_fault)i), n);
        }
    }
    ss__put_close(writer, '}');
}

static void put_rows(struct ss__json_writer *writer, const struct ss_run_manifest *manifest)
{
    const struct ss_run_info *info = &manifest->run->info;
    ss__put_open(writer, "rows", '{');
    ss__put_count(writer, "read", info->n_rows_read);
    ss__put_count(writer, "used", info->n_rows_used);
    ss__put_open(writer, "skipped", '{');
    for (size_t i = 0; i < SS_N_ROW_KINDS; i++) {
        if (row_kind_names[i] != NULL && (i != SS_ROW_BAD || info->n_rows_skipped[i] > 0)) {
            ss__put_count(writer, row_kind_names[i], info->n_rows_skipped[i]);
        }
    }
    ss__put_close(writer, '}');
    if (info->n_rows_skipped[SS_ROW_BAD] > 0) {
        put_bad_rows(writer, manifest->dataset);
    }
    ss__put_count(writer, "repaired", info->n_rows_repaired);
    ss__put_close(writer, '}');
    ss__put_open(writer, "denominators", '{');
    ss__put_count(writer, "rows_used", info->n_rows_used);
    if (manifest->options->num_examples > 0) {
        ss__put_count(writer, "num_examples", manifest->options->num_examples);
    } else {
        ss__put_null(writer, "num_examples");
    }
    ss__put_close(writer, '}');
    ss__put_count(writer, "tokens", info->n_tokens);
}

static void put_work(struct ss__json_writer *writer, const struct ss_run_manifest *manifest)
{
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder,
                                      .precision = "highest",
                                      .numbers = "fp32",
                                      .kernels = ss_tensor_kernels_name()};
    const struct ss_run_info *info = &manifest->run->info;
    const double seconds = info->seconds > 0 ? info->seconds : 1e-9;
    if (manifest->encoder != NULL) {
        ss_encoder_describe(manifest->encoder, &encoder);
    }
    ss__put_open(writer, "features", '{');
    ss__put_count(writer, "n", info->n_features);
    ss__put_count(writer, "dead", info->n_dead);
    ss__put_number(writer, "median_rate_pct", info->median_rate_pct);
    ss__put_close(writer, '}');
    ss__put_text(writer, "precision", encoder.precision);
    ss__put_text(writer, "numbers", encoder.numbers);
    ss__put_text(writer, "kernels", encoder.kernels);
    ss__put_count(writer, "n_reembedded", info->n_rows_reembedded);
    ss__put_number(writer, "error_margin", manifest->error_margin);
    ss__put_number(writer, "largest_error", manifest->largest_error);
    if (manifest->evidence != NULL) {
        ss_run_evidence_put_sizes(writer, "evidence", manifest->evidence);
    }
    ss__put_open(writer, "timings", '{');
    ss__put_number(writer, "seconds", info->seconds);
    ss__put_number(writer, "seconds_waiting_for_rows", manifest->done->seconds_waiting);
    ss__put_number(writer, "rows_per_second", (double)info->n_rows_used / seconds);
    ss__put_number(writer, "tokens_per_second", (double)info->n_tokens / seconds);
    ss__put_close(writer, '}');
    ss__put_open(writer, "warnings", '[');
    for (size_t i = 0; i < *manifest->n_warnings; i++) {
        ss__put_text(writer, NULL, manifest->warnings[i]);
    }
    ss__put_close(writer, ']');
}

static ss_status put_outputs(struct ss__json_writer *writer,
                             const struct ss_run_manifest *manifest, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    ss__put_open(writer, "outputs", '{');
    for (size_t i = 0; i < N_HASHED_OUTPUTS; i++) {
        char hex[SS__SHA256_HEX_BYTES];
        path = ss__path_join(manifest->folder, hashed_outputs[i]);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        if (ss__path_stat(path) == SS__PATH_FILE) {
            SS_TRY(ss__sha256_file(path, manifest->asking, hex, err));
            ss__put_text(writer, hashed_outputs[i], hex);
        }
        ss__free(path);
        path = NULL;
    }
    ss__put_close(writer, '}');
out:
    ss__free(path);
    return status;
}

ss_status ss_run_manifest_write(const struct ss_run_manifest *manifest, const char *path,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {0};
    ss__put_open(&writer, NULL, '{');
    ss__put_count(&writer, "schema", SS_RUN_MANIFEST_SCHEMA);
    ss__put_text(&writer, "saescope_version", ss_version());
    SS_TRY(manifest->encoder == NULL ? put_embeddings(&writer, manifest, err)
                                     : put_model(&writer, manifest, err));
    SS_TRY(put_sae(&writer, manifest, err));
    SS_TRY(put_dataset(&writer, manifest, err));
    put_options(&writer, manifest);
    put_rows(&writer, manifest);
    put_work(&writer, manifest);
    SS_TRY(put_outputs(&writer, manifest, err));
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__file_write(path, writer.buf.data, writer.buf.n_bytes, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}
