/* A dataset: files one after the other, each through the reader of its format, as rows of one
 * text column. Here texts are repaired and classified, rows numbered, and the text column is
 * chosen; the readers know nothing of it. */
#include "dataset/dataset.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "dataset/archive.h"
#include "dataset/dataset_files.h"
#include "dataset/dataset_remote.h"
#include "dataset/listing.h"

struct file {
    const struct ss__reader *reader;
    struct ss__stream stream; /* open only if the file cannot be opened again */
};

/* What rows are: a text and what is carried along, only that, or whole as JSON. */
enum rows { ROWS_TEXTS, ROWS_VALUES, ROWS_WHOLE };

struct ss_dataset {
    struct ss__repo_use use; /* with the paths */
    struct file *files;      /* [use.paths.n] */
    struct ss__remotes remotes;
    struct ss__archives archives;
    char *given_column, *given_format;
    char **keep; /* [n_keep] names of columns to carry along */
    size_t n_keep;
    ss_text_unit text_unit;
    char delimiter; /* that a repository's card says; 0: that of the format */
    struct ss_log log;
    bool has_failed; /* a row could not be read */
    enum rows rows;
    atomic_bool is_interrupted;

    char *text_column; /* NULL until chosen */
    uint64_t n_rows;   /* 0: not known */
    uint64_t next_id;
    uint64_t n_repaired;

    size_t current; /* the file that is read; use.paths.n at the end */
    bool is_open;   /* its source and state are */
    struct ss__source source;
    struct ss__stream stream;
    void *state;
    const struct ss__column *columns; /* of the current file */
    size_t n_columns;

    struct ss__buf repaired, json, kept;
};

/* ---- files ---- */

static void close_current(ss_dataset *dataset)
{
    if (dataset->is_open) {
        dataset->files[dataset->current].reader->close(dataset->state);
        if (dataset->source.ahead == NULL) {
            ss__map_release(&dataset->source.map);
        }
        ss__stream_close(&dataset->stream);
        ss__remotes_close(&dataset->remotes, dataset->current);
    }
    dataset->is_open = false;
    dataset->state = NULL;
    dataset->columns = NULL;
    dataset->n_columns = 0;
}

/* Of a file elsewhere, when it is opened. */
static ss_status find_format(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    struct file *file = &dataset->files[dataset->current];
    char *name = ss__remote_file_name(dataset->use.paths.items[dataset->current]);
    if (dataset->stream.state == NULL) { /* it is read in parts */
        file->reader = &ss__reader_parquet;
        goto out;
    }
    if (name == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss__format_find(&dataset->stream, name, dataset->given_format, &file->reader, err));
out:
    ss__free(name);
    return status;
}

static ss_status open_current(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {.data = NULL};
    struct ss__ahead *ahead = NULL;
    struct file *file = &dataset->files[dataset->current];
    if (file->stream.state != NULL) {
        dataset->stream = file->stream;
        file->stream = (struct ss__stream){0};
    } else if (ss__archives_have(&dataset->archives, dataset->current)) {
        SS_TRY(ss__archives_open(&dataset->archives, dataset->current,
                                 dataset->use.paths.items[dataset->current], &dataset->stream,
                                 err));
    } else {
        SS_TRY(ss__remotes_open(&dataset->remotes, dataset->current, &dataset->stream, &map,
                                &ahead, err));
    }
    dataset->stream.is_interrupted = &dataset->is_interrupted;
    if (file->reader == NULL) {
        SS_TRY(find_format(dataset, err));
    }
    dataset->source = (struct ss__source){
        .name = dataset->use.paths.items[dataset->current],
        .stream = file->reader->needs_map ? NULL : &dataset->stream,
        .map = map,
        .ahead = ahead,
        .text_unit = dataset->text_unit,
        .delimiter = dataset->delimiter,
    };
    dataset->is_open = true;
    if (file->reader->needs_map && ahead == NULL) {
        SS_TRY(ss__stream_map(&dataset->stream, &dataset->source.map, err));
    } else if (!file->reader->needs_map) {
        SS_TRY(ss__skip_mark(&dataset->stream, err));
    }
    SS_TRY(file->reader->open(&dataset->source, &dataset->state, err));
    SS_TRY(file->reader->columns(dataset->state, &dataset->columns, &dataset->n_columns, err));
out:
    return status;
}

