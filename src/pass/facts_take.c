/* What a dataset says of itself, and of the pass over its rows, once they were read: files
 * with their rows, rows that could not be read, counts by reason, warnings.
 *
 * They become part of the state (state.c) and not of the manifest at once, because a run in
 * parts has as many datasets as parts, of which none is there when the manifest is written.
 * Everything is copied into the arena of the facts: the dataset may be closed before they are
 * used. */
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset.h"
#include "folder/plot.h"
#include "pass/analysis.h"
#include "pass/embeddings.h"
#include "pass/inputs_json.h"

/* The number of a file of the dataset in the run. */
static uint32_t number_of(const struct ss_pass_analysis *analysis, size_t file)
{
    return analysis->append.is_on && file < analysis->append.n_files
               ? analysis->append.file_of[file]
               : (uint32_t)file;
}

static ss_status take_bad_rows(struct ss_pass_analysis *analysis, ss_err *err)
{
    struct ss_pass_facts *facts = &analysis->state.facts;
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
        facts->bad[facts->n_bad] = (struct ss_pass_bad_row){number_of(analysis, row.file_index),
                                                            row.file_row, row.fault, problem};
    }
    for (int i = SS_FORMAT_FAULT_NONE + 1; i < SS_FORMAT_N_FAULTS; i++) {
        facts->n_bad_of[i] = ss_dataset_n_bad_rows(analysis->dataset, (ss_format_fault)i);
    }
    return SS_OK;
}

static ss_status take_mismatch(struct ss_pass_analysis *analysis, ss_err *err)
{
    struct ss_pass_facts *facts = &analysis->state.facts;
    const struct ss_dataset_mismatch found = ss_dataset_mismatch(analysis->dataset);
    if (found.n == 0) {
        return SS_OK;
    }
    facts->n_mismatched = found.n;
    facts->mismatched_file = number_of(analysis, found.file);
    facts->mismatched_row = found.file_row;
    facts->mismatch = ss__arena_strndup(&facts->arena, found.what, strlen(found.what));
    return facts->mismatch == NULL ? ss__fail_nomem(err, "what could not be compared") : SS_OK;
}

/* Files of the run that is appended to come first; their rows are known to its facts. */
static ss_status take_files(struct ss_pass_analysis *analysis,
                            const struct ss_dataset_info *dataset, ss_err *err)
{
    struct ss_pass_facts *facts = &analysis->state.facts;
    const struct ss_pass_facts *before = &analysis->append.before.facts;
    SS_ALLOC_OR_RETURN(facts->files, before->n_files + dataset->n_files);
    SS_ALLOC_OR_RETURN(facts->file_rows, before->n_files + dataset->n_files);
    for (size_t i = 0; i < before->n_files + dataset->n_files; i++) {
        const bool is_before = i < before->n_files;
        const size_t file = is_before ? 0 : i - before->n_files;
        if (!is_before && number_of(analysis, file) == SS_PASS_FILE_KNOWN) {
            continue;
        }
        const char *path = is_before ? before->files[i] : dataset->files[file];
        uint64_t *n_rows = &facts->file_rows[facts->n_files];
        const char *copy = ss__arena_strndup(&facts->arena, path, strlen(path));
        if (copy == NULL) {
            return ss__fail_nomem(err, "names of files");
        }
        if (is_before || !ss_dataset_file_rows(analysis->dataset, file, n_rows)) {
            *n_rows = SS_PASS_ROWS_UNKNOWN;
        }
        facts->files[facts->n_files++] = copy;
    }
    return SS_OK;
}

static ss_status take_names(struct ss_pass_analysis *analysis,
                            const struct ss_dataset_info *dataset, ss_err *err)
{
    struct ss_pass_facts *facts = &analysis->state.facts;
    const char *title = analysis->options->title;
    struct ss_dataset_info all = *dataset;
    if (analysis->append.is_on) {
        title = title == NULL ? analysis->append.before.facts.title : title;
        all.files = facts->files;
        all.n_files = facts->n_files;
    }
    facts->dataset_name = ss_folder_dataset_name(&all, &facts->arena);
    facts->title =
        title == NULL ? NULL : ss__arena_strndup(&facts->arena, title, strlen(title));
    return facts->dataset_name == NULL || (title != NULL && facts->title == NULL)
               ? ss__fail_nomem(err, "names")
               : SS_OK;
}

