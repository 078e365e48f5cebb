/* Which files of a dataset are in a run already: those of the same name with the same content. A
 * file that is at a place that the run had, with another content, is refused. */
#include "pass/append.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/number.h"
#include "dataset/dataset.h"
#include "pass/analysis.h"
#include "pass/inputs_json.h"

/* ---- what cannot be appended to ---- */

static ss_status check_options(const struct ss_pass_analysis *analysis, ss_err *err)
{
    const struct ss_analyze_options *options = analysis->options;
    const struct {
        bool is_so;
        const char *why;
    } refused[] = {
        {options->out_dir == NULL, "no run was named"},
        {options->n_parts > 0, "a part belongs to no run yet; append when all are merged"},
        {options->force, "`force` makes a run anew, and nothing is left to append to"},
        {options->embeddings != NULL || analysis->dataset == NULL,
         "embeddings that are there are encoded in no time; give those of all rows"},
        {options->num_examples > 0, "`num_examples` counts used rows from the first one on"},
        {options->save_embeddings != NULL,
         "a file of embeddings has those of a whole dataset; embed the new files"},
        {ss_sae_calibration_rows(analysis->sae) > 0,
         "the threshold of this SAE is found on the first rows; give the one that was found "
         "(run.json has it) with `batchtopk_threshold`"},
        {ss_sae_batch_rows(analysis->sae) > 0,
         "`batchtopk` batch takes batches of rows from the first one on"},
        {analysis->dataset != NULL && ss_dataset_n_sample(analysis->dataset) > 0,
         "`sample` chooses among all rows; choose with `where`"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (refused[i].is_so) {
            ss__fail(err, SS_E_USAGE, "`append`: %s", refused[i].why);
            ss__err_about(err, "append");
            return SS_E_USAGE;
        }
    }
    return SS_OK;
}

/* ---- the run that is there ---- */

/* What run.json says of its dataset, which the state does not repeat. */
static ss_status read_record(struct ss_pass_append *append, const char *folder, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    struct ss_pass_facts *facts = &append->before.facts;
    char *path = ss__path_join(folder, SS_FOLDER_FILE_MANIFEST);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__json_load(path, &root, err));
    const struct ss__json *dataset = ss__json_get(root, "dataset");
    if (ss__json_count(ss__json_get(dataset, "files")) != facts->n_files) {
        SS_FAIL_FILE(path, SS_E_DATA, "its files are not those of the state beside it");
    }
    ss__put_tree(&writer, NULL, dataset);
    SS_TRY(ss__buf_check(&writer.buf, err));
    SS_TRY(ss__json_parse(path, writer.buf.data, writer.buf.n_bytes, &facts->dataset, err));
out:
    ss__json_free(root);
    ss__buf_release(&writer.buf);
    ss__free(path);
    return status;
}

static ss_status read_before(struct ss_pass_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_append *append = &analysis->append;
    const char *folder = analysis->options->out_dir;
    char *path = ss__path_join(folder, SS_PASS_FILE_STATE);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (ss__path_look_in(folder, SS_FOLDER_FILE_MANIFEST) == SS__PATH_NONE) {
        SS_FAIL_FILE(folder, SS_E_NOINPUT,
                     "there is no finished run in this folder to append to");
    }
    if (ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(folder, SS_E_NOINPUT,
                     "this run keeps no state (" SS_PASS_FILE_STATE
                     "), without which nothing can be appended: it was made by an earlier "
                     "version, of some of the rows, of embeddings, or without evidence; make "
                     "it again");
    }
    SS_TRY(ss_pass_state_read(path, analysis->options->pairs_bytes, &append->before, err));
    SS_TRY(read_record(append, folder, err));
out:
    ss__free(path);
    return status;
}

/* ---- is it the same analysis ---- */

