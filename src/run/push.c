/* An analysis whose rows come in calls: each call is a pass over the rows that it brought, which go
 * into reducers that stay. Rows of one file that follow one another are a dataset of their own,
 * since every row of a dataset tells the name of its file. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "dataset/dataset.h"
#include "folder/results.h"
#include "pass/analysis.h"
#include "pass/inputs_json.h"
#include "run/finish.h"
#include "run/steps.h"

/* Rows of one file that are given to a pass, one after the other. */
struct giving {
    const struct ss_pushed_rows *rows;
    size_t at, end, n_columns;
};

struct ss_analysis {
    struct ss_pass_analysis inner;
    struct ss_analyze_options options;
    struct ss__arena arena; /* of names */
    const char **files;     /* [n_files] */
    uint64_t *file_rows;    /* [n_files] SS_PASS_ROWS_UNKNOWN where that is so */
    const char **columns;   /* [n_columns] */
    size_t n_files, n_columns;
    uint64_t next_row; /* of rows that have no number of their own */
    uint64_t n_added;  /* since the last state that was taken over */
    const char *name;
    bool is_over; /* by an error, or because the run was made */
};

/* ---- opening ---- */

static ss_status check_options(const ss_analysis *analysis, const ss_encoder *encoder,
                               const ss_sae *sae, ss_err *err)
{
    const struct ss_analyze_options *options = &analysis->options;
    const struct {
        bool is_so;
        const char *about, *why;
    } refused[] = {
        {encoder == NULL || options->embeddings != NULL, "embeddings",
         "rows that are handed over are texts"},
        {options->save_embeddings != NULL, "save_embeddings",
         "rows that are handed over have no file of embeddings"},
        {options->num_examples > 0, "num_examples", "hand over as many rows as are wanted"},
        {options->n_parts > 0, "part", "each process hands over its own rows"},
        {options->append, "append", "merge the state of the run instead"},
        {ss_sae_calibration_rows(sae) > 0, "batchtopk_threshold",
         "the threshold of this SAE is found on the first rows; give it"},
        {ss_sae_batch_rows(sae) > 0, "batchtopk",
         "batches of rows from the first one on are not known here; use threshold or row-topk"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        if (refused[i].is_so) {
            ss__fail(err, SS_E_USAGE, "`%s`: %s", refused[i].about, refused[i].why);
            ss__err_about(err, refused[i].about);
            return SS_E_USAGE;
        }
    }
    return SS_OK;
}

static ss_status copy_names(ss_analysis *analysis, const char *const *names, size_t n,
                            const char ***out, ss_err *err)
{
    SS_ALLOC_OR_RETURN(*out, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *name = names == NULL || names[i] == NULL ? "" : names[i];
        (*out)[i] = ss__arena_strndup(&analysis->arena, name, strlen(name));
        if ((*out)[i] == NULL) {
            return ss__fail_nomem(err, "names");
        }
    }
    return SS_OK;
}

static ss_status take_rows(ss_analysis *analysis, const struct ss_push_options *rows,
                           ss_err *err)
{
    const char *name = rows->name == NULL ? "memory" : rows->name;
    const bool is_one = rows->files == NULL;
    analysis->n_files = is_one ? 1 : rows->n_files;
    analysis->n_columns = rows->n_columns;
    if (analysis->n_files == 0 || analysis->n_files > SS_PASS_MAX_FILES) {
        return ss__fail(err, SS_E_USAGE, "rows are of 1 to %llu files",
                        (unsigned long long)SS_PASS_MAX_FILES);
    }
    analysis->name = ss__arena_strndup(&analysis->arena, name, strlen(name));
    if (analysis->name == NULL) {
        return ss__fail_nomem(err, "names");
    }
    SS_RETURN_IF_ERROR(copy_names(analysis, is_one ? &analysis->name : rows->files,
                                  analysis->n_files, &analysis->files, err));
    SS_RETURN_IF_ERROR(
        copy_names(analysis, rows->columns, rows->n_columns, &analysis->columns, err));
    SS_ALLOC_OR_RETURN(analysis->file_rows, analysis->n_files);
    for (size_t i = 0; i < analysis->n_files; i++) {
        analysis->file_rows[i] =
            rows->file_rows == NULL ? SS_PASS_ROWS_UNKNOWN : rows->file_rows[i];
    }
    return SS_OK;
}

static ss_status reduce_rows(void *user, const struct ss_pass_rows *rows, ss_err *err)
{
    struct ss_pass_analysis *inner = user;
    inner->state.facts.n_tokens += ss_tokenizer_tokens_n_ids(&rows->batch->tokens);
    return ss_pass_gather_take(&inner->state.gathered, rows, err);
}

static void put_names(struct ss__json_writer *writer, const char *key, const char *const *names,
                      size_t n)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        ss__put_text(writer, NULL, names[i]);
    }
    ss__put_close(writer, ']');
}

