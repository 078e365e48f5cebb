/* A command that is given again when its run is finished: nothing is done. What the run is made of
 * stands in its run.json as "identity"; files whose time is another since are told by their
 * hashes. */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "dataset/dataset.h"
#include "folder/plot.h"
#include "folder/snapshot.h"
#include "pass/inputs_json.h"
#include "run/finish.h"
#include "run/steps.h"

struct finished {
    struct ss_pass_analysis *analysis;
    const char *folder;
    struct ss__json *root; /* run.json */
};

bool ss_run_has_finished(const struct ss_analyze_options *options)
{
    ss_folder_state state = SS_FOLDER_NONE;
    char *snapshot = NULL;
    const bool is_asked = options->out_dir != NULL && !options->force && !options->append &&
                          options->n_parts == 0;
    const bool is_known =
        is_asked && ss_folder_look(options->out_dir, &state, &snapshot, NULL) == SS_OK;
    ss__free(snapshot);
    return is_known && state == SS_FOLDER_COMPLETE;
}

/* ---- whether the rows can be known again ---- */

/* Files are known by what is in them, of a hub by their commit. */
static bool has_known_files(const struct ss__json *dataset)
{
    const char *commit = ss__json_string(ss__json_get(dataset, "commit"));
    const struct ss__json *file = NULL;
    size_t i = 0;
    bool is_known = true;
    if ((commit != NULL && commit[0] != '\0') ||
        ss__json_count(ss__json_get(dataset, "archives")) > 0) {
        return true;
    }
    SS_JSON_EACH (ss__json_get(dataset, "files"), i, file) {
        is_known = is_known && ss__json_get(file, "edges") != NULL;
    }
    return is_known;
}

static bool can_compare(const struct ss_pass_analysis *analysis,
                        const struct ss__json *identity)
{
    const struct ss__json *embeddings = ss__json_get(identity, "embeddings");
    const struct ss__json *dataset = ss__json_get(identity, "dataset");
    const struct ss__json *file = ss__json_at(ss__json_get(embeddings, "files"), 0);
    return (embeddings == NULL || ss__json_is_string(ss__json_get(file, "sha256"))) &&
           (dataset == NULL ||
            (ss_dataset_can_reread(analysis->dataset) && has_known_files(dataset)));
}

/* ---- what differs ---- */

static ss_status fail_other(const struct finished *finished, const char *what, ss_err *err)
{
    return ss__fail_file(err, finished->folder, SS_E_EXISTS,
                         "this folder holds a finished run of another analysis: %.500s; name "
                         "another folder, or replace its results with `force`",
                         what);
}

static ss_status check_identity(const struct finished *finished, const struct ss__json *asked,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf place = {0};
    const char *text = NULL;
    SS_TRY(ss_pass_state_difference(ss__json_get(finished->root, "identity"), asked, &place,
                                    &text, err));
    if (text != NULL) {
        ss__buf_add_text(&place, " differs");
        text = ss__buf_text(&place);
        SS_TRY(fail_other(finished, text == NULL ? "something differs" : text, err));
    }
out:
    ss__buf_release(&place);
    return status;
}

/* Sizes and edges are equal: one that was written to since is hashed. */
static ss_status check_file(const struct finished *finished, const char *path,
                            const struct ss__json *recorded, ss_err *err)
{
    struct ss__file_facts facts;
    char now[SS_PASS_TIME_BYTES], hex[SS__SHA256_HEX_BYTES] = "", what[512];
    const char *then = ss__json_string(ss__json_get(recorded, "modified"));
    const char *hash = ss__json_string(ss__json_get(recorded, "sha256"));
    if (then == NULL || !ss__file_facts_at(path, &facts)) {
        return SS_OK;
    }
    ss_pass_format_time(facts.modified, now);
    if (strcmp(then, now) == 0) {
        return SS_OK;
    }
    if (hash != NULL) {
        SS_RETURN_IF_ERROR(ss__sha256_file(path, &finished->analysis->pass.asking, hex, err));
    }
    if (hash != NULL && strcmp(hash, hex) == 0) {
        return SS_OK;
    }
    ss__snprintf(what, sizeof what, "%.400s was written to since", path);
    return fail_other(finished, what, err);
}

static ss_status check_files(const struct finished *finished, const char *key,
                             const char *const *paths, size_t n, ss_err *err)
{
    const struct ss__json *files = ss__json_get(ss__json_get(finished->root, "dataset"), key);
    for (size_t i = 0; i < n; i++) {
        SS_RETURN_IF_ERROR(check_file(finished, paths[i], ss__json_at(files, i), err));
    }
    return SS_OK;
}

static ss_status check_dataset(const struct finished *finished, ss_err *err)
{
    struct ss_dataset_info info = {.struct_size = sizeof info};
    if (finished->analysis->dataset == NULL) {
        return SS_OK;
    }
    ss_dataset_describe(finished->analysis->dataset, &info);
    SS_RETURN_IF_ERROR(check_files(finished, "files", info.files, info.n_files, err));
    return check_files(finished, "archives", info.archives, info.n_archives, err);
}

