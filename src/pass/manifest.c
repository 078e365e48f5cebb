/* The keys and their meaning are in docs/formats.md. Everything that may differ between two
 * runs over the same data (timings, threads, paths) is here and in no other file. */
#include "pass/manifest.h"

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
#include "pass/embeddings.h"
#include "pass/state.h"
#include "saescope_tools.h"
#include "tensor/tensor.h"

static const char *const row_kind_names[SS_N_ROW_KINDS] = {
    [SS_ROW_TEXT] = NULL,     [SS_ROW_NULL] = "null", [SS_ROW_EMPTY] = "empty",
    [SS_ROW_BLANK] = "blank", [SS_ROW_BAD] = "bad",
};

static const char *const hashed_outputs[] = {
    SS_FOLDER_FILE_RATES,          SS_FOLDER_FILE_TOP,         SS_FOLDER_FILE_FEATURES,
    SS_FOLDER_FILE_TEXTS,          SS_FOLDER_FILE_SKIPPED,     SS_FOLDER_FILE_HISTOGRAMS,
    SS_FOLDER_FILE_EVIDENCE_TEXTS, SS_FOLDER_FILE_EMBEDDINGS,  SS_FOLDER_FILE_SAMPLES,
    SS_FOLDER_FILE_CENTROIDS,      SS_FOLDER_FILE_COACTIVATION};

enum { N_HASHED_OUTPUTS = sizeof hashed_outputs / sizeof hashed_outputs[0] };

/* ---- writing ---- */

static void put_settings(struct ss__json_writer *writer,
                         const struct ss_pass_manifest *manifest)
{
    ss__put_open(writer, "settings", '{');
    ss__put_count(writer, "top_k", manifest->run->info.top_k);
    ss__put_bool(writer, "keep_duplicates", manifest->options->keep_duplicates);
    ss__put_count(writer, "threads", manifest->n_threads);
    ss__put_count(writer, "batch_tokens", manifest->batch_tokens);
    ss__put_text(writer, "title", manifest->run->info.title);
    ss__put_close(writer, '}');
}

/* Rows that could not be read, by reason. */
static void put_bad_rows(struct ss__json_writer *writer, const struct ss_pass_facts *facts)
{
    ss__put_open(writer, "bad", '{');
    for (int i = SS_FORMAT_FAULT_NONE + 1; i < SS_FORMAT_N_FAULTS; i++) {
        const uint64_t n = facts->n_bad_of[i];
        if (n > 0) {
            ss__put_count(writer, ss_format_fault_name((ss_format_fault)i), n);
        }
    }
    ss__put_close(writer, '}');
}

/* Rows that are not wanted, where there are such. */
static void put_passed_rows(struct ss__json_writer *writer,
                            const struct ss_pass_row_counts *counts)
{
    if (counts->n_unmatched + counts->n_unsampled > 0) {
        ss__put_open(writer, "passed_over", '{');
        ss__put_count(writer, "where", counts->n_unmatched);
        ss__put_count(writer, "sample", counts->n_unsampled);
        ss__put_close(writer, '}');
    }
}

static void put_rows(struct ss__json_writer *writer, const struct ss_pass_manifest *manifest)
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
        put_bad_rows(writer, manifest->facts);
    }
    put_passed_rows(writer, &manifest->facts->counts);
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

static void put_work(struct ss__json_writer *writer, const struct ss_pass_manifest *manifest)
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
    ss__put_number(writer, "error_margin", manifest->facts->error_margin);
    ss__put_number(writer, "largest_error", manifest->facts->largest_error);
    if (manifest->evidence != NULL) {
        ss_pass_evidence_put_sizes(writer, "evidence", manifest->evidence);
    }
    ss__put_open(writer, "timings", '{');
    ss__put_number(writer, "seconds", info->seconds);
    ss__put_number(writer, "seconds_waiting_for_rows", manifest->facts->seconds_waiting);
    ss__put_number(writer, "rows_per_second", (double)info->n_rows_used / seconds);
    ss__put_number(writer, "tokens_per_second", (double)info->n_tokens / seconds);
    ss__put_close(writer, '}');
    ss__put_open(writer, "warnings", '[');
    for (size_t i = 0; i < manifest->facts->n_warnings; i++) {
        ss__put_text(writer, NULL, manifest->facts->warnings[i]);
    }
    ss__put_close(writer, ']');
}

/* Which parts a run is merged of, and how many there should be. */
static void put_parts(struct ss__json_writer *writer, const struct ss_pass_facts *facts)
{
    if (facts->n_parts == 0) {
        return;
    }
    ss__put_open(writer, "parts", '{');
    ss__put_count(writer, "n", facts->n_parts);
    ss__put_open(writer, "merged", '[');
    for (size_t i = 0; i < facts->n_done; i++) {
        ss__put_open(writer, NULL, '{');
        ss__put_count(writer, "part", facts->parts[i].part);
        ss__put_text(writer, "sha256", facts->parts[i].id);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
}

static ss_status put_outputs(struct ss__json_writer *writer,
                             const struct ss_pass_manifest *manifest, ss_err *err)
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

ss_status ss_pass_manifest_write(const struct ss_pass_manifest *manifest, const char *path,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {0};
    const struct ss_pass_hashing hashing = {manifest->asking, manifest->log,
                                            manifest->facts->models};
    const struct ss_pass_sae_use sae = {manifest->sae, manifest->run->sae_rule,
                                        manifest->run->sae_threshold,
                                        manifest->facts->sae_counts};
    ss__put_open(&writer, NULL, '{');
    ss__put_count(&writer, "schema", SS_FOLDER_MANIFEST_SCHEMA);
    ss__put_text(&writer, "saescope_version", ss_version());
    SS_TRY(manifest->encoder == NULL
               ? ss_pass_put_embeddings(&writer, &hashing, manifest->options->embeddings, err)
               : ss_pass_put_model(&writer, &hashing, manifest->encoder, err));
    SS_TRY(ss_pass_put_sae(&writer, &hashing, &sae, err));
    ss__put_tree(&writer, "dataset", manifest->facts->dataset);
    ss__put_tree(&writer, "options", manifest->facts->options);
    ss_pass_state_put_identity(&writer, "identity", manifest->identity);
    put_settings(&writer, manifest);
    put_rows(&writer, manifest);
    put_work(&writer, manifest);
    put_parts(&writer, manifest->facts);
    SS_TRY(put_outputs(&writer, manifest, err));
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__file_write(path, writer.buf.data, writer.buf.n_bytes, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}
