/* A dataset: files one after the other, each through the reader of its format, as rows of one
 * text column. Here it is opened and closed, and says what it is; dataset_state_priv.h tells
 * where the rest is. The readers know nothing of datasets. */
#include "dataset/dataset.h"

#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dataset/dataset_state_priv.h"
#include "format/format.h"

/* ---- opening and closing ---- */

/* NULL stays NULL. */
static ss_status copy_text(const char *text, char **out, ss_err *err)
{
    *out = text == NULL ? NULL : ss__strdup(text);
    return text != NULL && *out == NULL ? ss__fail_nomem(err, "an option") : SS_OK;
}

/* A template of several columns reads no text column: its columns are carried along, and the
 * text is made of them. */
static ss_status take_options(ss_dataset *dataset, const struct ss_dataset_options *options,
                              ss_err *err)
{
    if (options != NULL) {
        dataset->text_unit = options->text_unit;
        dataset->log = options->log;
        dataset->halt.asking.stop = options->progress;
        SS_RETURN_IF_ERROR(copy_text(options->text_column, &dataset->given_column, err));
        SS_RETURN_IF_ERROR(copy_text(options->format, &dataset->given_format, err));
        SS_RETURN_IF_ERROR(
            ss_format_split_names(options->keep, &dataset->keep, &dataset->n_keep, err));
        dataset->n_carried = dataset->n_keep;
        if (dataset->rows == SS_DATASET_ROWS_TEXTS &&
            ss_dataset_is_template(options->text_column)) {
            dataset->has_template = true;
            dataset->rows = SS_DATASET_ROWS_VALUES;
            SS_RETURN_IF_ERROR(ss_dataset_take_template(dataset, err));
        }
        dataset->on_bad_row = options->on_bad_row;
        dataset->all_columns = options->all_columns;
        dataset->has_csv = options->csv != NULL;
        SS_RETURN_IF_ERROR(ss_dataset_take_selection(dataset, options, err));
    }
    if ((unsigned)dataset->on_bad_row > SS_BAD_ROWS_SKIP) {
        return ss__fail(err, SS_E_USAGE, "a bad row must stop or be skipped");
    }
    if ((unsigned)dataset->text_unit > SS_UNIT_DOCUMENT) {
        return ss__fail(err, SS_E_USAGE, "the text unit must be line, paragraph or document");
    }
    return SS_OK;
}

/* What the caller says of rows goes before what a card says. */
static ss_status take_row_options(struct ss_format_row_options *rows,
                                  const struct ss_dataset_options *options, ss_err *err)
{
    const char *const given[] = {options->encoding, options->field};
    const char **const places[] = {&rows->encoding, &rows->field};
    for (size_t i = 0; i < 2; i++) {
        if (given[i] == NULL) {
            continue;
        }
        *places[i] = ss__arena_strndup(&rows->arena, given[i], strlen(given[i]));
        if (*places[i] == NULL) {
            return ss__fail_nomem(err, "an option");
        }
    }
    if (options->csv != NULL) {
        SS_RETURN_IF_ERROR(ss_format_row_options_parse_csv(rows, options->csv, err));
    }
    return SS_OK;
}

/* In the order in which later ones build on earlier ones: files, archives among them, then how
 * rows are read. */
static ss_status find_files(ss_dataset *dataset, const char *const *paths, size_t n_paths,
                            const struct ss_dataset_options *options, ss_err *err)
{
    struct ss_dataset_found *use = &dataset->use;
    *use = (struct ss_dataset_found){.log = &dataset->log, .text_unit = dataset->text_unit};
    ss_format_row_options_init(&use->rows);
    dataset->remotes =
        (struct ss_dataset_remotes){.paths = &use->paths,
                                    .column = (const char *const *)&dataset->text_column,
                                    .halt = &dataset->halt,
                                    .log = &dataset->log};
    SS_RETURN_IF_ERROR(
        ss_dataset_remotes_find(&dataset->remotes, paths, n_paths, options, use, err));
    dataset->archives.halt = &dataset->halt;
    SS_RETURN_IF_ERROR(
        ss_dataset_archives_expand(&dataset->archives, &use->paths, &dataset->log, err));
    dataset->text_unit = use->text_unit;
    if (options != NULL) {
        SS_RETURN_IF_ERROR(take_row_options(&use->rows, options, err));
    }
    if (dataset->given_format == NULL) {
        SS_RETURN_IF_ERROR(copy_text(use->format, &dataset->given_format, err));
    }
    return SS_OK;
}