static bool is_same_text(const struct ss__json *a, const struct ss__json *b, const char *key)
{
    const char *x = ss__json_string(ss__json_get(a, key));
    const char *y = ss__json_string(ss__json_get(b, key));
    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

/* An identity but for its files. */
static ss_status without_files(const struct ss__json *identity, struct ss__json **out,
                               ss_err *err)
{
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    const char *key = NULL;
    const struct ss__json *value = NULL;
    *out = NULL;
    ss__put_open(&writer, NULL, '{');
    SS_JSON_EACH_MEMBER (identity, key, value) {
        if (strcmp(key, "dataset") == 0) {
            const char *member = NULL;
            const struct ss__json *item = NULL;
            ss__put_open(&writer, key, '{');
            SS_JSON_EACH_MEMBER (value, member, item) {
                if (strcmp(member, "files") != 0 && strcmp(member, "archives") != 0) {
                    ss__put_tree(&writer, member, item);
                }
            }
            ss__put_close(&writer, '}');
        } else if (strcmp(key, "parts") != 0) {
            ss__put_tree(&writer, key, value);
        }
    }
    ss__put_close(&writer, '}');
    return ss_pass_append_replace(&writer, out, err);
}

static ss_status check_same(const struct ss_pass_analysis *analysis, const struct ss__json *now,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *then = NULL, *asked = NULL;
    const char *const names[] = {"what is asked for now", analysis->options->out_dir};
    SS_TRY(without_files(analysis->append.before.identity, &then, err));
    SS_TRY(without_files(now, &asked, err));
    SS_TRY(ss_pass_state_check_same(then, asked, names, err));
out:
    if (status == SS_E_DATA) {
        ss__err_append(err, "; append with the options of the run");
    }
    ss__json_free(then);
    ss__json_free(asked);
    return status;
}

/* ---- which files are in ---- */

/* Lists of the run and of the dataset: files, or archives. */
struct lists {
    struct ss_pass_analysis *analysis;
    const struct ss__json *before, *now, *recorded; /* two identities, and run.json */
    const char *const *paths;                       /* of now */
    bool is_fixed; /* what has no content of its own is known by its name */
};

static bool is_same_place(const char *a, const char *b)
{
    struct stat x, y;
    return a != NULL && (strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 &&
                                               x.st_dev == y.st_dev && x.st_ino == y.st_ino));
}

/* Sizes and edges are equal; what was written to since is told by its hash. */
static ss_status has_same_content(const struct lists *lists, const char *path,
                                  const struct ss__json *recorded, bool *is_same, ss_err *err)
{
    struct ss__file_facts facts;
    char now[SS_PASS_TIME_BYTES], hex[SS__SHA256_HEX_BYTES] = "";
    const char *then = ss__json_string(ss__json_get(recorded, "modified"));
    const char *hash = ss__json_string(ss__json_get(recorded, "sha256"));
    *is_same = then == NULL || !ss__file_facts_at(path, &facts);
    if (*is_same) {
        return SS_OK;
    }
    ss_pass_format_time(facts.modified, now);
    *is_same = strcmp(now, then) == 0;
    if (!*is_same && hash != NULL) {
        SS_RETURN_IF_ERROR(ss__sha256_file(path, &lists->analysis->pass.asking, hex, err));
        *is_same = strcmp(hex, hash) == 0;
    }
    return SS_OK;
}

static ss_status fail_changed(const struct lists *lists, const char *path, ss_err *err)
{
    return ss__fail_file(err, path, SS_E_DATA,
                         "this file is in the run %s, and has changed since: rows of a file "
                         "are taken once; put new rows into a file of their own, or make the "
                         "run again with `force`",
                         lists->analysis->options->out_dir);
}

/* Whether file i of now is file j of before. */
static ss_status compare(const struct lists *lists, size_t i, size_t j, bool *is_known,
                         ss_err *err)
{
    const struct ss__json *now = ss__json_at(lists->now, i),
                          *then = ss__json_at(lists->before, j);
    const struct ss__json *recorded = ss__json_at(lists->recorded, j);
    const char *place = ss__json_string(ss__json_get(recorded, "path"));
    *is_known = false;
    if (!is_same_text(now, then, "name")) {
        return SS_OK;
    }
    if (ss__json_get(now, "edges") == NULL) {
        *is_known = lists->is_fixed && place != NULL && strcmp(place, lists->paths[i]) == 0;
        return SS_OK;
    }
    const int64_t n_bytes = ss__json_integer(ss__json_get(now, "bytes"));
    const bool is_here = is_same_place(place, lists->paths[i]);
    if (is_same_text(now, then, "edges") &&
        n_bytes == ss__json_integer(ss__json_get(then, "bytes")) && (n_bytes > 0 || is_here)) {
        SS_RETURN_IF_ERROR(has_same_content(lists, lists->paths[i], recorded, is_known, err));
    }
    return is_here && !*is_known ? fail_changed(lists, lists->paths[i], err) : SS_OK;
}

