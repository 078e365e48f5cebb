/* Going on after a stop: from time to time the state of the rows that were read is put into a file
 * beside the results to come, whole, in place of the one before. The same command finds it, reads
 * the rows again that are in it, which takes a thousandth of the time that encoding them took,
 * and goes on behind them. So whatever a dataset says of its rows is said of all of them, and no
 * format has to begin in the middle. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/stop.h"
#include "dataset/dataset.h"
#include "pass/analysis.h"

/* Every so many seconds, or so many times what writing one took: at most one percent. */
#define DEFAULT_SECONDS 10.0
#define COST_FACTOR 100.0

/* Rows that come only once, rules over rows from the first one on, and rows that are encoded
 * faster than they could be kept, are begun again. */
static bool can_resume(const struct ss_pass_analysis *analysis)
{
    const struct ss_analyze_options *options = analysis->options;
    return options->out_dir != NULL && options->checkpoint_seconds >= 0 &&
           options->embeddings == NULL && options->save_embeddings == NULL &&
           ss_sae_calibration_rows(analysis->sae) == 0 &&
           ss_sae_batch_rows(analysis->sae) == 0 && ss_dataset_can_reread(analysis->dataset);
}

static ss_status find_identity(struct ss_pass_analysis *analysis, ss_err *err)
{
    struct ss_pass_checkpoint *checkpoint = &analysis->checkpoint;
    if (checkpoint->identity != NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_pass_identity(analysis, analysis->options->n_parts, true,
                                        &checkpoint->identity, err));
    return analysis->append.is_on
               ? ss_pass_append_join_identity(&analysis->append, &checkpoint->identity, err)
               : SS_OK;
}

/* ---- finding one ---- */

/* Rows that the dataset gave. */
static uint64_t n_given(const struct ss_pass_row_counts *counts)
{
    return counts->n_read - counts->n_unmatched - counts->n_unsampled;
}

static ss_status go_on(struct ss_pass_analysis *analysis, struct ss_pass_state *found,
                       ss_err *err)
{
    struct ss_pass_checkpoint *checkpoint = &analysis->checkpoint;
    const char *const names[] = {"what is asked for now", checkpoint->path};
    char rows[SS__COUNTED_TEXT_BYTES];
    SS_RETURN_IF_ERROR(find_identity(analysis, err));
    const ss_status status =
        ss_pass_state_check_same(checkpoint->identity, found->identity, names, err);
    if (status != SS_OK) {
        ss__err_append(err,
                       "; give the same options and files to go on with it, or begin again "
                       "with `force`");
        return status;
    }
    SS_RETURN_IF_ERROR(ss_pass_gather_merge(&analysis->state.gathered, &found->gathered, err));
    checkpoint->n_tokens = found->facts.n_tokens;
    checkpoint->n_reembedded = found->facts.n_reembedded;
    checkpoint->sae_counts = found->facts.sae_counts;
    checkpoint->largest_error = found->facts.largest_error;
    checkpoint->seconds_before = found->facts.seconds;
    const struct ss_pass_row_counts *before = &analysis->append.before.facts.counts;
    analysis->pass.n_passed_over = n_given(&found->facts.counts) - n_given(before);
    ss__log(&analysis->options->log, SS_LEVEL_NOTICE, "going on after %s, from %s",
            ss__format_counted(found->facts.counts.n_read, "row", rows), checkpoint->path);
    return SS_OK;
}

