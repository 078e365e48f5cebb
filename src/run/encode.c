/* A dataset to a file of features per row, in the formats of sparse_file.h. */
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dataset/dataset.h"
#include "folder/sparse_file.h"
#include "pass/pass.h"

static const struct ss_folder_sparse_format *const formats[] = {
    &ss_run_sparse_npz, &ss_run_sparse_arrow, &ss_run_sparse_feather, &ss_folder_sparse_jsonl};

struct writing {
    const struct ss_folder_sparse_format *format;
    struct ss_folder_sparse_options options;
    struct ss__out out;
    void *state;
    struct ss_pass_batch_walk walk;
    struct ss_pass pass;
    struct ss_encode_result *done;
};

static bool is_selective(const ss_dataset *dataset)
{
    return dataset != NULL && ss_dataset_passed(dataset).is_selective;
}

static ss_status find_format(const char *path, const struct ss_folder_sparse_format **out,
                             ss_err *err)
{
    const size_t n = strlen(path);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        const size_t n_extension = strlen(formats[i]->extension);
        if (n > n_extension && strcmp(path + n - n_extension, formats[i]->extension) == 0) {
            *out = formats[i];
            return SS_OK;
        }
    }
    return ss__fail_file(err, path, SS_E_USAGE,
                         "the extension of the file says in which format features are written: "
                         ".npz (for scipy.sparse.load_npz), .arrow, .feather or .jsonl");
}

static ss_status add_row(struct writing *writing, const struct ss_folder_sparse_row *row,
                         ss_err *err)
{
    writing->done->n_rows++;
    writing->done->n_activations += row->n;
    return writing->format->add(writing->state, row, err);
}

static ss_status write_rows(void *user, const struct ss_pass_rows *rows, ss_err *err)
{
    struct writing *writing = user;
    struct ss_pass_batch_row row;
    ss_pass_batch_walk_start(&writing->walk, rows->batch);
    while (ss_pass_batch_walk_next(&writing->walk, &row)) {
        struct ss_folder_sparse_row made = {
            .id = row.id, .is_null = row.is_null, .text = row.text, .kept = row.kept};
        if (row.is_used) {
            const size_t *offsets = rows->rows->offsets + row.index;
            made.features = rows->rows->features + offsets[0];
            made.values = rows->rows->values + offsets[0];
            made.n = offsets[1] - offsets[0];
        }
        SS_RETURN_IF_ERROR(add_row(writing, &made, err));
    }
    return SS_OK;
}

/* Rows behind the last one that left a trace. */
static ss_status add_last(struct writing *writing, ss_err *err)
{
    while (writing->walk.fills_gaps &&
           writing->walk.next_id < writing->pass.done.counts.n_read) {
        const struct ss_folder_sparse_row row = {
            .id = writing->walk.next_id++, .is_null = true, .text = {"", 0}, .kept = {"", 0}};
        SS_RETURN_IF_ERROR(add_row(writing, &row, err));
    }
    return SS_OK;
}

static ss_status check_columns(const struct writing *writing, ss_err *err)
{
    const struct ss_folder_sparse_options *options = &writing->options;
    if (!writing->format->holds_columns && (options->n_kept > 0 || options->has_text)) {
        return ss__fail_file(err, options->path, SS_E_USAGE,
                             "a matrix cannot hold texts or kept columns; write .arrow or "
                             ".jsonl");
    }
    for (size_t i = 0; i < options->n_kept; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(options->kept[i], options->kept[j]) == 0) {
                return ss__fail(err, SS_E_USAGE, "the column '%s' is to be kept twice",
                                options->kept[i]);
            }
        }
    }
    return SS_OK;
}

