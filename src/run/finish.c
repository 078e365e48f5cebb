/* From a state to a run: results in memory, the files of its folder, and the steps after
 * them.
 *
 * A run in one piece comes here with the state that it gathered, a merge with that of all
 * parts; nothing below looks at rows any more, and so both write the same bytes. Files are
 * made in a staging folder that becomes the run's by one rename (folder/folder.h); steps
 * (steps.c) work on the finished folder and add to it, each whole or not at all, since a run
 * without its labels is a run. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "folder/plot.h"
#include "pass/manifest.h"
#include "run/finish.h"
#include "run/steps.h"

/* No row was of use: where they were looked for, and what they were. */
static ss_status fail_without_rows(const struct ss_pass_analysis *analysis, ss_err *err)
{
    char rows[SS__COUNTED_TEXT_BYTES];
    const struct ss_pass_facts *facts = &analysis->state.facts;
    const struct ss_pass_row_counts *counts = &facts->counts;
    struct ss_dataset_info dataset = {.struct_size = sizeof dataset, .text_column = ""};
    if (analysis->dataset != NULL) {
        ss_dataset_describe(analysis->dataset, &dataset);
    }
    return ss__fail(err, SS_E_DATA,
                    "%.300s%s%s%.100s%s: no row had text: %s read, %llu null, %llu empty, %llu "
                    "blank, %llu that could not be read%s",
                    facts->n_files > 0 ? facts->files[0] : "the dataset",
                    facts->n_files > 1 ? " and others" : "",
                    dataset.text_column[0] == '\0' ? "" : ", column '", dataset.text_column,
                    dataset.text_column[0] == '\0' ? "" : "'",
                    ss__format_counted(counts->n_read, "row", rows),
                    (unsigned long long)counts->n_skipped[SS_ROW_NULL],
                    (unsigned long long)counts->n_skipped[SS_ROW_EMPTY],
                    (unsigned long long)counts->n_skipped[SS_ROW_BLANK],
                    (unsigned long long)counts->n_skipped[SS_ROW_BAD],
                    counts->n_unmatched + counts->n_unsampled > 0
                        ? ", the others passed over (`where`, `sample`)"
                        : "");
}

static ss_status set_names(struct ss_pass_analysis *analysis, struct ss_run *run, ss_err *err)
{
    struct ss_encoder_info encoder = {.struct_size = sizeof encoder,
                                      .name = SS_FOLDER_NAME_EMBEDDINGS};
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    const struct ss_pass_facts *facts = &analysis->state.facts;
    struct ss_run_info *info = &run->info;
    if (analysis->encoder != NULL) {
        ss_encoder_describe(analysis->encoder, &encoder);
    }
    ss_sae_describe(analysis->sae, &sae);
    info->model_name = ss_folder_run_strdup(run, encoder.name);
    info->sae_path = ss_folder_run_strdup(run, sae.path);
    run->sae_rule = ss_folder_run_strdup(
        run, ss_sae_activation_text(analysis->sae, analysis->pass.reembed.calibrated));
    run->sae_threshold =
        ss_sae_activation_threshold(analysis->sae, analysis->pass.reembed.calibrated);
    info->dataset_name = ss_folder_run_strdup(run, facts->dataset_name);
    if (info->dataset_name != NULL) {
        info->title = facts->title == NULL
                          ? ss_folder_density_title(&run->arena, info->dataset_name)
                          : ss_folder_run_strdup(run, facts->title);
    }
    if (info->model_name == NULL || info->sae_path == NULL || run->sae_rule == NULL ||
        info->title == NULL) {
        return ss__fail_nomem(err, "names");
    }
    return SS_OK;
}

/* Lists have the file of a row and its place in one number; people see its number over all. */
static void number_tops(struct ss_run *run, const struct ss_pass_facts *facts)
{
    for (size_t i = 0; i < run->top_offsets[run->info.n_features]; i++) {
        const uint64_t place = run->tops[i].row;
        run->tops[i].row = ss_pass_facts_row(facts, (uint32_t)(place >> SS_PASS_ROW_BITS),
                                             place % SS_PASS_MAX_FILE_ROWS);
    }
}