struct ss_log ss__dataset_set_log(ss_dataset *dataset, struct ss_log log)
{
    const struct ss_log before = dataset->log;
    dataset->log = log;
    return before;
}

void ss__dataset_interrupt(ss_dataset *dataset)
{
    atomic_store(&dataset->is_interrupted, true);
}

/* ---- the text column ---- */

static size_t count_named(const ss_dataset *dataset, const char *name, size_t *last)
{
    size_t n = 0;
    for (size_t i = 0; i < dataset->n_columns; i++) {
        if (strcmp(dataset->columns[i].name, name) == 0) {
            *last = i;
            n++;
        }
    }
    return n;
}

/* "the columns are 'id' (int64), 'title' (string)", cut where it grows long. */
static void list_columns(const ss_dataset *dataset, struct ss__buf *out)
{
    enum { MAX_LISTED_BYTES = 500 };
    out->n_bytes = 0;
    for (size_t i = 0; i < dataset->n_columns; i++) {
        if (out->n_bytes > MAX_LISTED_BYTES) {
            ss__buf_printf(out, " and %zu more", dataset->n_columns - i);
            break;
        }
        ss__buf_printf(out, "%s'%.60s' (%s)", i == 0 ? "" : ", ", dataset->columns[i].name,
                       dataset->columns[i].type);
    }
}

static ss_status fail_column(ss_dataset *dataset, const char *sentence, const char *name,
                             ss_err *err)
{
    struct ss__buf list = {0};
    list_columns(dataset, &list);
    const char *text = ss__buf_text(&list);
    const ss_status status =
        ss__fail_file(err, dataset->source.name, SS_E_DATA, "%s%s%s; the columns are %s",
                      sentence, name, name[0] == '\0' ? "" : "'", text == NULL ? "" : text);
    ss__err_about(err, name);
    ss__buf_release(&list);
    return status;
}

ss_status ss__dataset_check_text(ss_dataset *dataset, ss_err *err)
{
    bool is_text =
        dataset->n_columns == 0 || dataset->files[dataset->current].reader->stores_text;
    for (size_t i = 0; i < dataset->n_columns; i++) {
        is_text |= dataset->columns[i].is_text || strcmp(dataset->columns[i].type, "null") == 0;
    }
    return is_text ? SS_OK : fail_column(dataset, "there is no column of strings", "", err);
}

/* Given, else "text", else the only column of strings. */
static ss_status choose_column(ss_dataset *dataset, ss_err *err)
{
    size_t at = 0, n_texts = 0;
    const char *name = dataset->given_column;
    if (name == NULL && count_named(dataset, "text", &at) > 0) {
        name = "text";
    }
    for (size_t i = 0; name == NULL && i < dataset->n_columns; i++) {
        n_texts += dataset->columns[i].is_text;
        at = dataset->columns[i].is_text ? i : at;
    }
    if (name == NULL && n_texts != 1) {
        return fail_column(dataset,
                           n_texts == 0 ? "there is no column of strings"
                                        : "there is no column 'text' and more than one of "
                                          "strings; say which with --text-column",
                           "", err);
    }
    if (name == NULL) {
        name = dataset->columns[at].name;
        ss__log(&dataset->log, SS_LEVEL_NOTICE,
                "%s: texts are taken from '%s', the only column of strings",
                dataset->source.name, name);
    }
    dataset->text_column = ss__strdup(name);
    return dataset->text_column == NULL ? ss__fail_nomem(err, "a column name") : SS_OK;
}