static ss_status open_file(struct writing *writing, ss_dataset *dataset,
                           const struct ss_encode_options *options, ss_err *err)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    ss_sae_describe(writing->pass.sae, &sae);
    writing->options.n_features = sae.n_features;
    writing->options.out = &writing->out;
    writing->options.has_text = options->with_text && dataset != NULL;
    writing->options.has_gaps = options->null_rule == SS_NULL_SKIP || is_selective(dataset);
    if (dataset != NULL) {
        writing->options.kept = ss_dataset_kept(dataset, &writing->options.n_kept);
    }
    SS_RETURN_IF_ERROR(find_format(writing->options.path, &writing->format, err));
    SS_RETURN_IF_ERROR(check_columns(writing, err));
    SS_RETURN_IF_ERROR(
        ss__out_open_named(writing->options.path, options->force, &writing->out, err));
    return writing->format->open(&writing->options, &writing->state, err);
}

/* What becomes of rows without a text, and which rows count against the number asked for. */
static void set_rule(struct writing *writing, const struct ss_encode_options *options)
{
    const bool skips = options->null_rule == SS_NULL_SKIP;
    struct ss_pass *pass = &writing->pass;
    const ss_pass_row_use use = skips ? SS_PASS_ROW_SKIP : SS_PASS_ROW_UNEMBEDDED;
    pass->use[SS_ROW_EMPTY] = pass->use[SS_ROW_BLANK] = pass->use[SS_ROW_BAD] = use;
    pass->use[SS_ROW_NULL] = options->null_rule == SS_NULL_STOP ? SS_PASS_ROW_REFUSE : use;
    pass->max_used = skips ? options->num_examples : 0;
    pass->max_read = skips ? 0 : options->num_examples;
    writing->walk.fills_gaps = !skips && !is_selective(pass->dataset);
}

static void sum_up(struct writing *writing)
{
    const struct ss_pass_pipeline_done *done = &writing->pass.done;
    for (size_t kind = 0; kind < SS_N_ROW_KINDS; kind++) {
        writing->done->n_rows_empty += done->counts.n_skipped[kind];
    }
    writing->done->n_rows_reembedded = writing->pass.reembed.n_rows;
    writing->done->n_tokens = done->n_tokens;
    writing->done->seconds = done->seconds;
}

ss_status ss_encode_file(const ss_encoder *encoder, const ss_sae *sae, ss_dataset *dataset,
                         const char *out_path, const struct ss_encode_options *options,
                         struct ss_encode_result *done, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encode_options read = {.struct_size = sizeof read};
    struct ss_encode_result sums = {.struct_size = sizeof sums};
    struct writing writing = {
        .options = {.path = out_path}, .out = SS__OUT_CLOSED, .done = &sums};
    SS_TRY(ss__result_check(done, "ss_encode_result", err));
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_encode_options, err));
    options = &read;
    writing.pass = (struct ss_pass){
        .encoder = encoder,
        .sae = sae,
        .dataset = dataset,
        .embeddings = options->embeddings,
        .save_embeddings = options->save_embeddings,
        .force = options->force,
        .n_threads = options->n_threads,
        .batch_tokens = options->batch_tokens,
        .log = options->log,
        .progress = options->progress,
        .on_rows = write_rows,
        .user = &writing,
    };
    if (options->null_rule == SS_NULL_NAN) {
        SS_FAIL(SS_E_USAGE, "a row of features cannot be NaN; `null` zero makes it empty");
    }
    set_rule(&writing, options);
    SS_TRY(open_file(&writing, dataset, options, err));
    SS_TRY(ss_pass_init(&writing.pass, err));
    SS_TRY(ss_pass_run(&writing.pass, err));
    SS_TRY(add_last(&writing, err));
    SS_TRY(ss_pass_save(&writing.pass, err));
    SS_TRY(writing.format->commit(writing.state, err));
out:
    if (status == SS_E_STOPPED) {
        status = ss_pass_pipeline_stopped(&writing.pass.done, out_path, err);
    }
    sum_up(&writing);
    if (writing.state != NULL) {
        writing.format->close(writing.state);
    }
    ss__out_abort(&writing.out);
    ss_pass_release(&writing.pass);
    if (done != NULL) {
        (void)ss__result_write(done, &sums, sizeof sums);
    }
    return status;
}