/* The parts of run.json that are not said again later. */
static ss_status take_documents(struct ss_pass_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_facts *facts = &analysis->state.facts;
    const struct ss_pass_hashing hashing = {&analysis->pass.asking, analysis->pass.log, NULL};
    struct ss__json_writer dataset = {.style = SS__JSON_COMPACT};
    struct ss__json_writer options = {.style = SS__JSON_COMPACT};
    SS_TRY(
        ss_pass_put_dataset(&dataset, &hashing, analysis->dataset, facts->dataset_name, err));
    ss_pass_put_options(&options, NULL, analysis->options);
    SS_TRY(ss__buf_check(&dataset.buf, err));
    SS_TRY(ss__buf_check(&options.buf, err));
    SS_TRY(ss__json_parse("run.json", dataset.buf.data, dataset.buf.n_bytes, &facts->dataset,
                          err));
    SS_TRY(analysis->append.is_on
               ? ss_pass_append_join_dataset(&analysis->append, facts->dataset_name,
                                             &facts->dataset, err)
               : SS_OK);
    SS_TRY(ss__json_parse("run.json", options.buf.data, options.buf.n_bytes, &facts->options,
                          err));
out:
    ss__buf_release(&dataset.buf);
    ss__buf_release(&options.buf);
    return status;
}

ss_status ss_pass_take_facts(struct ss_pass_analysis *analysis, ss_err *err)
{
    struct ss_pass_facts *facts = &analysis->state.facts;
    const struct ss_pass *pass = &analysis->pass;
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
    if (pass->n_passed_over > 0) { /* with those of before */
        const struct ss_pass_checkpoint *before = &analysis->checkpoint;
        facts->n_tokens = before->n_tokens;
        facts->seconds += before->seconds_before;
        facts->n_reembedded = before->n_reembedded;
        facts->largest_error = before->largest_error;
        facts->sae_counts = before->sae_counts;
    }
    if (analysis->dataset != NULL) {
        ss_dataset_describe(analysis->dataset, &dataset);
        SS_RETURN_IF_ERROR(take_files(analysis, &dataset, err));
        SS_RETURN_IF_ERROR(take_bad_rows(analysis, err));
        SS_RETURN_IF_ERROR(take_mismatch(analysis, err));
        size_t first_absent = 0;
        facts->n_absent = ss_dataset_n_absent(analysis->dataset, &first_absent);
        facts->first_absent = facts->n_absent == 0 ? 0 : number_of(analysis, first_absent);
    } else { /* named after the embeddings */
        ss_embeddings_describe(analysis->options->embeddings, &embeddings);
        dataset.n_files = 1;
        dataset.files = &embeddings.path;
    }
    SS_RETURN_IF_ERROR(take_names(analysis, &dataset, err));
    return analysis->options->out_dir == NULL ? SS_OK : take_documents(analysis, err);
}

void ss_pass_recorder_note(void *user, ss_level level, const char *sentence)
{
    struct ss_pass_recorder *recorder = user;
    if (recorder->facts->n_warnings < SS_PASS_MAX_WARNINGS) {
        (void)!ss_pass_facts_add_warning(recorder->facts, sentence, NULL);
    }
    ss__log(&recorder->log, level, "%s", sentence);
}

void ss_pass_facts_say_rows(const struct ss_pass_facts *facts, const struct ss_log *log)
{
    struct ss_format_bad_row first = {.problem =
                                          facts->n_bad == 0 ? "" : facts->bad[0].problem};
    struct ss_format_bad_rows bad = {.items = &first, .n_listed = facts->n_bad > 0};
    for (size_t i = SS_FORMAT_FAULT_NONE + 1; i < SS_FORMAT_N_FAULTS; i++) {
        bad.n_of[i] = facts->n_bad_of[i];
        bad.n += facts->n_bad_of[i];
    }
    const char *column = ss__json_string(ss__json_get(facts->dataset, "text_column"));
    const struct ss_dataset_mismatch mismatch = {
        .n = facts->n_mismatched,
        .row = ss_pass_facts_row(facts, facts->mismatched_file, facts->mismatched_row),
        .what = facts->mismatch};
    const struct ss_dataset_tally tally = {.bad = &bad,
                                           .n_rows = facts->counts.n_read,
                                           .n_repaired = facts->counts.n_repaired,
                                           .n_absent = facts->n_absent,
                                           .text_column = column == NULL ? "" : column,
                                           .first_absent =
                                               ss_pass_facts_file(facts, facts->first_absent),
                                           .n_unmatched = facts->counts.n_unmatched,
                                           .mismatch = mismatch};
    ss_dataset_tally_say(&tally, log);
}