/* Find the format of a file. Every local file is looked at before the first row is read, so
 * that a wrong one is told at once and not after hours. A pipe cannot be opened twice: its
 * stream stays open. */
static ss_status look_at_file(ss_dataset *dataset, size_t i, ss_err *err)
{
    struct ss_dataset_file *file = &dataset->files[i];
    const char *path = dataset->use.paths.items[i];
    if (ss_source_is_remote(path)) {
        return SS_OK; /* seen when it is reached */
    }
    struct ss_source_view view = {.name = NULL}; /* of a remote file alone */
    const bool is_member = ss_dataset_archives_have(&dataset->archives, i);
    SS_RETURN_IF_ERROR(ss_dataset_open_stream(dataset, i, &file->stream, &view, err));
    const char *format = ss_dataset_archives_format(&dataset->archives, i);
    SS_RETURN_IF_ERROR(ss_dataset_format_find(&file->stream, path,
                                              format == NULL ? dataset->given_format : format,
                                              &file->reader, err));
    file->is_empty = file->reader == NULL;
    if (dataset->has_csv && file->reader == &ss_format_reader_txt) {
        file->reader = &ss_format_reader_csv;
    }
    if (is_member || file->is_empty ||
        (ss__path_stat(path) == SS__PATH_FILE && strcmp(path, "-") != 0)) {
        ss_source_stream_close(&file->stream);
    }
    return SS_OK;
}

/* Files without a byte; *first is the first of them. */
static size_t count_empty(const ss_dataset *dataset, const char **first)
{
    size_t n = 0;
    for (size_t i = dataset->use.paths.n; i-- > 0;) {
        if (dataset->files[i].is_empty) {
            *first = dataset->use.paths.items[i];
            n++;
        }
    }
    return n;
}

static void say_empty(const ss_dataset *dataset)
{
    const char *first = NULL;
    const size_t n = count_empty(dataset, &first);
    if (n > 0 && n < dataset->use.paths.n) {
        ss__log(&dataset->log, SS_LEVEL_NOTICE,
                "%zu of %zu files are empty and have no rows, such as %s", n,
                dataset->use.paths.n, first);
    }
}

static ss_status fail_no_rows(const ss_dataset *dataset, ss_err *err)
{
    const char *first = dataset->use.paths.items[0];
    const size_t n = count_empty(dataset, &first);
    first = strcmp(first, "-") == 0 ? "standard input" : first;
    if (n < dataset->use.paths.n) {
        return ss__fail_file(err, first, SS_E_DATA, "there are no rows");
    }
    return n == 1
               ? ss__fail_file(err, first, SS_E_DATA, "the file is empty")
               : ss__fail_file(err, first, SS_E_DATA,
                               "the file is empty, and so are all %zu files of the dataset", n);
}

/* An option that no file could heed is a mistake; remote files are not known yet. */
static ss_status check_options_fit(const ss_dataset *dataset,
                                   const struct ss_dataset_options *options, ss_err *err)
{
    bool any_csv = options == NULL || options->csv == NULL;
    bool any_json = options == NULL || options->field == NULL;
    for (size_t i = 0; i < dataset->use.paths.n; i++) {
        const struct ss_format_reader *reader = dataset->files[i].reader;
        any_csv |= reader == NULL || reader == &ss_format_reader_csv ||
                   reader == &ss_format_reader_tsv;
        any_json |= reader == NULL || reader == &ss_format_reader_json ||
                    reader == &ss_format_reader_jsonl;
    }
    return any_csv && any_json
               ? SS_OK
               : ss__fail(err, SS_E_USAGE, "%s is given, but no file is %s",
                          any_csv ? "a field of JSON documents" : "a dialect of csv",
                          any_csv ? "JSON" : "csv or tsv");
}

