/* The files of the evidence, whose forms are in docs/formats.md: texts.arrow, embeddings.npy
 * and samples.arrow.
 *
 * Texts are written in the order of the result (half, then key), and samples name them by
 * their place in it, so that a reader needs no table of keys. The whole texts lie in a file
 * without a name (stats/evidence_texts.c) and are read from there one at a time: memory does
 * not grow with what is kept. All arrays are made of the finished state, so the bytes are
 * those of one run however many parts there were. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "folder/evidence_files.h"
#include "folder/npy.h"
#include "folder/results.h"
#include "pass/evidence_gather.h"
#include "pass/facts.h"

void ss_pass_evidence_put_sizes(struct ss__json_writer *writer, const char *name,
                                const struct ss_pass_evidence_gathered *gathered)
{
    const struct ss_stats_evidence_options *options =
        ss_stats_evidence_options(gathered->evidence);
    const struct ss_stats_evidence_sizes *sizes = &options->sizes;
    ss__put_open(writer, name, '{');
    if (sizes->n_pool == UINT64_MAX) {
        ss__put_text(writer, "pool", "all");
    } else {
        ss__put_count(writer, "pool", sizes->n_pool);
    }
    for (size_t i = 0; i < SS_STATS_N_SAMPLES; i++) {
        const bool is_first = i == 0 || strcmp(ss_folder_sample_lists[i].name,
                                               ss_folder_sample_lists[i - 1].name) != 0;
        const bool is_pair =
            i + 1 < SS_STATS_N_SAMPLES &&
            strcmp(ss_folder_sample_lists[i].name, ss_folder_sample_lists[i + 1].name) == 0;
        if (is_first && is_pair) {
            ss__put_open(writer, ss_folder_sample_lists[i].name, '[');
        }
        ss__put_count(writer, is_first && !is_pair ? ss_folder_sample_lists[i].name : NULL,
                      sizes->n_samples[i]);
        if (!is_first) {
            ss__put_close(writer, ']');
        }
    }
    ss__put_count(writer, "seed", options->seed);
    ss__put_bool(writer, "texts", options->has_texts);
    ss__put_close(writer, '}');
}

/* ---- Arrow files ---- */

struct table {
    struct ss__out out;
    struct ss_arrow_output *output;
    struct ss__buf name; /* of the file of a row */
};

static void table_close(struct table *table)
{
    ss_arrow_output_free(table->output);
    ss__buf_release(&table->name);
    ss__out_abort(&table->out);
}

static ss_status table_open(const char *path, const struct ss_pass_evidence_gathered *gathered,
                            const struct ss_arrow_output_column *columns, size_t n_columns,
                            struct table *table, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json_writer sizes = {0};
    ss_pass_evidence_put_sizes(&sizes, NULL, gathered);
    const char *text = ss__buf_text(&sizes.buf);
    if (text == NULL) {
        SS_TRY(ss__fail_nomem(err, "metadata"));
    }
    const struct ss_arrow_note notes[] = {{"evidence", "1"}, {"sizes", text}};
    const struct ss_arrow_output_options options = {
        .columns = columns, .n_columns = n_columns, .notes = notes, .n_notes = 2};
    SS_TRY(ss__out_open(path, &table->out, err));
    SS_TRY(ss_arrow_output_new(&table->out, &options, &table->output, err));
out:
    ss__buf_release(&sizes.buf);
    return status;
}

static ss_status table_commit(struct table *table, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_arrow_output_finish(table->output, err));
    return ss__out_commit(&table->out, err);
}

static ss_status put(struct table *table, size_t column, const void *value, ss_err *err)
{
    return ss_arrow_output_add(table->output, column, value, 1, err);
}

/* ---- texts.arrow ---- */

/* A string, or null. */
static ss_status put_string(struct table *table, size_t column, const struct ss_text *string,
                            ss_err *err)
{
    return string == NULL
               ? ss_arrow_output_add_null(table->output, column, err)
               : ss_arrow_output_add(table->output, column, string->data, string->n_bytes, err);
}

/* A path may hold any bytes; what is no UTF-8 is shown as U+FFFD, as in run.json. */
static ss_status put_file(struct table *table, const char *file, ss_err *err)
{
    table->name.n_bytes = 0;
    ss__utf8_repair(file, strlen(file), &table->name);
    SS_RETURN_IF_ERROR(ss__buf_check(&table->name, err));
    const struct ss_text name = {table->name.data, table->name.n_bytes};
    return put_string(table, SS_FOLDER_TEXT_FILE, &name, err);
}

