/* One pass: rows -> embeddings -> sparse activations -> reducers -> files.
 *
 * This is the outermost loop and little else: the pass gives batches of activations
 * (pass/pass.h), which go to the reducers (pass/gather.c); between two batches a snapshot for
 * viewers and a checkpoint are made when they are due, by the clock, and both are left out of
 * what decides results. What was gathered becomes files in finish.c. */
#include "base/file.h"
#include "base/number.h"
#include "base/sized.h"
#include "dataset/dataset.h"
#include "run/finish.h"
#include "run/steps.h"

static struct ss_folder_snapshot_counts count_rows(const struct ss_pass_analysis *analysis,
                                                   const struct ss_pass_batch *batch)
{
    const uint64_t n_used = analysis->state.gathered.fires.n_rows;
    const uint64_t n_read = analysis->pass.done.counts.n_read + batch->counts.n_read;
    const uint64_t most = analysis->options->num_examples;
    const uint64_t n_rows =
        analysis->dataset == NULL ? 0 : ss_dataset_n_rows(analysis->dataset);
    const bool is_asked = most > 0 && (n_rows == 0 || most < n_rows);
    return (struct ss_folder_snapshot_counts){
        .n_read = n_read > n_used ? n_read : n_used,
        .n_used = n_used,
        .n_total = is_asked && n_read >= n_used ? most + (n_read - n_used) : n_rows,
    };
}

/* What was found so far, for who looks at it. */
static void take_snapshot(struct ss_pass_analysis *analysis, const struct ss_pass_batch *batch)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder,
                                      .name = SS_FOLDER_NAME_EMBEDDINGS};
    struct ss_dataset_info dataset = {.struct_size = sizeof dataset, .repository = ""};
    const struct ss_folder_snapshot_counts counts = count_rows(analysis, batch);
    if (analysis->encoder != NULL) {
        ss_encoder_describe(analysis->encoder, &encoder);
    }
    if (analysis->dataset != NULL) {
        ss_dataset_describe(analysis->dataset, &dataset);
    }
    ss_sae_describe(analysis->sae, &sae);
    const struct ss_folder_snapshot_names names = {
        .dataset = dataset.repository[0] != '\0' ? dataset.repository
                   : dataset.n_files > 0         ? ss__path_name(dataset.files[0])
                                                 : SS_FOLDER_NAME_EMBEDDINGS,
        .model = encoder.name,
        .sae_kind = sae.kind,
    };
    ss_folder_snapshots_take(&analysis->snapshots, &analysis->folder, &names,
                             &analysis->state.gathered.fires, &counts);
}

/* Receives every batch of the pass. */
static ss_status reduce_rows(void *user, const struct ss_pass_rows *rows, ss_err *err)
{
    struct ss_pass_analysis *analysis = user;
    SS_RETURN_IF_ERROR(ss_pass_gather_take(&analysis->state.gathered, rows, err));
    ss_pass_checkpoint_take(analysis, rows);
    if (ss_folder_snapshots_due(&analysis->snapshots)) {
        take_snapshot(analysis, rows->batch);
    }
    return SS_OK;
}

/* ---- the whole ---- */

static ss_status prepare(struct ss_pass_analysis *analysis, ss_err *err)
{
    const struct ss_analyze_options *options = analysis->options;
    SS_RETURN_IF_ERROR(ss_run_steps_choose(options->steps, &analysis->steps, err));
    SS_RETURN_IF_ERROR(
        options->n_parts > 0 && !options->append ? ss_pass_part_check(analysis, err) : SS_OK);
    analysis->recorder = (struct ss_pass_recorder){options->log, &analysis->state.facts};
    analysis->top_k = options->top_k > 0 ? options->top_k : SS_PASS_DEFAULT_TOP_K;
    analysis->pass = (struct ss_pass){
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .dataset = analysis->dataset,
        .embeddings = options->embeddings,
        .save_embeddings = ss_run_has_finished(options) ? NULL : options->save_embeddings,
        .force = options->force,
        .n_threads = options->n_threads,
        .batch_tokens = options->batch_tokens,
        .max_used = options->num_examples,
        .use = {[SS_ROW_NULL] = SS_PASS_ROW_SKIP,
                [SS_ROW_EMPTY] = SS_PASS_ROW_SKIP,
                [SS_ROW_BLANK] = SS_PASS_ROW_SKIP,
                [SS_ROW_BAD] = SS_PASS_ROW_SKIP},
        .log = {.fn = ss_pass_recorder_note, .user = &analysis->recorder},
        .progress = options->progress,
        .on_rows = reduce_rows,
        .user = analysis,
    };
    SS_RETURN_IF_ERROR(ss_pass_init(&analysis->pass, err));
    return ss_pass_gather_start(&analysis->state.gathered, options, &analysis->pass,
                                analysis->top_k, err);
}

