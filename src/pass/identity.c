/* What decides what an analysis finds, as one document: models by the hashes of their files, rules
 * and rows, what is gathered, and the files that are read. Parts with equal documents are parts
 * of one analysis. Threads, token budgets, hosts, paths and versions of the program are not in
 * it: results do not depend on them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "dataset/dataset.h"
#include "encoder/encoder.h"
#include "pass/analysis.h"
#include "pass/inputs_json.h"

/* Raised whenever some byte of a result changes for the same input. */
enum { NUMBERS_VERSION = 1, EDGE_BYTES = 1 << 16 };

/* ---- models ---- */

/* Members model and sae as run.json has them, with the hashes of their files. */
static ss_status take_models(struct ss_pass_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder,
                                      .precision = "highest",
                                      .numbers = "fp32",
                                      .kernels = ""};
    const struct ss_pass_hashing hashing = {&analysis->pass.asking, analysis->pass.log, NULL};
    const struct ss_pass_sae_use sae = {.sae = analysis->sae,
                                        .rule = ss_sae_activation_text(analysis->sae, NULL),
                                        .threshold =
                                            ss_sae_activation_threshold(analysis->sae, NULL)};
    if (analysis->state.facts.models != NULL) { /* they do not change meanwhile */
        return SS_OK;
    }
    ss__put_open(&writer, NULL, '{');
    if (analysis->encoder == NULL) {
        SS_TRY(ss_pass_put_embeddings(&writer, &hashing, analysis->options->embeddings, err));
    } else {
        ss_encoder_describe(analysis->encoder, &encoder);
        SS_TRY(ss_pass_put_model(&writer, &hashing, analysis->encoder, err));
    }
    SS_TRY(ss_pass_put_sae(&writer, &hashing, &sae, err));
    ss__put_text(&writer, "precision", encoder.precision);
    ss__put_text(&writer, "numbers", encoder.numbers);
    ss__put_text(&writer, "kernels", encoder.kernels);
    ss_pass_put_options(&writer, "options", analysis->options);
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__json_parse("models", writer.buf.data, writer.buf.n_bytes,
                          &analysis->state.facts.models, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}

/* Files by the names that they have in their folder, not by where that is. */
static void put_files(struct ss__json_writer *writer, const struct ss__json *model)
{
    const struct ss__json *file = NULL;
    size_t i = 0;
    ss__put_open(writer, "files", '[');
    SS_JSON_EACH (ss__json_get(model, "files"), i, file) {
        const char *path = ss__json_string(ss__json_get(file, "path"));
        ss__put_open(writer, NULL, '{');
        ss__put_text(writer, "name", path == NULL ? "" : ss__path_name(path));
        ss__put_tree(writer, "sha256", ss__json_get(file, "sha256"));
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

static void put_members(struct ss__json_writer *writer, const struct ss__json *object,
                        const char *const *keys)
{
    for (size_t i = 0; keys[i] != NULL; i++) {
        ss__put_tree(writer, keys[i], ss__json_get(object, keys[i]));
    }
}

static void put_models(struct ss__json_writer *writer, const struct ss__json *models)
{
    static const char *const of_encoder[] = {
        "architecture", "pooling", "normalized", "prompt", "width", "max_tokens", NULL};
    static const char *const of_embeddings[] = {"format", "column", "width", NULL};
    static const char *const of_sae[] = {"rule",  "batchtopk_threshold", "normalizes_input",
                                         "width", "n_features",          NULL};
    const char *numbers = ss__json_string(ss__json_get(models, "numbers"));
    const struct ss__json *model = ss__json_get(models, "model");
    const bool is_embedded = ss__json_get(model, "architecture") == NULL;
    ss__put_open(writer, is_embedded ? "embeddings" : "encoder", '{');
    put_files(writer, model);
    put_members(writer, model, is_embedded ? of_embeddings : of_encoder);
    ss__put_tree(writer, "numbers", ss__json_get(models, "numbers"));
    if (numbers != NULL && strncmp(numbers, "int8", 4) == 0) {
        /* of two kinds, which call themselves the same: docs/numerics.md */
        ss__put_tree(writer, "kernels", ss__json_get(models, "kernels"));
    }
    ss__put_close(writer, '}');
    ss__put_open(writer, "sae", '{');
    put_files(writer, ss__json_get(models, "sae"));
    put_members(writer, ss__json_get(models, "sae"), of_sae);
    ss__put_close(writer, '}');
}

/* ---- the rows ---- */

static ss_status hash_open_edges(const char *path, int descriptor, uint64_t n_bytes,
                                 char hex[SS__HASH_HEX_BYTES], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__hash *hash = NULL;
    char *bytes = NULL;
    const uint64_t places[] = {0, n_bytes > EDGE_BYTES ? n_bytes - EDGE_BYTES : 0};
    SS_ALLOC(bytes, EDGE_BYTES);
    SS_TRY(ss__hash_new(SS__HASH_SHA256, &hash, err));
    for (size_t i = 0; i < 2; i++) {
        const ssize_t n = pread(descriptor, bytes, EDGE_BYTES, (off_t)places[i]);
        if (n < 0) {
            SS_TRY(ss__fail_errno(err, path, "read this file", errno));
        }
        ss__hash_add(hash, bytes, (size_t)n);
    }
    ss__hash_finish(hash, hex);
out:
    ss__hash_free(hash);
    ss__free(bytes);
    return status;
}

ss_status ss_pass_hash_edges(const char *path, char hex[SS__HASH_HEX_BYTES], ss_err *err)
{
    struct ss__file_facts facts;
    int descriptor = -1;
    hex[0] = '\0';
    if (ss__path_stat(path) != SS__PATH_FILE) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss__open_regular(path, &descriptor, &facts, err));
    const ss_status status = hash_open_edges(path, descriptor, facts.n_bytes, hex, err);
    close(descriptor);
    return status;
}

static ss_status put_inputs(struct ss__json_writer *writer, const char *key,
                            const char *const *paths, size_t n, bool with_times, ss_err *err)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        struct ss__file_facts facts;
        char hex[SS__HASH_HEX_BYTES];
        SS_RETURN_IF_ERROR(ss_pass_hash_edges(paths[i], hex, err));
        ss__put_open(writer, NULL, '{');
        ss__put_text(writer, "name", ss__path_name(paths[i]));
        if (hex[0] != '\0' && ss__file_facts_at(paths[i], &facts)) {
            ss__put_count(writer, "bytes", facts.n_bytes);
            ss__put_text(writer, "edges", hex);
            if (with_times) {
                ss__put_count(writer, "seconds", (uint64_t)facts.modified.tv_sec);
                ss__put_count(writer, "nanoseconds", (uint64_t)facts.modified.tv_nsec);
            }
        }
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
    return SS_OK;
}