/* Tell the reader of the current file which columns are carried along. */
static ss_status keep_columns(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    size_t *columns = NULL;
    SS_ALLOC(columns, dataset->n_keep);
    if (reader->add_kept == NULL) {
        SS_FAIL_FILE(dataset->source.name, SS_E_USAGE,
                     "files of the format %s have no columns to keep", reader->format);
    }
    for (size_t i = 0; i < dataset->n_keep; i++) {
        const size_t n = count_named(dataset, dataset->keep[i], &columns[i]);
        if (n != 1) {
            SS_TRY(fail_column(dataset,
                               n == 0 ? "there is no column to keep '"
                                      : "there are several columns to keep '",
                               dataset->keep[i], err));
        }
    }
    if (reader->keep != NULL) {
        SS_TRY(reader->keep(dataset->state, columns, dataset->n_keep, err));
    }
out:
    ss__free(columns);
    return status;
}

static ss_status select_column(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    size_t column = dataset->rows == ROWS_VALUES ? SS__NO_COLUMN : SS__ALL_COLUMNS;
    if (dataset->rows == ROWS_TEXTS) {
        if (dataset->text_column == NULL) {
            SS_TRY(choose_column(dataset, err));
        }
        const size_t n = count_named(dataset, dataset->text_column, &column);
        if (n != 1) {
            status = fail_column(
                dataset, n == 0 ? "there is no column '" : "there are several columns '",
                dataset->text_column, err);
            goto out;
        }
    }
    SS_TRY(reader->select(dataset->state, column, err));
    if (dataset->n_keep > 0 && dataset->rows != ROWS_WHOLE) {
        SS_TRY(keep_columns(dataset, err));
    }
out:
    return status;
}

/* A file without columns has no rows, or rows that hold nothing. */
static ss_status refuse_bare_rows(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    struct ss__record record = {0};
    bool has_row = false;
    SS_TRY(reader->select(dataset->state, SS__ALL_COLUMNS, err));
    SS_TRY(reader->next(dataset->state, &record, &has_row, err));
    if (has_row) {
        SS_FAIL_FILE(dataset->source.name, SS_E_DATA, "the rows have no columns");
    }
out:
    return status;
}

/* Open the next files until one has columns, and so perhaps rows, or none is left. */
static ss_status start_file(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    for (; dataset->current < dataset->use.paths.n; dataset->current++) {
        SS_TRY(open_current(dataset, err));
        if (dataset->n_columns > 0 || dataset->rows == ROWS_WHOLE) {
            SS_TRY(select_column(dataset, err));
            break;
        }
        SS_TRY(refuse_bare_rows(dataset, err));
        close_current(dataset);
    }
out:
    return status;
}

/* ---- opening and closing ---- */

static ss_status copy_text(const char *text, char **out, ss_err *err)
{
    *out = text == NULL ? NULL : ss__strdup(text);
    return text != NULL && *out == NULL ? ss__fail_nomem(err, "an option") : SS_OK;
}

static ss_status take_options(ss_dataset *dataset, const struct ss_dataset_options *options,
                              ss_err *err)
{
    ss_status status = SS_OK;
    if (options != NULL) {
        dataset->text_unit = options->text_unit;
        dataset->log = options->log;
        SS_TRY(copy_text(options->text_column, &dataset->given_column, err));
        SS_TRY(copy_text(options->format, &dataset->given_format, err));
        SS_TRY(ss__split_names(options->keep, &dataset->keep, &dataset->n_keep, err));
    }
    if ((unsigned)dataset->text_unit > SS_UNIT_DOCUMENT) {
        SS_FAIL(SS_E_USAGE, "the text unit must be line, paragraph or document");
    }
out:
    return status;
}

static ss_status find_files(ss_dataset *dataset, const char *const *paths, size_t n_paths,
                            const struct ss_dataset_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__repo_use *use = &dataset->use;
    *use = (struct ss__repo_use){.log = &dataset->log, .text_unit = dataset->text_unit};
    dataset->remotes =
        (struct ss__remotes){.paths = &use->paths,
                             .column = (const char *const *)&dataset->text_column,
                             .interrupted = &dataset->is_interrupted,
                             .log = &dataset->log};
    SS_TRY(ss__remotes_find(&dataset->remotes, paths, n_paths, options, use, err));
    SS_TRY(ss__archives_expand(&dataset->archives, &use->paths, err));
    dataset->text_unit = use->text_unit;
    dataset->delimiter = use->delimiter;
    if (dataset->given_format == NULL) {
        SS_TRY(copy_text(use->format, &dataset->given_format, err));
    }
out:
    return status;
}

