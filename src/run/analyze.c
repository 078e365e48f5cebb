/* One pass: rows -> embeddings -> sparse activations -> reducers -> files. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "dataset/dataset.h"
#include "run/analysis.h"
#include "run/embeddings.h"
#include "run/inputs_json.h"
#include "run/plot.h"
#include "run/steps.h"

enum { DEFAULT_TOP_K = 10 };

static struct ss_run_snapshot_counts count_rows(const struct ss_run_analysis *analysis,
                                                const struct ss_run_batch *batch)
{
    const uint64_t n_used = analysis->state.gathered.fires.n_rows;
    const uint64_t n_read = analysis->pass.done.counts.n_read + batch->counts.n_read;
    const uint64_t most = analysis->options->num_examples;
    const uint64_t n_rows =
        analysis->dataset == NULL ? 0 : ss_dataset_n_rows(analysis->dataset);
    const bool is_asked = most > 0 && (n_rows == 0 || most < n_rows);
    return (struct ss_run_snapshot_counts){
        .n_read = n_read > n_used ? n_read : n_used,
        .n_used = n_used,
        .n_total = is_asked && n_read >= n_used ? most + (n_read - n_used) : n_rows,
    };
}

/* What was found so far, for who looks at it. */
static void take_snapshot(struct ss_run_analysis *analysis, const struct ss_run_batch *batch)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder,
                                      .name = SS_RUN_NAME_EMBEDDINGS};
    struct ss_dataset_info dataset = {.struct_size = sizeof dataset, .repository = ""};
    const struct ss_run_snapshot_counts counts = count_rows(analysis, batch);
    if (analysis->encoder != NULL) {
        ss_encoder_describe(analysis->encoder, &encoder);
    }
    if (analysis->dataset != NULL) {
        ss_dataset_describe(analysis->dataset, &dataset);
    }
    ss_sae_describe(analysis->sae, &sae);
    const struct ss_run_snapshot_names names = {
        .dataset = dataset.repository[0] != '\0' ? dataset.repository
                   : dataset.n_files > 0         ? ss__path_name(dataset.files[0])
                                                 : SS_RUN_NAME_EMBEDDINGS,
        .model = encoder.name,
        .sae_kind = sae.kind,
    };
    ss_run_snapshots_take(&analysis->snapshots, &analysis->folder, &names,
                          &analysis->state.gathered.fires, &counts);
}

/* Receives every batch of the pass. */
static ss_status reduce_rows(void *user, const struct ss_run_pass_rows *rows, ss_err *err)
{
    struct ss_run_analysis *analysis = user;
    SS_RETURN_IF_ERROR(ss_run_gather_take(&analysis->state.gathered, rows, err));
    if (ss_run_snapshots_due(&analysis->snapshots)) {
        take_snapshot(analysis, rows->batch);
    }
    return SS_OK;
}

/* ---- facts ---- */

static ss_status take_bad_rows(struct ss_run_analysis *analysis, ss_err *err)
{
    struct ss_run_facts *facts = &analysis->state.facts;
    struct ss_format_bad_row row;
    size_t n = 0;
    while (ss_dataset_bad_row(analysis->dataset, n, &row)) {
        n++;
    }
    SS_ALLOC_OR_RETURN(facts->bad, n);
    for (; facts->n_bad < n; facts->n_bad++) {
        (void)ss_dataset_bad_row(analysis->dataset, facts->n_bad, &row);
        const char *problem =
            ss__arena_strndup(&facts->arena, row.problem, strlen(row.problem));
        if (problem == NULL) {
            return ss__fail_nomem(err, "rows that are left out");
        }
        facts->bad[facts->n_bad] =
            (struct ss_run_bad_row){(uint32_t)row.file_index, row.file_row, row.fault, problem};
    }
    for (int i = SS_FORMAT_FAULT_NONE + 1; i < SS_FORMAT_N_FAULTS; i++) {
        facts->n_bad_of[i] = ss_dataset_n_bad_rows(analysis->dataset, (ss_format_fault)i);
    }
    return SS_OK;
}

static ss_status take_files(struct ss_run_analysis *analysis,
                            const struct ss_dataset_info *dataset, ss_err *err)
{
    struct ss_run_facts *facts = &analysis->state.facts;
    SS_ALLOC_OR_RETURN(facts->files, dataset->n_files);
    SS_ALLOC_OR_RETURN(facts->file_rows, dataset->n_files);
    for (; facts->n_files < dataset->n_files; facts->n_files++) {
        const char *path = dataset->files[facts->n_files];
        const bool is_known = ss_dataset_file_rows(analysis->dataset, facts->n_files,
                                                   &facts->file_rows[facts->n_files]);
        if (!is_known) {
            facts->file_rows[facts->n_files] = SS_RUN_ROWS_UNKNOWN;
        }
        facts->files[facts->n_files] = ss__arena_strndup(&facts->arena, path, strlen(path));
        if (facts->files[facts->n_files] == NULL) {
            return ss__fail_nomem(err, "names of files");
        }
    }
    return SS_OK;
}

static ss_status take_names(struct ss_run_analysis *analysis,
                            const struct ss_dataset_info *dataset, ss_err *err)
{
    struct ss_run_facts *facts = &analysis->state.facts;
    const char *title = analysis->options->title;
    facts->dataset_name = ss_run_dataset_name(dataset, &facts->arena);
    facts->title =
        title == NULL ? NULL : ss__arena_strndup(&facts->arena, title, strlen(title));
    return facts->dataset_name == NULL || (title != NULL && facts->title == NULL)
               ? ss__fail_nomem(err, "names")
               : SS_OK;
}