/* The title of the histogram, which names the dataset unless another was given. */
static ss_status check_title(const struct finished *finished, ss_err *err)
{
    char what[512];
    const char *title = finished->analysis->options->title;
    const struct ss__json *settings = ss__json_get(finished->root, "settings");
    const char *then = ss__json_string(ss__json_get(settings, "title"));
    if (title == NULL || (then != NULL && strcmp(title, then) == 0)) {
        return SS_OK;
    }
    ss__snprintf(what, sizeof what, "its title is '%.200s', not '%.200s'",
                 then == NULL ? "" : then, title);
    return fail_other(finished, what, err);
}

static ss_status check_saved(const struct finished *finished, ss_err *err)
{
    char what[512];
    const char *saved = finished->analysis->options->save_embeddings;
    if (saved == NULL || ss__path_stat(saved) != SS__PATH_NONE) {
        return SS_OK;
    }
    ss__snprintf(what, sizeof what, "it has no embeddings in %.400s (`save_embeddings`)",
                 saved);
    return fail_other(finished, what, err);
}

/* ---- what is left to do ---- */

static bool has_file(const struct finished *finished, const char *name)
{
    return ss__path_look_in(finished->folder, name) != SS__PATH_NONE;
}

/* A run that was stopped while its steps were made, or of which more are wanted now. */
static ss_status do_steps(const struct finished *finished, const ss_run *run, ss_err *err)
{
    const struct ss_pass_analysis *analysis = finished->analysis;
    const struct ss_analyze_options *options = analysis->options;
    const struct ss_run_steps steps = {
        .folder = finished->folder,
        .run = run,
        .encoder = analysis->encoder,
        .sae = analysis->sae,
        .has_evidence = has_file(finished, SS_FOLDER_FILE_EVIDENCE_TEXTS),
        .has_texts = analysis->encoder != NULL || analysis->dataset != NULL,
        .has_pairs = has_file(finished, SS_FOLDER_FILE_COACTIVATION),
        .has_centroids = has_file(finished, SS_FOLDER_FILE_CENTROIDS),
        .n_threads = options->n_threads,
        .log = options->log,
        .progress = options->progress,
    };
    unsigned chosen = analysis->steps;
    ss_run_steps_leave_done(finished->root, &chosen);
    ss__log(&options->log, SS_LEVEL_NOTICE,
            chosen == 0 ? "%s is complete already; nothing was done (`force` makes it again)"
                        : "%s is complete already, but for what is made of it now",
            finished->folder);
    SS_RETURN_IF_ERROR(ss_run_steps_skip(&steps, finished->folder, &chosen, err));
    return ss_run_steps_do(&steps, chosen, err);
}

static ss_status read_run(const struct finished *finished, ss_run **out, ss_err *err)
{
    const struct ss_run_options options = {.struct_size = sizeof options,
                                           .log = finished->analysis->options->log,
                                           .progress = finished->analysis->options->progress};
    return ss_run_open(finished->folder, &options, out, err);
}

ss_status ss_run_finished_find(struct ss_pass_analysis *analysis, ss_run **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct finished finished = {.analysis = analysis, .folder = analysis->options->out_dir};
    struct ss__json *asked = NULL, *identity = NULL;
    ss_run *run = NULL;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    char *path = ss__path_join(finished.folder, SS_FOLDER_FILE_MANIFEST);
    *out = NULL;
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (ss__json_load(path, &finished.root, NULL) != SS_OK ||
        !ss__json_is_object(ss__json_get(finished.root, "identity"))) {
        goto out; /* none of ours, or of an earlier version */
    }
    SS_TRY(ss_pass_identity(analysis, 0, false, &identity, err));
    if (!can_compare(analysis, identity)) {
        goto out;
    }
    ss_pass_state_put_identity(&writer, NULL, identity);
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__json_parse("identity", writer.buf.data, writer.buf.n_bytes, &asked, err));
    SS_TRY(check_identity(&finished, asked, err));
    SS_TRY(check_dataset(&finished, err));
    SS_TRY(check_title(&finished, err));
    SS_TRY(check_saved(&finished, err));
    ss_pass_checkpoint_clean(
        finished.folder, SS_FOLDER_CHECKPOINT_NAME,
        ss__json_count(ss__json_get(ss__json_get(asked, "dataset"), "files")));
    SS_TRY(read_run(&finished, &run, err));
    analysis->is_written = true; /* whatever becomes of the steps */
    SS_TRY(do_steps(&finished, run, err));
    *out = run;
    run = NULL;
out:
    ss_run_free(run);
    ss__json_free(identity);
    ss__json_free(asked);
    ss__json_free(finished.root);
    ss__buf_release(&writer.buf);
    ss__free(path);
    return status;
}