/* What all have in common who hand over rows of one analysis, and what run.json says of them. */
static ss_status make_documents(ss_analysis *analysis, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_facts *facts = &analysis->inner.state.facts;
    struct ss__json_writer pushed = {.style = SS__JSON_COMPACT};
    struct ss__json_writer dataset = {.style = SS__JSON_COMPACT};
    struct ss__json_writer options = {.style = SS__JSON_COMPACT};
    SS_TRY(ss_pass_identity(&analysis->inner, 0, false, &analysis->inner.state.identity, err));
    ss__put_open(&pushed, NULL, '{');
    const char *key = NULL;
    const struct ss__json *value = NULL;
    SS_JSON_EACH_MEMBER (analysis->inner.state.identity, key, value) {
        ss__put_tree(&pushed, key, value);
    }
    ss__put_open(&pushed, "rows", '{');
    ss__put_text(&pushed, "name", analysis->name);
    put_names(&pushed, "files", analysis->files, analysis->n_files);
    put_names(&pushed, "columns", analysis->columns, analysis->n_columns);
    ss__put_close(&pushed, '}');
    ss__put_close(&pushed, '}');
    ss__put_open(&dataset, NULL, '{');
    ss__put_text(&dataset, "name", analysis->name);
    ss__put_text(&dataset, "format", "memory");
    ss__put_text(&dataset, "text_column", "text");
    ss__put_open(&dataset, "files", '[');
    for (size_t i = 0; i < analysis->n_files; i++) {
        ss__put_open(&dataset, NULL, '{');
        ss__put_text(&dataset, "path", analysis->files[i]);
        ss__put_null(&dataset, "sha256");
        ss__put_close(&dataset, '}');
    }
    ss__put_close(&dataset, ']');
    ss__put_close(&dataset, '}');
    ss_pass_put_options(&options, NULL, &analysis->options);
    SS_TRY(ss__buf_check(&pushed.buf, err));
    SS_TRY(ss__buf_check(&dataset.buf, err));
    SS_TRY(ss__buf_check(&options.buf, err));
    ss__json_free(analysis->inner.state.identity);
    analysis->inner.state.identity = NULL;
    SS_TRY(ss__json_parse("rows", pushed.buf.data, pushed.buf.n_bytes,
                          &analysis->inner.state.identity, err));
    SS_TRY(ss__json_parse("rows", dataset.buf.data, dataset.buf.n_bytes, &facts->dataset, err));
    SS_TRY(ss__json_parse("rows", options.buf.data, options.buf.n_bytes, &facts->options, err));
out:
    ss__buf_release(&pushed.buf);
    ss__buf_release(&dataset.buf);
    ss__buf_release(&options.buf);
    return status;
}

static ss_status take_facts(ss_analysis *analysis, ss_err *err)
{
    struct ss_pass_facts *facts = &analysis->inner.state.facts;
    SS_ALLOC_OR_RETURN(facts->files, analysis->n_files);
    SS_ALLOC_OR_RETURN(facts->file_rows, analysis->n_files);
    for (; facts->n_files < analysis->n_files; facts->n_files++) {
        facts->files[facts->n_files] = analysis->files[facts->n_files];
        facts->file_rows[facts->n_files] = analysis->file_rows[facts->n_files];
    }
    facts->dataset_name = analysis->name;
    facts->title = analysis->options.title;
    facts->error_margin = analysis->inner.pass.reembed.error;
    return make_documents(analysis, err);
}