/* Find the format of every file, and the number of rows if all files say it. */
static ss_status look_at_file(ss_dataset *dataset, size_t i, ss_err *err)
{
    ss_status status = SS_OK;
    struct file *file = &dataset->files[i];
    const char *path = dataset->use.paths.items[i];
    if (ss__is_remote(path)) {
        return SS_OK; /* seen when it is reached */
    }
    const bool is_member = ss__archives_have(&dataset->archives, i);
    SS_TRY(is_member ? ss__archives_open(&dataset->archives, i, path, &file->stream, err)
                     : ss__stream_open(path, &file->stream, err));
    SS_TRY(ss__format_find(&file->stream, path, dataset->given_format, &file->reader, err));
    if (is_member || (ss__path_look(path) == SS__PATH_FILE && strcmp(path, "-") != 0)) {
        ss__stream_close(&file->stream);
    }
out:
    return status;
}

static ss_status count_rows(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    uint64_t n_rows = 0;
    bool known = true;
    for (size_t i = 0; i < dataset->use.paths.n && known; i++) {
        const struct file *file = &dataset->files[i];
        known = file->reader != NULL && file->reader->n_rows != NULL &&
                file->stream.state == NULL && !ss__archives_have(&dataset->archives, i);
    }
    for (size_t i = 0; i < dataset->use.paths.n && known; i++) {
        dataset->current = i;
        SS_TRY(open_current(dataset, err));
        known = ss__add_u64(n_rows, dataset->files[i].reader->n_rows(dataset->state), &n_rows);
        close_current(dataset);
    }
    dataset->n_rows = known ? n_rows : 0;
    dataset->current = 0;
out:
    return status;
}