static ss_status put_text(struct table *table, const struct ss_stats_evidence_text *text,
                          const char *file, bool has_texts, int64_t position, ss_err *err)
{
    const uint8_t half = (uint8_t)ss_stats_key_half(text->key);
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_TEXT_KEY, &text->key.key, err));
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_TEXT_HALF, &half, err));
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_TEXT_IN_POOL, &text->is_in_pool, err));
    SS_RETURN_IF_ERROR(text->count == 0
                           ? ss_arrow_output_add_null(table->output, SS_FOLDER_TEXT_COUNT, err)
                           : put(table, SS_FOLDER_TEXT_COUNT, &text->count, err));
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_TEXT_POSITION, &position, err));
    SS_RETURN_IF_ERROR(put_file(table, file, err));
    SS_RETURN_IF_ERROR(
        put_string(table, SS_FOLDER_TEXT_TEXT, has_texts ? &text->text : NULL, err));
    SS_RETURN_IF_ERROR(put_string(table, SS_FOLDER_TEXT_KEPT,
                                  text->kept.n_bytes > 0 ? &text->kept : NULL, err));
    SS_RETURN_IF_ERROR(ss_arrow_output_add(table->output, SS_FOLDER_TEXT_FEATURES,
                                           text->features, text->n_active, err));
    SS_RETURN_IF_ERROR(ss_arrow_output_add(table->output, SS_FOLDER_TEXT_VALUES,
                                           text->activations, text->n_active, err));
    return ss_arrow_output_end_row(table->output, err);
}

ss_status ss_pass_evidence_texts_write(const struct ss_pass_evidence_files *files,
                                       const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_pass_evidence_gathered *gathered = files->gathered;
    const bool has_texts = ss_stats_evidence_options(gathered->evidence)->has_texts;
    struct table table = {.out = SS__OUT_CLOSED};
    struct ss__buf memory = {0};
    SS_TRY(table_open(path, gathered, ss_folder_text_columns, SS_FOLDER_N_TEXT_COLUMNS, &table,
                      err));
    for (size_t i = 0; i < ss_stats_evidence_n_texts(gathered->evidence); i++) {
        struct ss_stats_evidence_text text;
        SS_TRY(ss__check_stop(files->asking, err));
        SS_TRY(ss_stats_evidence_text(gathered->evidence, i, &memory, &text, err));
        const struct ss_stats_position at = text.position;
        SS_TRY(put_text(&table, &text, ss_pass_facts_file(files->facts, at.file), has_texts,
                        (int64_t)ss_pass_facts_row(files->facts, at.file, at.row), err));
    }
    SS_TRY(table_commit(&table, err));
out:
    table_close(&table);
    ss__buf_release(&memory);
    return status;
}

ss_status ss_pass_evidence_embeddings_write(const struct ss_pass_evidence_files *files,
                                            const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_stats_evidence *evidence = files->gathered->evidence;
    struct ss_folder_npy_stream stream = SS_FOLDER_NPY_CLOSED;
    struct ss__buf memory = {0};
    SS_TRY(ss_folder_npy_open(path, true, ss_stats_evidence_options(evidence)->width, &stream,
                              err));
    for (size_t i = 0; i < ss_stats_evidence_n_texts(evidence); i++) {
        struct ss_stats_evidence_text text;
        SS_TRY(ss__check_stop(files->asking, err));
        SS_TRY(ss_stats_evidence_text(evidence, i, &memory, &text, err));
        SS_TRY(ss_folder_npy_add(&stream, text.embedding, 1, err));
    }
    SS_TRY(ss_folder_npy_commit(&stream, err));
out:
    ss_folder_npy_abort(&stream);
    ss__buf_release(&memory);
    return status;
}

/* ---- samples.arrow ---- */

struct sample {
    uint32_t feature, rank, text;
    ss_stats_sample_kind kind;
    uint8_t half;
    float activation;
};

static ss_status put_sample(struct table *table, const struct sample *sample, ss_err *err)
{
    const char *name = ss_folder_sample_lists[sample->kind].name;
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_SAMPLE_FEATURE, &sample->feature, err));
    SS_RETURN_IF_ERROR(
        ss_arrow_output_add(table->output, SS_FOLDER_SAMPLE_KIND, name, strlen(name), err));
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_SAMPLE_HALF, &sample->half, err));
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_SAMPLE_RANK, &sample->rank, err));
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_SAMPLE_ACTIVATION, &sample->activation, err));
    SS_RETURN_IF_ERROR(put(table, SS_FOLDER_SAMPLE_TEXT, &sample->text, err));
    return ss_arrow_output_end_row(table->output, err);
}