static ss_status prepare(ss_analysis *analysis, const ss_encoder *encoder, const ss_sae *sae,
                         ss_err *err)
{
    struct ss_pass_analysis *inner = &analysis->inner;
    struct ss_analyze_options gathers = analysis->options;
    gathers.out_dir =
        gathers.out_dir == NULL ? "" : gathers.out_dir; /* evidence all the same */
    *inner = (struct ss_pass_analysis){
        .encoder = encoder, .sae = sae, .options = &analysis->options, SS_PASS_ANALYSIS_EMPTY};
    inner->recorder = (struct ss_pass_recorder){analysis->options.log, &inner->state.facts};
    inner->top_k =
        analysis->options.top_k > 0 ? analysis->options.top_k : SS_PASS_DEFAULT_TOP_K;
    inner->pass = (struct ss_pass){
        .encoder = encoder,
        .sae = sae,
        .n_threads = analysis->options.n_threads,
        .batch_tokens = analysis->options.batch_tokens,
        .use = {[SS_ROW_NULL] = SS_PASS_ROW_SKIP,
                [SS_ROW_EMPTY] = SS_PASS_ROW_SKIP,
                [SS_ROW_BLANK] = SS_PASS_ROW_SKIP,
                [SS_ROW_BAD] = SS_PASS_ROW_SKIP},
        .log = {.fn = ss_pass_recorder_note, .user = &inner->recorder},
        .progress = analysis->options.progress,
        .on_rows = reduce_rows,
        .user = inner,
    };
    SS_RETURN_IF_ERROR(ss_run_steps_choose(analysis->options.steps, &inner->steps, err));
    SS_RETURN_IF_ERROR(ss_pass_init(&inner->pass, err));
    SS_RETURN_IF_ERROR(ss_pass_gather_start(&inner->state.gathered, &gathers, &inner->pass,
                                            inner->top_k, err));
    return take_facts(analysis, err);
}

ss_status ss_analysis_open(const ss_encoder *encoder, const ss_sae *sae,
                           const struct ss_analyze_options *options,
                           const struct ss_push_options *rows, ss_analysis **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_analysis *analysis = NULL;
    struct ss_push_options how = {.struct_size = sizeof how};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&how, rows, ss_push_options, err));
    SS_ALLOC(analysis, 1);
    analysis->inner = (struct ss_pass_analysis){SS_PASS_ANALYSIS_EMPTY};
    analysis->options.struct_size = sizeof analysis->options;
    SS_TRY(SS_READ_OPTIONS(&analysis->options, options, ss_analyze_options, err));
    SS_TRY(check_options(analysis, encoder, sae, err));
    SS_TRY(take_rows(analysis, &how, err));
    SS_TRY(prepare(analysis, encoder, sae, err));
    *out = analysis;
    analysis = NULL;
out:
    ss_analysis_free(analysis);
    return status;
}

void ss_analysis_free(ss_analysis *analysis)
{
    if (analysis != NULL) {
        ss_run_analysis_release(&analysis->inner);
        ss__free(analysis->files);
        ss__free(analysis->file_rows);
        ss__free(analysis->columns);
        ss__arena_release(&analysis->arena);
        ss__free(analysis);
    }
}

/* ---- rows ---- */

static ss_status check_usable(const ss_analysis *analysis, ss_err *err)
{
    return analysis->is_over ? ss__fail(err, SS_E_USAGE,
                                        "this analysis is over: it failed before, or its run "
                                        "was made")
                             : SS_OK;
}

static ss_status check_rows(const ss_analysis *analysis, const struct ss_pushed_rows *rows,
                            ss_err *err)
{
    if (rows->n > 0 && rows->texts == NULL) {
        return ss__fail(err, SS_E_USAGE, "%zu rows without texts", rows->n);
    }
    for (size_t i = 0; i < rows->n; i++) {
        if (rows->files != NULL && rows->files[i] >= analysis->n_files) {
            return ss__fail(err, SS_E_USAGE, "row %zu is of file %u, and there are %zu", i,
                            (unsigned)rows->files[i], analysis->n_files);
        }
        if (rows->rows != NULL && rows->rows[i] >= SS_PASS_MAX_FILE_ROWS) {
            return ss__fail(err, SS_E_USAGE, "row %zu has the number %llu; the largest is %llu",
                            i, (unsigned long long)rows->rows[i],
                            (unsigned long long)SS_PASS_MAX_FILE_ROWS - 1);
        }
    }
    return SS_OK;
}