static ss_status open_dataset(const char *const *paths, size_t n_paths,
                              const struct ss_dataset_options *options, enum rows rows,
                              ss_dataset **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    *out = NULL;
    SS_ALLOC(dataset, 1);
    dataset->rows = rows;
    SS_TRY(take_options(dataset, options, err));
    SS_TRY(find_files(dataset, paths, n_paths, options, err));
    SS_ALLOC(dataset->files, dataset->use.paths.n);
    for (size_t i = 0; i < dataset->use.paths.n; i++) {
        SS_TRY(look_at_file(dataset, i, err));
    }
    SS_TRY(count_rows(dataset, err));
    SS_TRY(start_file(dataset, err));
    if (dataset->current == dataset->use.paths.n) {
        SS_FAIL_FILE(dataset->use.paths.items[0], SS_E_DATA, "there are no rows");
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
    return open_dataset(paths, n_paths, options, ROWS_TEXTS, out, err);
}

ss_status ss__dataset_open_rows(const char *const *paths, size_t n_paths,
                                const struct ss_dataset_options *options, ss_dataset **out,
                                ss_err *err)
{
    return open_dataset(paths, n_paths, options, ROWS_WHOLE, out, err);
}

ss_status ss__dataset_open_values(const char *const *paths, size_t n_paths,
                                  const struct ss_dataset_options *options, ss_dataset **out,
                                  ss_err *err)
{
    return open_dataset(paths, n_paths, options, ROWS_VALUES, out, err);
}

ss_status ss__dataset_keep(ss_dataset *dataset, const char *names, ss_err *err)
{
    const ss_status status = ss__split_names(names, &dataset->keep, &dataset->n_keep, err);
    return status != SS_OK ? status : keep_columns(dataset, err);
}

void ss_dataset_close(ss_dataset *dataset)
{
    if (dataset == NULL) {
        return;
    }
    close_current(dataset);
    ss__stream_close(&dataset->stream);
    for (size_t i = 0; dataset->files != NULL && i < dataset->use.paths.n; i++) {
        ss__stream_close(&dataset->files[i].stream);
    }
    ss__free(dataset->files);
    ss__archives_release(&dataset->archives);
    ss__remotes_release(&dataset->remotes);
    ss__repo_use_release(&dataset->use);
    ss__free(dataset->given_column);
    ss__free(dataset->given_format);
    ss__free(dataset->text_column);
    ss__buf_release(&dataset->repaired);
    ss__buf_release(&dataset->json);
    ss__buf_release(&dataset->kept);
    ss__list_release(dataset->keep, dataset->n_keep);
    ss__free(dataset);
}

/* ---- rows ---- */

/* Step to the next row of whichever file has one. */
static ss_status step(ss_dataset *dataset, struct ss__record *record, bool *has_row,
                      ss_err *err)
{
    ss_status status = SS_OK;
    *has_row = false;
    if (dataset->has_failed) {
        return ss__fail(err, SS_E_DATA, "the rows ended with an error before");
    }
    while (!*has_row && dataset->current < dataset->use.paths.n) {
        const struct ss__reader *reader = dataset->files[dataset->current].reader;
        SS_TRY(reader->next(dataset->state, record, has_row, err));
        if (!*has_row) {
            close_current(dataset);
            dataset->current++;
            SS_TRY(start_file(dataset, err));
        }
    }
out:
    if (status != SS_OK) {
        dataset->has_failed = true;
        *has_row = false;
        ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
        ss__err_at_row(err, dataset->next_id);
    }
    return status;
}

/* Replace *text by a repaired copy if it is not valid UTF-8. */
static ss_status repair(ss_dataset *dataset, struct ss_text *text, bool *repaired, ss_err *err)
{
    if (ss__utf8_valid_prefix(text->data, text->n_bytes) == text->n_bytes) {
        return SS_OK;
    }
    dataset->repaired.n_bytes = 0;
    *repaired |= ss__utf8_repair(text->data, text->n_bytes, &dataset->repaired);
    *text = (struct ss_text){dataset->repaired.data, dataset->repaired.n_bytes};
    return ss__buf_check(&dataset->repaired, err);
}

/* At the end of the rows, once. */
static void say_repaired(ss_dataset *dataset)
{
    if (dataset->n_repaired > 0) {
        ss__log(&dataset->log, SS_LEVEL_WARNING,
                "invalid UTF-8 was replaced by U+FFFD in %" PRIu64 " of %" PRIu64 " rows",
                dataset->n_repaired, dataset->next_id);
    }
    dataset->n_repaired = 0;
}

static ss_row_kind kind_of(const struct ss__record *record)
{
    if (record->is_null) {
        return SS_ROW_NULL;
    }
    if (record->text.n_bytes == 0) {
        return SS_ROW_EMPTY;
    }
    return ss__utf8_is_blank(record->text.data, record->text.n_bytes) ? SS_ROW_BLANK
                                                                      : SS_ROW_TEXT;
}

/* The kept columns of the row that was stepped to, as a JSON object. */
static ss_status write_kept(ss_dataset *dataset, struct ss_row *row, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    struct ss__buf *out = &dataset->kept, *spare = &dataset->json;
    spare->n_bytes = out->n_bytes = 0;
    for (size_t i = 0; i < dataset->n_keep; i++) {
        ss__buf_add_text(spare, i == 0 ? "{" : ", ");
        ss__json_add_string(spare, dataset->keep[i], strlen(dataset->keep[i]), false);
        ss__buf_add_text(spare, ": ");
        SS_TRY(reader->add_kept(dataset->state, i, spare, err));
    }
    ss__buf_add_text(spare, "}");
    SS_TRY(ss__buf_check(spare, err));
    ss__utf8_repair(spare->data, spare->n_bytes, out);
    SS_TRY(ss__buf_check(out, err));
    row->kept = (struct ss_text){out->data, out->n_bytes};
out:
    if (status != SS_OK) {
        ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
        ss__err_at_row(err, dataset->next_id);
    }
    return status;
}

ss_status ss_dataset_next(ss_dataset *dataset, struct ss_row *row, bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__record record = {0};
    *row = (struct ss_row){.kind = SS_ROW_NULL, .kept = {"", 0}};
    *has_row = false;
    if (dataset->rows == ROWS_WHOLE) {
        SS_FAIL(SS_E_INTERNAL, "the dataset was opened without a text column");
    }
    SS_TRY(step(dataset, &record, has_row, err));
    if (!*has_row) {
        say_repaired(dataset);
    } else {
        if (dataset->n_keep > 0) {
            SS_TRY(write_kept(dataset, row, err));
        }
        SS_TRY(repair(dataset, &record.text, &record.repaired, err));
        row->id = dataset->next_id++;
        row->kind = kind_of(&record);
        row->repaired = record.repaired;
        row->file = dataset->use.paths.items[dataset->current];
        dataset->n_repaired += record.repaired;
        row->text =
            record.is_null || record.text.n_bytes == 0 ? (struct ss_text){"", 0} : record.text;
    }
out:
    return status;
}

/* The row that was stepped to, in dataset->json. */
static ss_status write_json(ss_dataset *dataset, ss_err *err)
{
    dataset->json.n_bytes = 0;
    const ss_status status =
        dataset->files[dataset->current].reader->add_json(dataset->state, &dataset->json, err);
    return status != SS_OK ? status : ss__buf_check(&dataset->json, err);
}

ss_status ss__dataset_next_json(ss_dataset *dataset, struct ss_text *json, bool *has_row,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__record record = {0};
    bool repaired = false;
    *json = (struct ss_text){0};
    SS_TRY(step(dataset, &record, has_row, err));
    if (*has_row) {
        dataset->next_id++;
        SS_TRY(write_json(dataset, err));
        *json = (struct ss_text){dataset->json.data, dataset->json.n_bytes};
        SS_TRY(repair(dataset, json, &repaired, err));
    }
out:
    return status;
}

ss_status ss__dataset_read_all(ss_dataset *dataset, uint64_t *n_rows, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__record record = {0};
    bool has_row = true;
    *n_rows = 0;
    SS_TRY(step(dataset, &record, &has_row, err));
    while (has_row) {
        dataset->next_id++;
        ++*n_rows;
        if (!dataset->files[dataset->current].reader->next_checks) {
            SS_TRY(write_json(dataset, err));
        }
        SS_TRY(step(dataset, &record, &has_row, err));
    }
out:
    return status;
}

/* ---- facts ---- */

uint64_t ss_dataset_n_rows(const ss_dataset *dataset)
{
    return dataset->n_rows;
}

void ss_dataset_describe(const ss_dataset *dataset, struct ss_dataset_info *out)
{
    const struct ss__reader *first = dataset->files[0].reader;
    const struct ss__repo_use *use = &dataset->use;
    const char *format = first == NULL ? "" : first->format;
    for (size_t i = 1; i < use->paths.n; i++) {
        const struct ss__reader *reader = dataset->files[i].reader;
        if (reader != NULL && reader != first) { /* files elsewhere: as far as seen */
            format = "mixed";
        }
    }
    *out = (struct ss_dataset_info){
        .format = format,
        .text_column = dataset->text_column == NULL ? "" : dataset->text_column,
        .n_files = dataset->use.paths.n,
        .files = (const char *const *)dataset->use.paths.items,
        .n_archives = dataset->archives.n,
        .archives = dataset->archives.paths,
        .repository = use->repository == NULL ? "" : use->repository,
        .commit = use->commit == NULL ? "" : use->commit,
        .config = use->config == NULL ? "" : use->config,
        .split = use->split == NULL ? "" : use->split,
    };
}

void ss__dataset_columns(const ss_dataset *dataset, const struct ss__column **columns,
                         size_t *n_columns)
{
    *columns = dataset->columns;
    *n_columns = dataset->n_columns;
}
