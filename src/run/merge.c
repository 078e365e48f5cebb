/* States of parts -> the state of all -> the folder of a run, or a state again.
 *
 * States are read one at a time and merged into the first, so memory is that of the state of
 * all and one part. Merging is commutative and associative down to the bytes
 * (docs/formats.md, "state"), and a part that is there already is left out where its content
 * is the same and refused where it is not: who merges twice, or merges sums of parts that
 * overlap, gets the same run or an error. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "run/finish.h"
#include "run/run_models.h"
#include "run/steps.h"

struct merging {
    const char *const *paths;
    size_t n_paths;
    const struct ss_merge_options *options;
    struct ss_pass_state state;
    struct ss_log log;
    struct ss__asking asking;
};

/* ---- the state of all ---- */

static ss_status merge_one(struct merging *merging, size_t i, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_state part = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    const char *const names[] = {i == 1 ? merging->paths[0] : "the states before it",
                                 merging->paths[i]};
    bool is_known = false;
    SS_TRY(ss_pass_state_read(merging->paths[i], merging->options->pairs_bytes, &part, err));
    SS_TRY(ss_pass_state_merge(&merging->state, &part, names, &is_known, err));
    if (is_known) {
        ss__log(&merging->log, SS_LEVEL_NOTICE,
                "%s: its parts are there already, with the same content; it is left out",
                merging->paths[i]);
    }
out:
    ss_pass_state_release(&part);
    return status;
}

static ss_status merge_all(struct merging *merging, ss_err *err)
{
    if (merging->n_paths == 0) {
        return ss__fail(err, SS_E_USAGE, "no states were given to merge");
    }
    SS_RETURN_IF_ERROR(ss_pass_state_read(merging->paths[0], merging->options->pairs_bytes,
                                          &merging->state, err));
    if (merging->state.facts.n_done == 0) {
        return ss__fail_file(err, merging->paths[0], SS_E_DATA,
                             "this is no part of an analysis that was made in parts; to add "
                             "files to a run there is `append`");
    }
    for (size_t i = 1; i < merging->n_paths; i++) {
        SS_RETURN_IF_ERROR(ss__check_stop(&merging->asking, err));
        SS_RETURN_IF_ERROR(merge_one(merging, i, err));
    }
    return ss_pass_gather_order(&merging->state.gathered, err);
}

/* ---- what is missing ---- */

/* Such as "3, 7-9"; at most a few hundred characters. */
static void list_missing(const struct ss_pass_facts *facts, struct ss__buf *list)
{
    enum { MOST_BYTES = 300 };
    size_t at = 0;
    for (uint64_t part = 1; part <= facts->n_parts;) {
        while (at < facts->n_done && facts->parts[at].part < part) {
            at++;
        }
        if (at < facts->n_done && facts->parts[at].part == part) {
            part++;
            continue;
        }
        const uint64_t next = at < facts->n_done ? facts->parts[at].part : facts->n_parts + 1;
        if (list->n_bytes > MOST_BYTES) {
            ss__buf_add_text(list, ", and more");
            return;
        }
        ss__buf_printf(list, "%s%llu", list->n_bytes == 0 ? "" : ", ",
                       (unsigned long long)part);
        if (next - part > 1) {
            ss__buf_printf(list, "-%llu", (unsigned long long)(next - 1));
        }
        part = next;
    }
}

static ss_status check_complete(struct merging *merging, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_pass_facts *facts = &merging->state.facts;
    struct ss__buf list = {0};
    if (facts->n_done == facts->n_parts || facts->n_parts == 0) {
        return SS_OK;
    }
    list_missing(facts, &list);
    const char *text = ss__buf_text(&list);
    if (merging->options->allow_missing) {
        ss__log(&merging->log, SS_LEVEL_WARNING,
                "of %llu parts these are missing, and their rows with them: %s",
                (unsigned long long)facts->n_parts, text == NULL ? "" : text);
    } else {
        status = ss__fail(err, SS_E_NOINPUT,
                          "of %llu parts these are missing: %s; make them, or leave them out "
                          "with `allow_missing`",
                          (unsigned long long)facts->n_parts, text == NULL ? "" : text);
        ss__err_about(err, "allow_missing");
    }
    ss__buf_release(&list);
    return status;
}