static int give_row(void *user, struct ss_given_row *row, bool *has_row)
{
    struct giving *giving = user;
    const struct ss_pushed_rows *rows = giving->rows;
    *has_row = giving->at < giving->end;
    if (*has_row) {
        row->text = rows->texts[giving->at];
        row->is_null = rows->is_null != NULL && rows->is_null[giving->at];
        row->values =
            rows->values == NULL ? NULL : rows->values + giving->at * giving->n_columns;
        giving->at++;
    }
    return 0;
}

static void add_reached(ss_analysis *analysis)
{
    struct ss_pass_facts *facts = &analysis->inner.state.facts;
    struct ss_pass_reached *reached = &analysis->inner.checkpoint.reached;
    const struct ss_pass *pass = &analysis->inner.pass;
    ss_pass_row_counts_add(&facts->counts, &pass->done.counts);
    facts->seconds += pass->done.seconds;
    facts->seconds_waiting += pass->done.seconds_waiting;
    facts->n_reembedded += pass->reembed.n_rows - reached->n_reembedded;
    facts->sae_counts.n_tied_rows +=
        pass->sae_counts.n_tied_rows - reached->sae_counts.n_tied_rows;
    facts->sae_counts.n_borderline_pairs +=
        pass->sae_counts.n_borderline_pairs - reached->sae_counts.n_borderline_pairs;
    if (pass->reembed.largest_error > facts->largest_error) {
        facts->largest_error = pass->reembed.largest_error;
    }
    *reached = (struct ss_pass_reached){pass->reembed.n_rows, pass->sae_counts,
                                        pass->reembed.largest_error};
}

/* Rows [first, end) of one file. */
static ss_status add_file_rows(ss_analysis *analysis, const struct ss_pushed_rows *rows,
                               size_t first, size_t end, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss_pass_analysis *inner = &analysis->inner;
    const uint32_t file = rows->files == NULL ? 0 : rows->files[first];
    struct giving giving = {rows, first, end, analysis->n_columns};
    const struct ss_row_source source = {.struct_size = sizeof source,
                                         .next = give_row,
                                         .user = &giving,
                                         .columns = analysis->columns,
                                         .n_columns = analysis->n_columns,
                                         .n_rows = end - first,
                                         .name = analysis->files[file]};
    const struct ss_pass_numbering numbering = {
        .row_of = rows->rows == NULL ? NULL : rows->rows + first,
        .first_file = file,
        .first_row = analysis->next_row};
    SS_TRY(ss_dataset_from_rows(&source, NULL, &dataset, err));
    inner->pass.dataset = dataset;
    inner->state.gathered.numbering = &numbering;
    SS_TRY(ss_pass_run(&inner->pass, err));
    add_reached(analysis);
    analysis->next_row += rows->rows == NULL ? end - first : 0;
out:
    inner->state.gathered.numbering = NULL;
    inner->pass.dataset = NULL;
    ss_dataset_close(dataset);
    return status;
}

ss_status ss_analysis_add(ss_analysis *analysis, const struct ss_pushed_rows *rows, ss_err *err)
{
    struct ss_pushed_rows read = {.struct_size = sizeof read};
    SS_RETURN_IF_ERROR(check_usable(analysis, err));
    SS_RETURN_IF_ERROR(SS_READ_OPTIONS(&read, rows, ss_pushed_rows, err));
    SS_RETURN_IF_ERROR(check_rows(analysis, &read, err));
    for (size_t first = 0, end = 0; first < read.n; first = end) {
        for (end = first + 1;
             end < read.n && read.files != NULL && read.files[end] == read.files[first];) {
            end++;
        }
        end = read.files == NULL ? read.n : end;
        const ss_status status = add_file_rows(analysis, &read, first, end, err);
        if (status != SS_OK) {
            analysis->is_over = true;
            return status;
        }
    }
    analysis->n_added += read.n;
    return SS_OK;
}

/* ---- states ---- */

/* Rows of this process are a part like any other, whose number follows from its content. */
static ss_status write_state(ss_analysis *analysis, struct ss__buf *bytes, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_facts *facts = &analysis->inner.state.facts;
    struct ss_pass_part *parts = NULL;
    struct ss_pass_state with_own = analysis->inner.state;
    const size_t n_own = analysis->n_added > 0;
    SS_ALLOC(parts, facts->n_done + 1);
    parts[0] = (struct ss_pass_part){0, ""};
    for (size_t i = 0; i < facts->n_done; i++) {
        parts[n_own + i] = facts->parts[i];
    }
    with_own.facts.parts = parts;
    with_own.facts.n_done = facts->n_done + n_own;
    status = ss_pass_state_write_bytes(&with_own, bytes, err);
    facts->arena = with_own.facts.arena; /* which has the id now */
out:
    ss__free(parts);
    return status;
}

