/* What went into a run, as run.json and states have it: files with their hashes, and options. */
#include "pass/inputs_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "dataset/dataset.h"
#include "encoder/encoder.h"
#include "folder/results.h"
#include "pass/embeddings.h"
#include "saescope_tools.h"

/* ---- files ---- */

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

void ss_pass_format_time(struct timespec when, char text[SS_PASS_TIME_BYTES])
{
    struct tm day;
    text[0] = '\0';
    if (gmtime_r(&when.tv_sec, &day) != NULL) {
        snprintf(text, SS_PASS_TIME_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ",
                 day.tm_year + 1900, day.tm_mon + 1, day.tm_mday, day.tm_hour, day.tm_min,
                 day.tm_sec, when.tv_nsec);
    }
}

static void put_time(struct ss__json_writer *writer, const char *name, struct timespec when)
{
    char text[SS_PASS_TIME_BYTES];
    ss_pass_format_time(when, text);
    ss__put_text(writer, name, text);
}

/* The hash that a file of a part was found to have before, if it has not changed since. */
static const char *find_known(const struct ss_pass_hashing *hashing, const struct input *input)
{
    static const char *const parts[] = {"model", "sae"};
    char modified[SS_PASS_TIME_BYTES];
    const struct ss__json *file = NULL;
    size_t at = 0;
    ss_pass_format_time(input->facts.modified, modified);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const struct ss__json *part = ss__json_get(hashing->known, parts[i]);
        SS_JSON_EACH (ss__json_get(part, "files"), at, file) {
            const char *path = ss__json_string(ss__json_get(file, "path"));
            const char *when = ss__json_string(ss__json_get(file, "modified"));
            if (path != NULL && strcmp(path, input->path) == 0 && when != NULL &&
                strcmp(when, modified) == 0 &&
                ss__json_integer(ss__json_get(file, "bytes")) ==
                    (int64_t)input->facts.n_bytes) {
                return ss__json_string(ss__json_get(file, "sha256"));
            }
        }
    }
    return NULL;
}