static ss_status make_run(struct ss_pass_analysis *analysis, struct ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run *run = NULL;
    const struct ss_pass_facts *facts = &analysis->state.facts;
    SS_ALLOC(run, 1);
    run->info = (struct ss_run_info){
        .struct_size = sizeof(struct ss_run_info),
        .n_rows_read = facts->counts.n_read,
        .n_rows_passed = facts->counts.n_unmatched + facts->counts.n_unsampled,
        .n_rows_used = facts->counts.n_used,
        .n_rows_repaired = facts->counts.n_repaired,
        .n_rows_reembedded = facts->n_reembedded,
        .n_tokens = facts->n_tokens,
        .seconds = facts->seconds,
        .top_k = analysis->top_k,
    };
    memcpy(run->info.n_rows_skipped, facts->counts.n_skipped, sizeof facts->counts.n_skipped);
    SS_TRY(set_names(analysis, run, err));
    SS_TRY(ss_folder_run_fill(run, &analysis->state.gathered.fires,
                              &analysis->state.gathered.top, err));
    number_tops(run, facts);
    *out = run;
    run = NULL;
out:
    ss_run_free(run);
    return status;
}

/* ---- files ---- */

static ss_status draw(const struct ss_run *run, const char *path, ss_err *err)
{
    return ss_plot_density(run, path, NULL, err);
}

static const struct {
    const char *name;
    ss_status (*write)(const struct ss_run *run, const char *path, ss_err *err);
    bool (*is_wanted)(const struct ss_run *run); /* NULL: always */
} outputs[] = {
    {SS_FOLDER_FILE_RATES, ss_folder_rates_write, NULL},
    {SS_FOLDER_FILE_TOP, ss_folder_top_json_write, NULL},
    {SS_FOLDER_FILE_FEATURES, ss_folder_features_csv_write, NULL},
    {SS_FOLDER_FILE_TEXTS, ss_folder_top_texts_write, ss_folder_run_has_kept},
    {"density.svg", draw, NULL},
    {"density.png", draw, NULL},
};

/* Those of the evidence, if it is kept. */
static const struct {
    const char *name;
    ss_status (*write)(const struct ss_pass_evidence_files *files, const char *path,
                       ss_err *err);
} evidence_outputs[] = {
    {SS_FOLDER_FILE_HISTOGRAMS, ss_pass_histograms_write},
    {SS_FOLDER_FILE_EVIDENCE_TEXTS, ss_pass_evidence_texts_write},
    {SS_FOLDER_FILE_EMBEDDINGS, ss_pass_evidence_embeddings_write},
    {SS_FOLDER_FILE_SAMPLES, ss_pass_evidence_samples_write},
};

enum {
    N_OUTPUTS = sizeof outputs / sizeof outputs[0],
    N_EVIDENCE_OUTPUTS = sizeof evidence_outputs / sizeof evidence_outputs[0]
};

/* All names of the folder, the one that makes it complete last. */
const char *const *ss_run_analysis_files(const char *names[SS_PASS_MAX_FILES_WRITTEN])
{
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        names[i] = outputs[i].name;
    }
    for (size_t i = 0; i < N_EVIDENCE_OUTPUTS; i++) {
        names[N_OUTPUTS + i] = evidence_outputs[i].name;
    }
    const char **rest = names + N_OUTPUTS + N_EVIDENCE_OUTPUTS;
    *rest++ = SS_FOLDER_FILE_COACTIVATION;
    *rest++ = SS_FOLDER_FILE_CENTROIDS;
    *rest++ = SS_PASS_FILE_STATE;
    *rest++ = SS_FOLDER_FILE_SKIPPED;
    for (size_t i = 0; i < SS_RUN_N_STEPS; i++) { /* of an earlier run: these go */
        for (const char *const *file = ss_run_step_files(i); *file != NULL; file++) {
            *rest++ = *file;
        }
    }
    *rest++ = SS_FOLDER_FILE_MANIFEST;
    *rest = NULL;
    return names;
}