ss_status ss_analysis_state(ss_analysis *analysis, char **out, size_t *n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_state *state = &analysis->inner.state;
    struct ss__buf bytes = {0};
    *out = NULL;
    *n_bytes = 0;
    SS_RETURN_IF_ERROR(check_usable(analysis, err));
    if (analysis->n_added == 0 && state->facts.n_done == 0) {
        return ss__fail(err, SS_E_USAGE, "no rows were added yet");
    }
    SS_TRY(ss_pass_gather_order(&state->gathered, err));
    ss_pass_facts_sort_warnings(&state->facts);
    SS_TRY(write_state(analysis, &bytes, err));
    *out = bytes.data;
    *n_bytes = bytes.n_bytes;
    bytes = (struct ss__buf){0};
out:
    ss__buf_release(&bytes);
    analysis->is_over = analysis->is_over || status != SS_OK;
    return status;
}

void ss_analysis_free_state(char *state)
{
    ss__free(state);
}

ss_status ss_analysis_merge(ss_analysis *analysis, struct ss_text state, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_state other = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    static const char *const names[] = {"the analysis", "the state"};
    SS_RETURN_IF_ERROR(check_usable(analysis, err));
    SS_TRY(
        ss_pass_state_read_bytes(names[1], state, analysis->options.pairs_bytes, &other, err));
    SS_TRY(ss_pass_gather_order(&analysis->inner.state.gathered, err));
    SS_TRY(ss_pass_state_merge(&analysis->inner.state, &other, names, NULL, err));
out:
    ss_pass_state_release(&other);
    analysis->is_over = analysis->is_over ||
                        (status != SS_OK && status != SS_E_DATA && status != SS_E_UNSUPPORTED);
    return status;
}

ss_status ss_states_merge(const struct ss_text *states, size_t n_states, uint64_t pairs_bytes,
                          char **out, size_t *n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_state sum = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    struct ss_pass_state other = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}};
    struct ss__buf bytes = {0};
    char name[48];
    const char *const names[] = {"the states before it", name};
    *out = NULL;
    *n_bytes = 0;
    if (n_states == 0) {
        SS_TRY(ss__fail(err, SS_E_USAGE, "no states were given to merge"));
    }
    for (size_t i = 0; i < n_states; i++) {
        ss__snprintf(name, sizeof name, "state %zu of %zu", i + 1, n_states);
        SS_TRY(ss_pass_state_read_bytes(name, states[i], pairs_bytes, i == 0 ? &sum : &other,
                                        err));
        SS_TRY(i == 0 ? SS_OK : ss_pass_state_merge(&sum, &other, names, NULL, err));
        ss_pass_state_release(&other);
    }
    SS_TRY(ss_pass_gather_order(&sum.gathered, err));
    SS_TRY(ss_pass_state_write_bytes(&sum, &bytes, err));
    *out = bytes.data;
    *n_bytes = bytes.n_bytes;
    bytes = (struct ss__buf){0};
out:
    ss__buf_release(&bytes);
    ss_pass_state_release(&sum);
    ss_pass_state_release(&other);
    return status;
}

/* ---- the run ---- */

ss_status ss_analysis_finish(ss_analysis *analysis, ss_run **out, ss_err *err)
{
    struct ss_pass_analysis *inner = &analysis->inner;
    *out = NULL;
    SS_RETURN_IF_ERROR(check_usable(analysis, err));
    analysis->is_over = true;
    SS_RETURN_IF_ERROR(ss_pass_gather_order(&inner->state.gathered, err));
    SS_RETURN_IF_ERROR(ss_pass_facts_number(&inner->state.facts, err));
    ss_pass_facts_say_rows(&inner->state.facts, &inner->pass.log);
    if (analysis->options.out_dir != NULL) {
        SS_RETURN_IF_ERROR(ss_folder_open(analysis->options.out_dir,
                                          ss_run_analysis_files(inner->files),
                                          analysis->options.force, &inner->folder, err));
    }
    return ss_run_analysis_finish(inner, out, err);
}