static size_t n_samples(const struct ss_pass_evidence_gathered *gathered, size_t feature,
                        ss_stats_sample_kind kind)
{
    if (kind < SS_STATS_N_GATHERED) {
        return ss_stats_evidence_n_samples(gathered->evidence, feature, kind);
    }
    return gathered->misses == NULL
               ? 0
               : gathered->n_misses[2 * feature + (size_t)ss_folder_sample_lists[kind].half];
}

static struct ss_stats_sample sample_at(const struct ss_pass_evidence_gathered *gathered,
                                        size_t feature, ss_stats_sample_kind kind, size_t rank)
{
    if (kind < SS_STATS_N_GATHERED) {
        return ss_stats_evidence_sample(gathered->evidence, feature, kind, rank);
    }
    return *ss_pass_evidence_miss(gathered, feature, ss_folder_sample_lists[kind].half, rank);
}

ss_status ss_pass_evidence_samples_write(const struct ss_pass_evidence_files *files,
                                         const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_pass_evidence_gathered *gathered = files->gathered;
    const size_t n_features = ss_stats_evidence_options(gathered->evidence)->n_features;
    struct table table = {.out = SS__OUT_CLOSED};
    size_t first[SS_STATS_N_HALVES + 1], n_pool[SS_STATS_N_HALVES];
    ss_stats_evidence_halves(gathered->evidence, first, n_pool);
    SS_TRY(table_open(path, gathered, ss_folder_sample_columns, SS_FOLDER_N_SAMPLE_COLUMNS,
                      &table, err));
    for (size_t f = 0; f < n_features; f++) {
        SS_TRY(ss__check_stop(files->asking, err));
        for (size_t kind = 0; kind < SS_STATS_N_SAMPLES; kind++) {
            const size_t n = n_samples(gathered, f, (ss_stats_sample_kind)kind);
            for (size_t rank = 0; rank < n; rank++) {
                const struct ss_stats_sample found =
                    sample_at(gathered, f, (ss_stats_sample_kind)kind, rank);
                const struct sample sample = {
                    .feature = (uint32_t)f,
                    .rank = (uint32_t)rank,
                    .text = found.text,
                    .kind = (ss_stats_sample_kind)kind,
                    .half = found.text >= first[SS_STATS_SCORE],
                    .activation = found.activation,
                };
                SS_TRY(put_sample(&table, &sample, err));
            }
        }
    }
    SS_TRY(table_commit(&table, err));
out:
    table_close(&table);
    return status;
}

/* ---- histograms.npz ---- */

ss_status ss_pass_histograms_write(const struct ss_pass_evidence_files *files, const char *path,
                                   ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_stats_evidence *evidence = files->gathered->evidence;
    const size_t n_features = ss_stats_evidence_options(evidence)->n_features;
    struct ss_stats_magnitude_bins bins = {0};
    struct ss__out out = SS__OUT_CLOSED;
    uint64_t *active = NULL;
    uint64_t rows[SS_STATS_N_HALVES];
    SS_ALLOC(active, 2 * n_features);
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        rows[half] = ss_stats_evidence_n_rows(evidence, half);
        for (size_t f = 0; f < n_features; f++) {
            active[2 * f + (size_t)half] = ss_stats_evidence_n_active(evidence, f, half);
        }
    }
    SS_TRY(ss_stats_magnitudes_save(&files->gathered->magnitudes, &bins, err));
    const uint64_t n = bins.offsets[n_features];
    const struct ss_folder_npz_array arrays[] = {
        {.name = "offsets",
         .descr = "<u8",
         .n_dims = 1,
         .shape = {n_features + 1},
         .n_bytes = 8 * (n_features + 1),
         .data = bins.offsets},
        {.name = "bins",
         .descr = "<u4",
         .n_dims = 1,
         .shape = {n},
         .n_bytes = 4 * n,
         .data = bins.bins},
        {.name = "counts",
         .descr = "<u8",
         .n_dims = 1,
         .shape = {n},
         .n_bytes = 8 * n,
         .data = bins.counts},
        {.name = "rows",
         .descr = "<u8",
         .n_dims = 1,
         .shape = {SS_STATS_N_HALVES},
         .n_bytes = sizeof rows,
         .data = rows},
        {.name = "active",
         .descr = "<u8",
         .n_dims = 2,
         .shape = {n_features, SS_STATS_N_HALVES},
         .n_bytes = 16 * n_features,
         .data = active},
    };
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss_folder_npz_write(&out, arrays, sizeof arrays / sizeof arrays[0], err));
out:
    ss__out_abort(&out);
    ss_stats_magnitude_bins_release(&bins);
    ss__free(active);
    return status;
}