/* The parts of run.json that are not said again later. */
static ss_status take_documents(struct ss_run_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_facts *facts = &analysis->state.facts;
    const struct ss_run_hashing hashing = {&analysis->pass.asking, analysis->pass.log};
    struct ss__json_writer dataset = {.style = SS__JSON_COMPACT};
    struct ss__json_writer options = {.style = SS__JSON_COMPACT};
    SS_TRY(ss_run_put_dataset(&dataset, &hashing, analysis->dataset, facts->dataset_name, err));
    ss_run_put_options(&options, NULL, analysis->options);
    SS_TRY(ss__buf_check(&dataset.buf, err));
    SS_TRY(ss__buf_check(&options.buf, err));
    SS_TRY(ss__json_parse("run.json", dataset.buf.data, dataset.buf.n_bytes, &facts->dataset,
                          err));
    SS_TRY(ss__json_parse("run.json", options.buf.data, options.buf.n_bytes, &facts->options,
                          err));
out:
    ss__buf_release(&dataset.buf);
    ss__buf_release(&options.buf);
    return status;
}

ss_status ss_run_take_facts(struct ss_run_analysis *analysis, ss_err *err)
{
    struct ss_run_facts *facts = &analysis->state.facts;
    const struct ss_run_pass *pass = &analysis->pass;
    struct ss_embeddings_info embeddings = {.struct_size = sizeof embeddings};
    struct ss_dataset_info dataset = {.struct_size = sizeof dataset, .repository = ""};
    facts->counts = pass->done.counts;
    facts->n_tokens = pass->done.n_tokens;
    facts->seconds = pass->done.seconds;
    facts->seconds_waiting = pass->done.seconds_waiting;
    facts->n_reembedded = pass->reembed.n_rows;
    facts->error_margin = pass->reembed.error;
    facts->largest_error = pass->reembed.largest_error;
    facts->sae_counts = pass->sae_counts;
    if (analysis->dataset != NULL) {
        ss_dataset_describe(analysis->dataset, &dataset);
        SS_RETURN_IF_ERROR(take_files(analysis, &dataset, err));
        SS_RETURN_IF_ERROR(take_bad_rows(analysis, err));
        size_t first_absent = 0;
        facts->n_absent = ss_dataset_n_absent(analysis->dataset, &first_absent);
        facts->first_absent = (uint32_t)first_absent;
    } else { /* named after the embeddings */
        ss_embeddings_describe(analysis->options->embeddings, &embeddings);
        dataset.n_files = 1;
        dataset.files = &embeddings.path;
    }
    SS_RETURN_IF_ERROR(take_names(analysis, &dataset, err));
    return analysis->options->out_dir == NULL ? SS_OK : take_documents(analysis, err);
}

/* ---- the whole ---- */

static ss_status prepare(struct ss_run_analysis *analysis, ss_err *err)
{
    const struct ss_analyze_options *options = analysis->options;
    SS_RETURN_IF_ERROR(ss_run_steps_choose(options->steps, &analysis->steps, err));
    SS_RETURN_IF_ERROR(options->n_parts > 0 ? ss_run_part_check(analysis, err) : SS_OK);
    analysis->recorder = (struct ss_run_recorder){options->log, &analysis->state.facts};
    analysis->top_k = options->top_k > 0 ? options->top_k : DEFAULT_TOP_K;
    analysis->pass = (struct ss_run_pass){
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .dataset = analysis->dataset,
        .embeddings = options->embeddings,
        .save_embeddings = options->save_embeddings,
        .force = options->force,
        .n_threads = options->n_threads,
        .batch_tokens = options->batch_tokens,
        .max_used = options->num_examples,
        .use = {[SS_ROW_NULL] = SS_RUN_ROW_SKIP,
                [SS_ROW_EMPTY] = SS_RUN_ROW_SKIP,
                [SS_ROW_BLANK] = SS_RUN_ROW_SKIP,
                [SS_ROW_BAD] = SS_RUN_ROW_SKIP},
        .log = {.fn = ss_run_recorder_note, .user = &analysis->recorder},
        .progress = options->progress,
        .on_rows = reduce_rows,
        .user = analysis,
    };
    SS_RETURN_IF_ERROR(ss_run_pass_init(&analysis->pass, err));
    SS_RETURN_IF_ERROR(ss_run_gather_start(&analysis->state.gathered, options, &analysis->pass,
                                           analysis->top_k, err));
    if (options->out_dir != NULL && options->n_parts == 0) {
        SS_RETURN_IF_ERROR(ss_run_folder_open(options->out_dir,
                                              ss_run_analysis_files(analysis->files),
                                              options->force, &analysis->folder, err));
    }
    return SS_OK;
}

ss_status ss_analyze(const ss_encoder *encoder, const ss_sae *sae, ss_dataset *dataset,
                     const struct ss_analyze_options *options, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_analyze_options read = {.struct_size = sizeof read};
    struct ss_run_analysis analysis = {
        .encoder = encoder,
        .sae = sae,
        .dataset = dataset,
        .options = &read,
        .state = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}},
    };
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_analyze_options, err));
    SS_TRY(prepare(&analysis, err));
    if (read.n_parts > 0) {
        SS_TRY(ss_run_part_make(&analysis, err));
        goto out;
    }
    SS_TRY(ss_run_pass_run(&analysis.pass, err));
    SS_TRY(ss_run_take_facts(&analysis, err));
    SS_TRY(ss_run_gather_order(&analysis.state.gathered, err));
    SS_TRY(ss_run_analysis_finish(&analysis, out, err));
out:
    if (status == SS_E_STOPPED && !analysis.is_written) {
        status = ss_run_pipeline_stopped(&analysis.pass.done, analysis.options->out_dir, err);
    }
    ss_run_analysis_release(&analysis);
    return status;
}