ss_status ss_pass_checkpoint_start(struct ss_pass_analysis *analysis, const char *name,
                                   ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_checkpoint *checkpoint = &analysis->checkpoint;
    struct ss_pass_state found = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    const struct ss_analyze_options *options = analysis->options;
    checkpoint->is_on = can_resume(analysis);
    if (!checkpoint->is_on) {
        return SS_OK;
    }
    checkpoint->seconds =
        options->checkpoint_seconds > 0 ? options->checkpoint_seconds : DEFAULT_SECONDS;
    checkpoint->due = ss__seconds_now() + checkpoint->seconds;
    checkpoint->path = ss__path_join(options->out_dir, name);
    if (checkpoint->path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (options->force) {
        unlink(checkpoint->path);
    } else if (ss__path_stat(checkpoint->path) == SS__PATH_FILE) {
        SS_TRY(ss_pass_state_read(checkpoint->path, options->pairs_bytes, &found, err));
        SS_TRY(go_on(analysis, &found, err));
        checkpoint->is_written = true;
    }
out:
    ss_pass_state_release(&found);
    return status;
}

/* ---- writing one ---- */

/* Rows that were gathered: those of `more` are not among those of the pipeline yet. */
static ss_status write_checkpoint(struct ss_pass_analysis *analysis,
                                  const struct ss_pass_row_counts *more, ss_err *err)
{
    struct ss_pass_checkpoint *checkpoint = &analysis->checkpoint;
    struct ss_pass_state *state = &analysis->state;
    struct ss__json *identity = state->identity;
    SS_RETURN_IF_ERROR(find_identity(analysis, err));
    SS_RETURN_IF_ERROR(ss_pass_gather_order(&state->gathered, err));
    state->facts.counts = analysis->pass.done.counts;
    ss_pass_row_counts_add(&state->facts.counts, &analysis->append.before.facts.counts);
    if (more != NULL) {
        ss_pass_row_counts_add(&state->facts.counts, more);
    }
    state->facts.n_tokens = checkpoint->n_tokens;
    state->facts.n_reembedded = checkpoint->n_reembedded;
    state->facts.sae_counts = checkpoint->sae_counts;
    state->facts.largest_error = checkpoint->largest_error;
    state->facts.seconds = checkpoint->seconds_before + ss__seconds_now() - checkpoint->started;
    state->identity = checkpoint->identity;
    const ss_status status = ss_pass_state_write(state, checkpoint->path, err);
    state->identity = identity;
    return status;
}

/* A checkpoint that cannot be written is no reason to stop: the one before is still there. */
static void try_checkpoint(struct ss_pass_analysis *analysis,
                           const struct ss_pass_row_counts *more)
{
    struct ss_pass_checkpoint *checkpoint = &analysis->checkpoint;
    const double before = ss__seconds_now();
    ss_err err;
    if (write_checkpoint(analysis, more, &err) == SS_OK) {
        checkpoint->is_written = true;
    } else {
        ss__log(&analysis->options->log, SS_LEVEL_WARNING,
                "where this run is could not be kept, which goes on: %s", err.message);
    }
    const double now = ss__seconds_now(), rest = COST_FACTOR * (now - before);
    const bool is_usual = analysis->options->checkpoint_seconds == 0;
    checkpoint->due =
        now + (is_usual && rest > checkpoint->seconds ? rest : checkpoint->seconds);
}

void ss_pass_checkpoint_take(struct ss_pass_analysis *analysis, const struct ss_pass_rows *rows)
{
    struct ss_pass_checkpoint *checkpoint = &analysis->checkpoint;
    const struct ss_pass *pass = &analysis->pass;
    const struct ss_pass_reached reached = {pass->reembed.n_rows, pass->sae_counts,
                                            pass->reembed.largest_error};
    if (!checkpoint->is_on) {
        return;
    }
    if (checkpoint->started == 0) {
        checkpoint->started = ss__seconds_now();
    }
    checkpoint->n_tokens += ss_tokenizer_tokens_n_ids(&rows->batch->tokens);
    checkpoint->n_reembedded += reached.n_reembedded - checkpoint->reached.n_reembedded;
    checkpoint->sae_counts.n_tied_rows +=
        reached.sae_counts.n_tied_rows - checkpoint->reached.sae_counts.n_tied_rows;
    checkpoint->sae_counts.n_borderline_pairs +=
        reached.sae_counts.n_borderline_pairs -
        checkpoint->reached.sae_counts.n_borderline_pairs;
    if (reached.largest_error > checkpoint->largest_error) {
        checkpoint->largest_error = reached.largest_error;
    }
    checkpoint->reached = reached;
    if (ss__seconds_now() >= checkpoint->due) {
        try_checkpoint(analysis, &rows->batch->counts);
    }
}

bool ss_pass_checkpoint_stop(struct ss_pass_analysis *analysis)
{
    struct ss_pass_checkpoint *checkpoint = &analysis->checkpoint;
    const bool is_late = checkpoint->started > 0 &&
                         ss__seconds_now() - checkpoint->started >= checkpoint->seconds;
    if (checkpoint->is_on && is_late) {
        try_checkpoint(analysis, NULL);
    }
    return checkpoint->is_on && checkpoint->is_written;
}

void ss_pass_checkpoint_clean(const char *folder, const char *name, size_t n_files)
{
    struct ss_pass_state found = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    char *path = ss__path_join(folder, name);
    if (path != NULL && ss__path_stat(path) == SS__PATH_FILE &&
        ss_pass_state_read(path, 0, &found, NULL) == SS_OK) {
        const struct ss__json *dataset = ss__json_get(found.identity, "dataset");
        if (ss__json_count(ss__json_get(dataset, "files")) == n_files) {
            unlink(path);
        }
    }
    ss_pass_state_release(&found);
    ss__free(path);
}

void ss_pass_checkpoint_drop(struct ss_pass_analysis *analysis)
{
    if (analysis->checkpoint.is_written) {
        unlink(analysis->checkpoint.path);
        analysis->checkpoint.is_written = false;
    }
}

void ss_pass_checkpoint_release(struct ss_pass_checkpoint *checkpoint)
{
    ss__free(checkpoint->path);
    ss__json_free(checkpoint->identity);
    *checkpoint = (struct ss_pass_checkpoint){.path = NULL};
}