ss_status ss_pass_put_rows_identity(struct ss__json_writer *writer, const ss_dataset *dataset,
                                    bool with_times, ss_err *err)
{
    struct ss_dataset_info info = {.struct_size = sizeof info};
    ss_dataset_describe(dataset, &info);
    ss__put_open(writer, "dataset", '{');
    ss__put_text(writer, "repository", info.repository);
    ss__put_text(writer, "commit", info.commit);
    ss_dataset_put_reading(dataset, writer);
    SS_RETURN_IF_ERROR(put_inputs(writer, "files", info.files, info.n_files, with_times, err));
    SS_RETURN_IF_ERROR(
        put_inputs(writer, "archives", info.archives, info.n_archives, with_times, err));
    ss__put_close(writer, '}');
    return SS_OK;
}

/* ---- what is gathered ---- */

static void put_gathered(struct ss__json_writer *writer,
                         const struct ss_pass_analysis *analysis)
{
    const struct ss_pass_gathered *gathered = &analysis->state.gathered;
    ss__put_open(writer, "gathers", '{');
    ss__put_count(writer, "top_k", analysis->top_k);
    ss__put_bool(writer, "keep_duplicates", analysis->options->keep_duplicates);
    ss__put_count(writer, "num_examples", analysis->options->num_examples);
    ss__put_count(writer, "seed", analysis->options->sample_seed);
    if (gathered->evidence.kind != SS_EVIDENCE_NONE) {
        ss_pass_evidence_put_sizes(writer, "evidence", &gathered->evidence);
    }
    ss__put_bool(writer, "pairs", gathered->graph.pairs != NULL);
    ss__put_bool(writer, "centroids", gathered->graph.has_centroids);
    ss__put_close(writer, '}');
}

ss_status ss_pass_identity(struct ss_pass_analysis *analysis, uint64_t n_parts, bool with_times,
                           struct ss__json **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    *out = NULL;
    SS_TRY(take_models(analysis, err));
    ss__put_open(&writer, NULL, '{');
    ss__put_count(&writer, "numbers", NUMBERS_VERSION);
    put_models(&writer, analysis->state.facts.models);
    put_gathered(&writer, analysis);
    ss__put_count(&writer, "parts", n_parts);
    if (analysis->dataset != NULL) { /* embeddings may have none */
        SS_TRY(ss_pass_put_rows_identity(&writer, analysis->dataset, with_times, err));
    }
    ss__put_close(&writer, '}');
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__json_parse("identity", writer.buf.data, writer.buf.n_bytes, out, err));
out:
    ss__buf_release(&writer.buf);
    return status;
}
