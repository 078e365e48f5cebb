/* A part of an analysis: its rows go through the pass, and what was gathered of them into a file
 * that ss_merge reads. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "dataset/dataset.h"
#include "pass/analysis.h"

/* What a part would have to know of other rows is refused before any work is done. */
ss_status ss_pass_part_check(const struct ss_pass_analysis *analysis, ss_err *err)
{
    const struct ss_analyze_options *options = analysis->options;
    const struct {
        bool is_so;
        const char *why;
    } refused[] = {
        {options->out_dir == NULL, "a part is written into a folder, and none was named"},
        {options->embeddings != NULL || analysis->dataset == NULL,
         "embeddings that are there are not cut into parts; they are encoded a thousand times "
         "faster than texts are embedded, so that one process does it"},
        {options->num_examples > 0,
         "`num_examples` counts used rows from the first one on, which a part does not know; "
         "take the rows into a file of their own"},
        {options->save_embeddings != NULL,
         "a file of embeddings has those of a whole dataset in their order; embed the files of "
         "parts with saescope embed"},
        {ss_sae_calibration_rows(analysis->sae) > 0,
         "the threshold of this SAE is found on the first rows, which one part alone has; find "
         "it once (saescope analyze of some rows says it), and give it with "
         "`batchtopk_threshold`"},
        {ss_sae_batch_rows(analysis->sae) > 0,
         "`batchtopk` batch takes batches of rows from the first one on, which a part does not "
         "know; use threshold or row-topk"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (refused[i].is_so) {
            ss__fail(err, SS_E_USAGE, "`part`: %s", refused[i].why);
            ss__err_about(err, "part");
            return SS_E_USAGE;
        }
    }
    return SS_OK;
}

/* FOLDER/00017-of-01000.state; gives, NULL when memory ran out. */
static char *part_path(const struct ss_analyze_options *options)
{
    char name[64];
    snprintf(name, sizeof name, "%05llu-of-%05llu.state", (unsigned long long)options->part,
             (unsigned long long)options->n_parts);
    return ss__path_join(options->out_dir, name);
}

/* Whether the part was made before. Errors: it is there, but was made of other things. */
static ss_status find_made(struct ss_pass_analysis *analysis, const char *path, bool *is_made,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_state found = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    const char *const names[] = {"what is asked for now", path};
    *is_made = false;
    if (analysis->options->force || ss__path_stat(path) == SS__PATH_NONE) {
        return SS_OK;
    }
    SS_TRY(ss_pass_state_read(path, 0, &found, err));
    SS_TRY(ss_pass_state_check_same(analysis->state.identity, found.identity, names, err));
    *is_made = true;
    ss__log(&analysis->options->log, SS_LEVEL_NOTICE,
            "%s is complete already; nothing was done (`force` makes it again)", path);
out:
    if (status == SS_E_DATA) {
        ss__err_append(err, "; `force` makes it again");
    }
    ss_pass_state_release(&found);
    return status;
}

static ss_status write_part(struct ss_pass_analysis *analysis, const char *path, ss_err *err)
{
    struct ss_pass_facts *facts = &analysis->state.facts;
    SS_ALLOC_OR_RETURN(facts->parts, 1);
    facts->parts[0] = (struct ss_pass_part){analysis->options->part, ""};
    facts->n_done = 1;
    facts->n_parts = analysis->options->n_parts;
    ss_pass_facts_sort_warnings(facts);
    return ss_pass_state_write_named(&analysis->state, path, true, err);
}

ss_status ss_pass_part_make(struct ss_pass_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_analyze_options *options = analysis->options;
    bool is_made = false;
    size_t n_made = 0;
    char checkpoint[64];
    char *path = part_path(options);
    snprintf(checkpoint, sizeof checkpoint, ".%05llu-of-%05llu.checkpoint",
             (unsigned long long)options->part, (unsigned long long)options->n_parts);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    SS_TRY(ss_dataset_take_part(analysis->dataset, options->part, options->n_parts, err));
    SS_TRY(ss__make_folder(options->out_dir, &n_made, err));
    SS_TRY(ss_pass_identity(analysis, options->n_parts, false, &analysis->state.identity, err));
    SS_TRY(find_made(analysis, path, &is_made, err));
    if (!is_made) {
        SS_TRY(ss_pass_checkpoint_start(analysis, checkpoint, err));
        SS_TRY(ss_pass_run(&analysis->pass, err));
        SS_TRY(ss_pass_take_facts(analysis, err));
        SS_TRY(ss_pass_gather_order(&analysis->state.gathered, err));
        SS_TRY(write_part(analysis, path, err));
        ss_pass_checkpoint_drop(analysis);
    }
    analysis->is_written = true;
out:
    ss__unmake_folder(options->out_dir, n_made); /* where nothing is in it */
    ss__free(path);
    return status;
}