static ss_status find_known(const struct lists *lists, size_t i, bool *is_known, ss_err *err)
{
    const size_t n = ss__json_count(lists->before);
    *is_known = false;
    for (size_t j = 0; j < n && !*is_known; j++) {
        SS_RETURN_IF_ERROR(compare(lists, i, j, is_known, err));
    }
    return SS_OK;
}

/* Files of the run that are not named now, but are still there. */
static ss_status check_others(const struct lists *lists, ss_err *err)
{
    const struct ss__json *then = NULL;
    size_t j = 0;
    SS_JSON_EACH (lists->before, j, then) {
        char hex[SS__HASH_HEX_BYTES];
        const char *path =
            ss__json_string(ss__json_get(ss__json_at(lists->recorded, j), "path"));
        const char *edges = ss__json_string(ss__json_get(then, "edges"));
        if (path == NULL || edges == NULL || ss__path_stat(path) != SS__PATH_FILE) {
            continue;
        }
        SS_RETURN_IF_ERROR(ss_pass_hash_edges(path, hex, err));
        if (strcmp(hex, edges) != 0) {
            return fail_changed(lists, path, err);
        }
    }
    return SS_OK;
}

static ss_status sort_files(struct ss_pass_analysis *analysis, const struct ss__json *now,
                            ss_err *err)
{
    struct ss_pass_append *append = &analysis->append;
    struct ss_dataset_info info = {.struct_size = sizeof info};
    const struct ss__json *before = ss__json_get(append->before.identity, "dataset");
    const struct ss__json *recorded = append->before.facts.dataset;
    const char *commit = ss__json_string(ss__json_get(before, "commit"));
    ss_dataset_describe(analysis->dataset, &info);
    append->n_files = info.n_files;
    append->n_archives = info.n_archives;
    SS_ALLOC_OR_RETURN(append->file_of, info.n_files + 1);
    SS_ALLOC_OR_RETURN(append->is_known, info.n_archives + 1);
    struct lists lists = {analysis,
                          ss__json_get(before, "archives"),
                          ss__json_get(now, "archives"),
                          ss__json_get(recorded, "archives"),
                          info.archives,
                          false};
    for (size_t i = 0; i < info.n_archives; i++) {
        SS_RETURN_IF_ERROR(find_known(&lists, i, &append->is_known[i], err));
    }
    SS_RETURN_IF_ERROR(check_others(&lists, err));
    lists.is_fixed = ss__json_count(lists.before) > 0 || (commit != NULL && commit[0] != '\0');
    lists.before = ss__json_get(before, "files");
    lists.now = ss__json_get(now, "files");
    lists.recorded = ss__json_get(recorded, "files");
    lists.paths = info.files;
    for (size_t i = 0; i < info.n_files; i++) {
        bool is_known = false;
        SS_RETURN_IF_ERROR(find_known(&lists, i, &is_known, err));
        append->file_of[i] = is_known
                                 ? SS_PASS_FILE_KNOWN
                                 : (uint32_t)(append->before.facts.n_files + append->n_new);
        append->n_new += !is_known;
    }
    return check_others(&lists, err);
}

static void say_known(const struct ss_pass_analysis *analysis)
{
    const struct ss_pass_append *append = &analysis->append;
    char files[SS__COUNTED_TEXT_BYTES];
    const size_t n_known = append->n_files - append->n_new;
    ss__format_counted(n_known, "file", files);
    if (append->n_new == 0) {
        ss__log(&analysis->options->log, SS_LEVEL_NOTICE,
                "%s: %s given, all in it already; nothing was done", analysis->options->out_dir,
                files);
    } else if (n_known > 0) {
        ss__log(&analysis->options->log, SS_LEVEL_NOTICE,
                "%s: of the files, %s in it already and left out", analysis->options->out_dir,
                files);
    }
}