/* A finished run: to be appended to, or made already. *out is given where nothing is left to do. */
static ss_status find_before(struct ss_pass_analysis *analysis, ss_run **out, ss_err *err)
{
    const struct ss_analyze_options *options = analysis->options;
    const struct ss_run_options reading = {
        .struct_size = sizeof reading, .log = options->log, .progress = options->progress};
    if (options->append) {
        SS_RETURN_IF_ERROR(ss_pass_append_start(analysis, err));
        if (analysis->append.n_new == 0) {
            ss_pass_checkpoint_clean(options->out_dir, SS_FOLDER_CHECKPOINT_NAME,
                                     analysis->append.before.facts.n_files);
        }
        return analysis->append.n_new == 0 ? ss_run_open(options->out_dir, &reading, out, err)
                                           : SS_OK;
    }
    return ss_run_has_finished(options) ? ss_run_finished_find(analysis, out, err) : SS_OK;
}

static ss_status open_folder(struct ss_pass_analysis *analysis, ss_err *err)
{
    const struct ss_analyze_options *options = analysis->options;
    if (options->out_dir != NULL) {
        SS_RETURN_IF_ERROR(
            ss_folder_open(options->out_dir, ss_run_analysis_files(analysis->files),
                           options->force || options->append, &analysis->folder, err));
        SS_RETURN_IF_ERROR(ss_pass_checkpoint_start(analysis, SS_FOLDER_CHECKPOINT_NAME, err));
    }
    return SS_OK;
}

/* What was done is not lost. */
static ss_status fail_stopped(const struct ss_pass_analysis *analysis, ss_err *err)
{
    char rows[SS__COUNTED_TEXT_BYTES];
    return ss__fail(
        err, SS_E_STOPPED,
        "stopped on request after %s; they are kept in %.400s, and the same command "
        "goes on from there",
        ss__format_counted(analysis->pass.done.counts.n_used, "row", rows),
        analysis->options->out_dir);
}

ss_status ss_analyze(const ss_encoder *encoder, const ss_sae *sae, ss_dataset *dataset,
                     const struct ss_analyze_options *options, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_analyze_options read = {.struct_size = sizeof read};
    struct ss_pass_analysis analysis = {
        .encoder = encoder,
        .sae = sae,
        .dataset = dataset,
        .options = &read,
        SS_PASS_ANALYSIS_EMPTY,
    };
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_analyze_options, err));
    if (read.out_dir != NULL && read.n_parts == 0) {
        ss_folder_recover(read.out_dir, ss_run_analysis_files(analysis.files));
    }
    SS_TRY(read.plan == NULL
               ? SS_OK
               : ss_pass_plan_check(read.plan, dataset, read.part, &read.n_parts, err));
    SS_TRY(prepare(&analysis, err));
    if (read.n_parts > 0 && !read.append) {
        SS_TRY(ss_pass_part_make(&analysis, err));
        goto out;
    }
    SS_TRY(find_before(&analysis, out, err));
    if (*out != NULL) {
        goto out;
    }
    SS_TRY(open_folder(&analysis, err));
    SS_TRY(read.append ? ss_pass_append_merge(&analysis, err) : SS_OK);
    SS_TRY(ss_pass_run(&analysis.pass, err));
    SS_TRY(ss_pass_take_facts(&analysis, err));
    SS_TRY(read.append ? ss_pass_append_facts(&analysis, err) : SS_OK);
    SS_TRY(ss_pass_gather_order(&analysis.state.gathered, err));
    SS_TRY(ss_run_analysis_finish(&analysis, out, err));
out:
    if (status == SS_E_STOPPED && !analysis.is_written) {
        status =
            ss_pass_checkpoint_stop(&analysis)
                ? fail_stopped(&analysis, err)
                : ss_pass_pipeline_stopped(&analysis.pass.done, analysis.options->out_dir, err);
    }
    ss_run_analysis_release(&analysis);
    return status;
}