/* Only where every file says how many it has, for a sum with gaps would be wrong. */
static ss_status count_rows(ss_dataset *dataset, ss_err *err)
{
    uint64_t n_rows = 0;
    bool known = true;
    for (size_t i = 0; i < dataset->use.paths.n && known; i++) {
        const struct ss_dataset_file *file = &dataset->files[i];
        known = file->is_empty || (file->reader != NULL && file->reader->n_rows != NULL &&
                                   file->stream.state == NULL &&
                                   !ss_dataset_archives_have(&dataset->archives, i));
    }
    for (size_t i = 0; i < dataset->use.paths.n && known; i++) {
        dataset->current = i;
        if (dataset->files[i].is_empty) {
            continue;
        }
        SS_RETURN_IF_ERROR(ss_dataset_open_file(dataset, err));
        known = ss__add_u64(n_rows, dataset->files[i].reader->n_rows(dataset->state), &n_rows);
        ss_dataset_close_file(dataset);
    }
    dataset->n_rows = known ? n_rows : 0;
    dataset->current = 0;
    return SS_OK;
}

/* When it is open, the first file with rows is too, and its columns are chosen. */
static ss_status open_dataset(const char *const *paths, size_t n_paths,
                              const struct ss_dataset_options *options,
                              enum ss_dataset_rows rows, ss_dataset **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    struct ss_dataset_options read = {.struct_size = sizeof read};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_dataset_options, err));
    options = &read;
    SS_ALLOC(dataset, 1);
    dataset->rows = rows;
    SS_TRY(take_options(dataset, options, err));
    SS_TRY(find_files(dataset, paths, n_paths, options, err));
    SS_ALLOC(dataset->files, dataset->use.paths.n);
    for (size_t i = 0; i < dataset->use.paths.n; i++) {
        SS_TRY(ss_source_halt_check(&dataset->halt, dataset->use.paths.items[i], err));
        SS_TRY(look_at_file(dataset, i, err));
    }
    say_empty(dataset);
    SS_TRY(check_options_fit(dataset, options, err));
    SS_TRY(count_rows(dataset, err));
    SS_TRY(ss_dataset_select_begin(dataset, err));
    SS_TRY(ss_dataset_count_bytes(dataset, err));
    SS_TRY(ss_dataset_start_file(dataset, err));
    if (dataset->current == dataset->use.paths.n) {
        SS_TRY(fail_no_rows(dataset, err));
    }
    *out = dataset;
    dataset = NULL;
out:
    ss_dataset_close(dataset);
    return status;
}

ss_status ss_dataset_open(const char *const *paths, size_t n_paths,
                          const struct ss_dataset_options *options, ss_dataset **out,
                          ss_err *err)
{
    return open_dataset(paths, n_paths, options, SS_DATASET_ROWS_TEXTS, out, err);
}

ss_status ss_dataset_open_rows(const char *const *paths, size_t n_paths,
                               const struct ss_dataset_options *options, ss_dataset **out,
                               ss_err *err)
{
    return open_dataset(paths, n_paths, options, SS_DATASET_ROWS_WHOLE, out, err);
}

ss_status ss_dataset_open_values(const char *const *paths, size_t n_paths,
                                 const struct ss_dataset_options *options, ss_dataset **out,
                                 ss_err *err)
{
    return open_dataset(paths, n_paths, options, SS_DATASET_ROWS_VALUES, out, err);
}

const char *const *ss_dataset_kept(const ss_dataset *dataset, size_t *n)
{
    *n = dataset->n_carried;
    return (const char *const *)dataset->keep;
}

ss_status ss_dataset_keep(ss_dataset *dataset, const char *const *names, size_t n, ss_err *err)
{
    SS_ALLOC_OR_RETURN(dataset->keep, n);
    for (size_t i = 0; i < n; i++) {
        dataset->keep[i] = ss__strdup(names[i]);
        if (dataset->keep[i] == NULL) {
            return ss__fail_nomem(err, "a column name");
        }
        dataset->n_keep++;
    }
    dataset->n_carried = dataset->n_keep;
    return ss_dataset_select(dataset, err);
}