ss_status ss_pass_append_start(struct ss_pass_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_append *append = &analysis->append;
    struct ss__json *now = NULL;
    bool *is_left_out = NULL;
    SS_TRY(check_options(analysis, err));
    SS_TRY(read_before(analysis, err));
    SS_TRY(ss_pass_identity(analysis, 0, false, &now, err));
    SS_TRY(check_same(analysis, now, err));
    SS_TRY(sort_files(analysis, ss__json_get(now, "dataset"), err));
    append->is_on = true;
    say_known(analysis);
    append->numbering = (struct ss_pass_numbering){.file_of = append->file_of};
    analysis->state.gathered.numbering = &append->numbering;
    SS_ALLOC(is_left_out, append->n_files + 1);
    for (size_t i = 0; i < append->n_files; i++) {
        is_left_out[i] = append->file_of[i] == SS_PASS_FILE_KNOWN;
    }
    SS_TRY(ss_dataset_leave_out(analysis->dataset, is_left_out, err));
    SS_TRY(ss_pass_append_join_identity(append, &now, err));
    analysis->state.identity = now;
    now = NULL;
out:
    ss__free(is_left_out);
    ss__json_free(now);
    return status;
}

ss_status ss_pass_append_merge(struct ss_pass_analysis *analysis, ss_err *err)
{
    struct ss_pass_state *before = &analysis->append.before;
    if (!analysis->checkpoint.is_written) {
        SS_RETURN_IF_ERROR(
            ss_pass_gather_merge(&analysis->state.gathered, &before->gathered, err));
    }
    ss_pass_gather_abort(&before->gathered);
    return SS_OK;
}

/* ---- facts ---- */

/* Takes a sentence away that is said again of all rows. */
static void forget(void *user, ss_level level, const char *sentence)
{
    struct ss_pass_facts *facts = user;
    size_t n = 0;
    (void)level;
    for (size_t i = 0; i < facts->n_warnings; i++) {
        if (strcmp(facts->warnings[i], sentence) != 0) {
            facts->warnings[n++] = facts->warnings[i];
        }
    }
    facts->n_warnings = n;
}

/* Give the facts of before the files of now. */
static ss_status widen(struct ss_pass_facts *facts, const struct ss_pass_facts *now,
                       ss_err *err)
{
    const char **files = NULL;
    uint64_t *file_rows = NULL;
    SS_ALLOC_OR_RETURN(files, now->n_files);
    ss__free(facts->files);
    memcpy(files, now->files, now->n_files * sizeof *files);
    facts->files = files;
    SS_ALLOC_OR_RETURN(file_rows, now->n_files);
    for (size_t i = 0; i < now->n_files; i++) {
        file_rows[i] = i < facts->n_files ? facts->file_rows[i] : SS_PASS_ROWS_UNKNOWN;
    }
    ss__free(facts->file_rows);
    facts->file_rows = file_rows;
    facts->n_files = now->n_files;
    ss__json_free(facts->dataset);
    facts->dataset = ss__json_share(now->dataset);
    return SS_OK;
}

ss_status ss_pass_append_facts(struct ss_pass_analysis *analysis, ss_err *err)
{
    struct ss_pass_facts *now = &analysis->state.facts,
                         *before = &analysis->append.before.facts;
    const char *const names[] = {"the new rows", analysis->options->out_dir};
    const struct ss_log forgets = {.fn = forget, .user = before};
    SS_RETURN_IF_ERROR(ss_pass_facts_number(before, err));
    ss_pass_facts_say_rows(before, &forgets);
    SS_RETURN_IF_ERROR(widen(before, now, err));
    SS_RETURN_IF_ERROR(ss_pass_facts_merge(now, before, names, err));
    SS_RETURN_IF_ERROR(ss_pass_facts_number(now, err));
    ss_pass_facts_say_rows(now, &analysis->pass.log);
    return SS_OK;
}