static ss_status write_manifest(struct ss_pass_analysis *analysis, const struct ss_run *run,
                                const struct ss_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_pass_manifest manifest = {
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .options = analysis->options,
        .run = run,
        .facts = &analysis->state.facts,
        .identity = analysis->state.identity,
        .n_threads = analysis->pass.n_threads,
        .batch_tokens = analysis->pass.batch_tokens,
        .evidence = analysis->state.gathered.evidence.kind == SS_EVIDENCE_NONE
                        ? NULL
                        : &analysis->state.gathered.evidence,
        .log = analysis->pass.log,
        .asking = &analysis->pass.asking,
        .folder = folder->staging,
    };
    char *path = ss_folder_file(folder, SS_FOLDER_FILE_MANIFEST);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss_pass_manifest_write(&manifest, path, err));
out:
    ss__free(path);
    return status;
}

static ss_status write_evidence(struct ss_pass_analysis *analysis,
                                const struct ss_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    const struct ss_pass_evidence_files files = {
        &analysis->state.gathered.evidence, &analysis->state.facts, &analysis->pass.asking};
    const bool has_evidence = analysis->state.gathered.evidence.kind != SS_EVIDENCE_NONE;
    for (size_t i = 0; has_evidence && i < N_EVIDENCE_OUTPUTS; i++) {
        path = ss_folder_file(folder, evidence_outputs[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(evidence_outputs[i].write(&files, path, err));
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    return status;
}

static struct ss_run_steps steps_of(const struct ss_pass_analysis *analysis,
                                    const struct ss_run *run)
{
    return (struct ss_run_steps){
        .folder = analysis->options->out_dir,
        .run = run,
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .has_evidence = analysis->state.gathered.evidence.kind != SS_EVIDENCE_NONE,
        .has_texts = analysis->encoder != NULL || analysis->dataset != NULL,
        .has_pairs = analysis->state.gathered.graph.pairs != NULL,
        .has_centroids = analysis->state.gathered.graph.has_centroids,
        .n_threads = analysis->options->n_threads,
        .log = analysis->options->log,
        .progress = analysis->options->progress,
    };
}

static ss_status write_files(struct ss_pass_analysis *analysis, const struct ss_run *run,
                             struct ss_folder *folder, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_run_steps steps = steps_of(analysis, run);
    char *path = NULL;
    for (size_t i = 0; i < N_OUTPUTS; i++) {
        if (outputs[i].is_wanted != NULL && !outputs[i].is_wanted(run)) {
            continue;
        }
        path = ss_folder_file(folder, outputs[i].name);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(outputs[i].write(run, path, err));
        ss__free(path);
        path = NULL;
    }
    if (analysis->state.facts.n_bad > 0) {
        path = ss_folder_file(folder, SS_FOLDER_FILE_SKIPPED);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(ss_pass_skipped_csv_write(&analysis->state.facts, path, err));
    }
    SS_TRY(write_evidence(analysis, folder, err));
    SS_TRY(ss_pass_graph_write(&analysis->state.gathered.graph, folder, err));
    SS_TRY(write_manifest(analysis, run, folder, err));
    SS_TRY(ss_run_steps_skip(&steps, folder->staging, &analysis->steps, err));
    SS_TRY(ss_folder_commit(folder, err));
out:
    if (status != SS_OK) {
        ss_folder_fix_error_path(folder, err);
    }
    ss__free(path);
    return status;
}

/* ---- the whole ---- */

static ss_status write_folder(struct ss_pass_analysis *analysis, ss_run *run, ss_err *err)
{
    run->asking = &analysis->pass.asking;
    SS_RETURN_IF_ERROR(write_files(analysis, run, &analysis->folder, err));
    run->asking = NULL;
    analysis->is_written = true;
    ss_pass_checkpoint_drop(analysis);
    const struct ss_run_steps steps = steps_of(analysis, run);
    ss_pass_evidence_abort(
        &analysis->state.gathered.evidence); /* they are read from the folder */
    ss_pass_graph_abort(&analysis->state.gathered.graph);
    return ss_run_steps_do(&steps, analysis->steps, err);
}

/* A run can be appended to whose rows count all the same, and of which none is missing. One that
 * keeps no evidence is to be as small as its results: it keeps no state either. */
static bool keeps_state(const struct ss_pass_analysis *analysis)
{
    const struct ss_pass_facts *facts = &analysis->state.facts;
    const struct ss__json *identity = analysis->state.identity;
    const struct ss__json *dataset = ss__json_get(identity, "dataset");
    const struct ss__json *gathers = ss__json_get(identity, "gathers");
    return analysis->options->out_dir != NULL && analysis->encoder != NULL && dataset != NULL &&
           analysis->state.gathered.evidence.kind != SS_EVIDENCE_NONE &&
           ss__json_integer(ss__json_get(gathers, "num_examples")) == 0 &&
           ss__json_integer(ss__json_get(dataset, "sample")) == 0 &&
           ss_sae_calibration_rows(analysis->sae) == 0 &&
           ss_sae_batch_rows(analysis->sae) == 0 && facts->n_done == facts->n_parts;
}

/* The state as everybody has it who did the same, in however many parts: what is left out is in
 * run.json. */
static ss_status write_state(struct ss_pass_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_state state = analysis->state;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    char *path = ss_folder_file(&analysis->folder, SS_PASS_FILE_STATE);
    const char **warnings = NULL;
    state.identity = NULL;
    SS_ALLOC(warnings, state.facts.n_warnings + 1);
    for (size_t i = 0; i < state.facts.n_warnings; i++) {
        warnings[i] = state.facts.warnings[i];
    }
    state.facts.warnings = warnings;
    ss_pass_facts_sort_warnings(&state.facts);
    state.facts.n_parts = 0;
    state.facts.n_done = 0;
    state.facts.seconds = state.facts.seconds_waiting = 0;
    state.facts.dataset = state.facts.options = state.facts.models = NULL;
    ss_pass_state_put_identity(&writer, NULL, analysis->state.identity);
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(
        ss__json_parse("identity", writer.buf.data, writer.buf.n_bytes, &state.identity, err));
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss_pass_state_write(&state, path, err));
out:
    if (status != SS_OK) {
        ss_folder_fix_error_path(&analysis->folder, err);
    }
    ss__json_free(state.identity);
    ss__buf_release(&writer.buf);
    ss__free(warnings);
    ss__free(path);
    return status;
}

ss_status ss_run_analysis_finish(struct ss_pass_analysis *analysis, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_gathered *gathered = &analysis->state.gathered;
    ss_run *run = NULL;
    if (analysis->state.facts.counts.n_used == 0) {
        SS_TRY(fail_without_rows(analysis, err));
    }
    SS_TRY(ss_pass_facts_number(&analysis->state.facts, err));
    if (analysis->options->out_dir != NULL && analysis->state.identity == NULL) {
        SS_TRY(ss_pass_identity(analysis, 0, false, &analysis->state.identity, err));
    }
    if (keeps_state(analysis)) {
        SS_TRY(write_state(analysis, err));
    }
    SS_TRY(ss_pass_evidence_find_misses(&gathered->evidence, &analysis->pass, err));
    SS_TRY(make_run(analysis, &run, err));
    SS_TRY(ss_pass_save(&analysis->pass, err));
    ss_pass_release(&analysis->pass); /* drawing needs memory of its own */
    if (analysis->options->out_dir != NULL) {
        SS_TRY(write_folder(analysis, run, err));
    }
    *out = run;
    run = NULL;
out:
    ss_run_free(run);
    return status;
}

void ss_run_analysis_release(struct ss_pass_analysis *analysis)
{
    ss_pass_checkpoint_release(&analysis->checkpoint);
    ss_folder_abort(&analysis->folder);
    ss_pass_release(&analysis->pass);
    ss_pass_append_release(&analysis->append);
    ss_pass_state_release(&analysis->state);
}