/* ---- the run ---- */

static struct ss_analyze_options options_of(const struct merging *merging)
{
    const struct ss_merge_options *options = merging->options;
    return (struct ss_analyze_options){
        .struct_size = sizeof(struct ss_analyze_options),
        .out_dir = options->out_dir,
        .force = options->force,
        .top_k = ss_stats_top_k(merging->state.gathered.top),
        .keep_duplicates = ss_stats_top_keeps_duplicates(merging->state.gathered.top),
        .n_threads = options->n_threads,
        .title = options->title,
        .evidence = merging->state.gathered.evidence.kind,
        .no_pairs = merging->state.gathered.graph.pairs == NULL,
        .log = options->log,
        .progress = options->progress,
        .steps = options->steps};
}

static ss_status make_run(struct merging *merging, const struct ss_run_models *models,
                          ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_analyze_options options = options_of(merging);
    struct ss_pass_analysis analysis = {
        .encoder = models->encoder,
        .sae = models->sae,
        .options = &options,
        .state = merging->state,
        .append = {.before = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}}},
        .top_k = options.top_k};
    merging->state =
        (struct ss_pass_state){.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    analysis.recorder = (struct ss_pass_recorder){options.log, &analysis.state.facts};
    analysis.pass =
        (struct ss_pass){.encoder = models->encoder,
                         .sae = models->sae,
                         .n_threads = options.n_threads,
                         .log = {.fn = ss_pass_recorder_note, .user = &analysis.recorder},
                         .progress = options.progress};
    if (options.title != NULL) {
        analysis.state.facts.title = options.title;
    }
    SS_TRY(ss_run_steps_choose(options.steps, &analysis.steps, err));
    SS_TRY(ss_pass_init(&analysis.pass, err));
    if (options.out_dir != NULL) {
        SS_TRY(ss_folder_open(options.out_dir, ss_run_analysis_files(analysis.files),
                              options.force, &analysis.folder, err));
    }
    SS_TRY(ss_run_analysis_finish(&analysis, out, err));
out:
    ss_run_analysis_release(&analysis);
    return status;
}

static ss_status finish(struct merging *merging, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_models models = {0};
    struct ss_pass_recorder recorder = {merging->options->log, &merging->state.facts};
    const struct ss_log log = {.fn = ss_pass_recorder_note, .user = &recorder};
    const struct ss_run_models_options options = {.n_threads = merging->options->n_threads,
                                                  .stop = merging->options->progress,
                                                  .model_path = merging->options->model_path,
                                                  .sae_path = merging->options->sae_path};
    merging->log = log;
    SS_TRY(check_complete(merging, err));
    SS_TRY(ss_pass_facts_number(&merging->state.facts, err));
    ss_pass_facts_say_rows(&merging->state.facts, &log);
    SS_TRY(ss_run_models_open_recorded(merging->paths[0], merging->state.facts.models, &options,
                                       &models, err));
    SS_TRY(make_run(merging, &models, out, err));
out:
    ss_run_models_close(&models);
    return status;
}

ss_status ss_merge(const char *const *states, size_t n_states,
                   const struct ss_merge_options *options, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_merge_options read = {.struct_size = sizeof read};
    struct merging merging = {.paths = states,
                              .n_paths = n_states,
                              .options = &read,
                              .state = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}}};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_merge_options, err));
    merging.log = read.log;
    merging.asking.stop = read.progress;
    SS_TRY(merge_all(&merging, err));
    if (read.state_path != NULL) {
        if (!read.force && ss__path_stat(read.state_path) != SS__PATH_NONE) {
            SS_FAIL_FILE(read.state_path, SS_E_EXISTS,
                         "this file exists; name another one, or replace it with `force`");
        }
        SS_TRY(ss_pass_state_write_named(&merging.state, read.state_path, read.force, err));
    } else {
        SS_TRY(finish(&merging, out, err));
    }
out:
    ss_pass_state_release(&merging.state);
    return status;
}