/* The hash of what was read, "" where there is none. */
static ss_status hash_input(const struct ss_pass_hashing *hashing, const struct input *input,
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
    const char *known = find_known(hashing, input);
    if (change == NULL && known != NULL && strlen(known) < SS__SHA256_HEX_BYTES) {
        memcpy(hex, known, strlen(known) + 1);
        return SS_OK;
    }
    if (change == NULL) {
        status = ss__sha256_file(input->path, hashing->asking, hex, &cause);
        change = find_change(input);
    }
    if (change != NULL && status != SS_E_STOPPED) {
        hex[0] = '\0';
        ss__log(&hashing->log, SS_LEVEL_WARNING,
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

/* {"path", "sha256", "bytes", "modified"}: the hash null for what is no regular file, such as
 * standard input, for what has changed, and for a large file that was not read to its end. */
static ss_status put_input(struct ss__json_writer *writer,
                           const struct ss_pass_hashing *hashing, const struct input *input,
                           ss_err *err)
{
    char hex[SS__SHA256_HEX_BYTES];
    SS_RETURN_IF_ERROR(hash_input(hashing, input, hex, err));
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
static ss_status put_file(struct ss__json_writer *writer, const struct ss_pass_hashing *hashing,
                          const char *path, struct ss__file_facts facts, ss_err *err)
{
    const struct input input = {path, facts, true, true};
    return put_input(writer, hashing, &input, err);
}

/* Where a thing with a name came from. */
static void put_source(struct ss__json_writer *writer, const char *source, const char *commit)
{
    if (source[0] != '\0') {
        ss__put_text(writer, "source", source);
        ss__put_text(writer, "commit", commit);
    }
}

ss_status ss_pass_put_model(struct ss__json_writer *writer,
                            const struct ss_pass_hashing *hashing, const ss_encoder *encoder,
                            ss_err *err)
{
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
        SS_RETURN_IF_ERROR(put_file(writer, hashing, ss_encoder_file(encoder, i),
                                    ss_encoder_file_facts(encoder, i), err));
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
    return SS_OK;
}

/* Embeddings stand in the place of a model. */
ss_status ss_pass_put_embeddings(struct ss__json_writer *writer,
                                 const struct ss_pass_hashing *hashing,
                                 const ss_embeddings *embeddings, ss_err *err)
{
    struct input input = {.is_regular = false};
    struct ss_embeddings_info info = {.struct_size = sizeof info};
    ss_embeddings_describe(embeddings, &info);
    ss__put_open(writer, "model", '{');
    ss__put_text(writer, "name", SS_FOLDER_NAME_EMBEDDINGS);
    ss__put_text(writer, "path", info.path);
    ss__put_text(writer, "format", info.format);
    ss__put_text(writer, "column", info.column);
    ss__put_count(writer, "width", info.width);
    ss__put_open(writer, "files", '[');
    input.path = info.path;
    input.is_regular = ss_pass_embeddings_facts(embeddings, &input.facts, &input.is_complete);
    SS_RETURN_IF_ERROR(put_input(writer, hashing, &input, err));
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
    return SS_OK;
}

ss_status ss_pass_put_sae(struct ss__json_writer *writer, const struct ss_pass_hashing *hashing,
                          const struct ss_pass_sae_use *use, ss_err *err)
{
    struct ss_sae_info info = {.struct_size = sizeof info};
    const ss_sae *sae = use->sae;
    ss_sae_describe(sae, &info);
    ss__put_open(writer, "sae", '{');
    ss__put_text(writer, "path", info.path);
    put_source(writer, info.source, info.commit);
    ss__put_text(writer, "format", info.format);
    ss__put_text(writer, "kind", info.kind);
    ss__put_text(writer, "variant", info.variant);
    ss__put_text(writer, "rule", use->rule);
    if (isfinite(use->threshold)) {
        ss__put_number(writer, "batchtopk_threshold", use->threshold);
    }
    ss__put_text(writer, "model_name", info.model_name);
    ss__put_text(writer, "dtype", info.dtype);
    ss__put_bool(writer, "normalizes_input", info.normalizes_input);
    ss__put_count(writer, "width", info.width);
    ss__put_count(writer, "n_features", info.n_features);
    ss__put_count(writer, "n_tied_rows", use->counts.n_tied_rows);
    ss__put_count(writer, "n_borderline_pairs", use->counts.n_borderline_pairs);
    ss__put_value(writer, "config", ss_sae_config(sae));
    ss__put_open(writer, "files", '[');
    for (size_t i = 0; i < ss_sae_n_files(sae); i++) {
        SS_RETURN_IF_ERROR(
            put_file(writer, hashing, ss_sae_file(sae, i), ss_sae_file_facts(sae, i), err));
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
    return SS_OK;
}

ss_status ss_pass_put_dataset(struct ss__json_writer *writer,
                              const struct ss_pass_hashing *hashing, const ss_dataset *dataset,
                              const char *name, ss_err *err)
{
    struct ss_dataset_info info = {
        .struct_size = sizeof info, .format = "", .text_column = "", .repository = ""};
    if (dataset != NULL) {
        ss_dataset_describe(dataset, &info);
    }
    ss__put_open(writer, NULL, '{');
    ss__put_text(writer, "name", name);
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
        input.is_regular = ss_dataset_file_facts(dataset, i, &input.facts, &input.is_complete);
        input.is_complete = input.is_complete && ss_dataset_share_begins(dataset, i);
        SS_RETURN_IF_ERROR(put_input(writer, hashing, &input, err));
    }
    ss__put_close(writer, ']');
    if (info.n_archives > 0) { /* members have no hash of their own */
        ss__put_open(writer, "archives", '[');
        for (size_t i = 0; i < info.n_archives; i++) {
            struct input input = {.path = info.archives[i]};
            input.is_regular =
                ss_dataset_archive_facts(dataset, i, &input.facts, &input.is_complete);
            SS_RETURN_IF_ERROR(put_input(writer, hashing, &input, err));
        }
        ss__put_close(writer, ']');
    }
    ss__put_close(writer, '}');
    return SS_OK;
}

/* ---- options ---- */

/* What is not of the kind that it claims is a text. */
static void put_record(struct ss__json_writer *writer, const char *key,
                       const struct ss_option_record *record)
{
    struct ss__json *json = NULL;
    ss_status status = SS_E_DATA;
    if (record->kind != SS_VALUE_TEXT) {
        status = ss__json_parse("an option", record->value, strlen(record->value), &json, NULL);
    }
    if (status == SS_OK) {
        ss__put_value(writer, key, json);
    } else {
        ss__put_text(writer, key, record->value);
    }
    writer->buf.failed = writer->buf.failed || status == SS_E_NOMEM;
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

void ss_pass_put_options(struct ss__json_writer *writer, const char *key,
                         const struct ss_analyze_options *options)
{
    ss__put_open(writer, key, '{');
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
}