void ss_dataset_close(ss_dataset *dataset)
{
    if (dataset == NULL) {
        return;
    }
    ss_dataset_close_file(dataset);
    ss_source_stream_close(&dataset->stream);
    for (size_t i = 0; dataset->files != NULL && i < dataset->use.paths.n; i++) {
        ss_source_stream_close(&dataset->files[i].stream);
    }
    ss__free(dataset->files);
    ss_dataset_archives_release(&dataset->archives);
    ss_dataset_remotes_release(&dataset->remotes);
    ss_dataset_found_release(&dataset->use);
    ss_dataset_release_selection(&dataset->selection);
    ss__free(dataset->given.columns);
    ss__free(dataset->given.kept);
    ss__free(dataset->given_column);
    ss__free(dataset->given_format);
    ss__free(dataset->text_column);
    ss__buf_release(&dataset->repaired);
    ss__buf_release(&dataset->json);
    ss__buf_release(&dataset->kept);
    ss__buf_release(&dataset->text);
    ss__buf_release(&dataset->absence);
    ss__list_release(dataset->keep, dataset->n_keep);
    ss__free(dataset->file_bytes);
    ss__free(dataset->share.begins);
    ss__free(dataset->kept_as);
    ss__free(dataset->values);
    ss_format_bad_rows_release(&dataset->bad_rows);
    ss__free(dataset);
}

/* ---- facts, and what can be set later ---- */

struct ss_log ss_dataset_set_log(ss_dataset *dataset, struct ss_log log)
{
    const struct ss_log before = dataset->log;
    dataset->log = log;
    return before;
}

bool ss_dataset_bad_row(const ss_dataset *dataset, size_t i, struct ss_format_bad_row *row)
{
    const bool is_there = i < dataset->bad_rows.n_listed;
    *row = is_there ? dataset->bad_rows.items[i] : (struct ss_format_bad_row){0};
    return is_there;
}

uint64_t ss_dataset_n_bad_rows(const ss_dataset *dataset, ss_format_fault fault)
{
    return fault == SS_FORMAT_FAULT_NONE ? dataset->bad_rows.n : dataset->bad_rows.n_of[fault];
}

void ss_dataset_interrupt(ss_dataset *dataset)
{
    atomic_store(&dataset->halt.is_interrupted, true);
}

bool ss_dataset_file_facts(const ss_dataset *dataset, size_t index,
                           struct ss__file_facts *facts, bool *is_complete)
{
    const struct ss_dataset_file *file = &dataset->files[index];
    *facts = file->facts;
    *is_complete = file->is_complete;
    return file->is_regular;
}

bool ss_dataset_archive_facts(const ss_dataset *dataset, size_t index,
                              struct ss__file_facts *facts, bool *is_complete)
{
    const struct ss__file_facts *found = ss_dataset_archives_facts(&dataset->archives, index);
    *facts = found == NULL ? (struct ss__file_facts){.n_bytes = 0} : *found;
    *is_complete = dataset->current == dataset->use.paths.n;
    return found != NULL;
}

ss_status ss_dataset_describe(const ss_dataset *dataset, struct ss_dataset_info *out)
{
    const struct ss_format_reader *first = NULL;
    const struct ss_dataset_found *use = &dataset->use;
    const char *format = "";
    for (size_t i = 0; i < use->paths.n; i++) {
        const struct ss_format_reader *reader = dataset->files[i].reader;
        if (reader != NULL) { /* remote files: as far as seen */
            format = first == NULL || reader == first ? reader->format : "mixed";
            first = reader;
        }
    }
    const struct ss_dataset_info info = {
        .struct_size = sizeof info,
        .format = format,
        .text_column = dataset->has_template          ? dataset->given_column
                       : dataset->text_column == NULL ? ""
                                                      : dataset->text_column,
        .n_files = dataset->use.paths.n,
        .files = (const char *const *)dataset->use.paths.items,
        .n_archives = dataset->archives.n,
        .archives = dataset->archives.paths,
        .repository = use->repository == NULL ? "" : use->repository,
        .commit = use->commit == NULL ? "" : use->commit,
        .config = use->config == NULL ? "" : use->config,
        .split = use->split == NULL ? "" : use->split,
    };
    return ss__result_write(out, &info, sizeof info);
}

void ss_dataset_columns(const ss_dataset *dataset, const struct ss_format_column **columns,
                        size_t *n_columns)
{
    *columns = dataset->columns;
    *n_columns = dataset->n_columns;
}
