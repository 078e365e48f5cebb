/* Which rows are wanted: the expression and the sample that the options ask for, the columns of
 * the expression in each file, and whether the row that was stepped to is wanted. */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "dataset/column_list.h"

/* ---- options ---- */

static ss_status keep_columns(ss_dataset *dataset, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    const char *const *names =
        ss_dataset_where_columns(selection->where, &selection->n_columns);
    const size_t n = selection->n_columns;
    SS_ALLOC_OR_RETURN(selection->columns, n);
    SS_ALLOC_OR_RETURN(selection->values, n);
    SS_ALLOC_OR_RETURN(selection->is_untyped, n);
    SS_ALLOC_OR_RETURN(selection->was_seen, n);
    for (size_t i = 0; i < n && dataset->rows != SS_DATASET_ROWS_WHOLE; i++) {
        SS_RETURN_IF_ERROR(ss_dataset_keep_value(dataset, names[i], strlen(names[i]),
                                                 &selection->columns[i], err));
    }
    return SS_OK;
}

ss_status ss_dataset_take_selection(ss_dataset *dataset,
                                    const struct ss_dataset_options *options, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    selection->is_wanted = true;
    selection->sample.n = options->sample;
    selection->sample.seed = options->seed;
    if (options->where == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_dataset_where_parse(options->where, &selection->where, err));
    selection->expression = ss__strdup(options->where);
    if (selection->expression == NULL) {
        return ss__fail_nomem(err, "an expression");
    }
    return keep_columns(dataset, err);
}

void ss_dataset_release_selection(struct ss_dataset_selection *selection)
{
    ss_dataset_where_free(selection->where);
    ss__free(selection->expression);
    ss_dataset_sample_release(&selection->sample);
    ss__free(selection->columns);
    ss__free(selection->values);
    ss__free(selection->is_untyped);
    ss__free(selection->was_seen);
    ss__buf_release(&selection->row);
    *selection = (struct ss_dataset_selection){0};
}

/* ---- columns ---- */

static const struct ss_format_column *find_column(const ss_dataset *dataset, const char *name)
{
    for (size_t i = 0; i < dataset->n_columns; i++) {
        if (strcmp(dataset->columns[i].name, name) == 0) {
            return &dataset->columns[i];
        }
    }
    return NULL;
}

/* Of whole rows no column is chosen, so that nothing else would notice one that is not there. */
static ss_status check_whole(ss_dataset *dataset, const char *name, ss_err *err)
{
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    const bool is_known = find_column(dataset, name) != NULL || strchr(name, '.') != NULL ||
                          reader->find != NULL || dataset->current != dataset->first_file ||
                          ss_dataset_has_partition(dataset, name);
    return is_known ? SS_OK
                    : ss_dataset_fail_column(dataset, "there is no column '", name, err);
}

ss_status ss_dataset_select_begin_file(ss_dataset *dataset, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    size_t n = 0;
    if (selection->where == NULL) {
        return SS_OK;
    }
    const char *const *names = ss_dataset_where_columns(selection->where, &n);
    for (size_t i = 0; i < n; i++) {
        const struct ss_format_column *column = find_column(dataset, names[i]);
        selection->is_untyped[i] =
            column != NULL && (reader->stores_text || strncmp(column->type, "decimal", 7) == 0);
        if (dataset->rows == SS_DATASET_ROWS_WHOLE) {
            SS_RETURN_IF_ERROR(check_whole(dataset, names[i], err));
        }
    }
    return SS_OK;
}

ss_status ss_dataset_select_begin(ss_dataset *dataset, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    selection->is_chosen = selection->sample.n > 0 && selection->where == NULL &&
                           dataset->n_rows > 0 && dataset->on_bad_row == SS_BAD_ROWS_STOP;
    return selection->is_chosen
               ? ss_dataset_sample_choose(&selection->sample, dataset->n_rows, err)
               : SS_OK;
}

/* ---- the row that was stepped to ---- */

ss_status ss_dataset_match_kept(ss_dataset *dataset, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    selection->is_wanted = true;
    if (selection->where == NULL) {
        return SS_OK;
    }
    for (size_t i = 0; i < selection->n_columns; i++) {
        const struct ss_dataset_value *value = &dataset->values[selection->columns[i]];
        selection->values[i] = (struct ss_dataset_where_value){
            {dataset->json.data + value->at, value->n_bytes}, selection->is_untyped[i]};
    }
    const uint64_t n_before = ss_dataset_where_mismatch(selection->where).n;
    const ss_status status = ss_dataset_where_match(
        selection->where, selection->values, dataset->next_id, &selection->is_wanted, err);
    if (n_before == 0) { /* the row was counted when it was stepped to */
        selection->mismatched_file = dataset->current;
        selection->mismatched_file_row = dataset->file_row - 1;
    }
    return status;
}

/* The member of a JSON object that a column's name means: "a.b" is b of a. The last one holds.
 * False where there is none. */
static bool find_member(struct ss_text object, const char *name, struct ss_text *value)
{
    struct ss_format_scan scan = {.at = object.data, .end = object.data + object.n_bytes};
    struct ss_format_scan_string key;
    bool has_key = false, found = false;
    const size_t n_name = strlen(name);
    if (!ss_format_scan_char(&scan, '{')) {
        return false;
    }
    for (bool is_first = true; ss_format_scan_key(&scan, is_first, &key, &has_key) && has_key;
         is_first = false) {
        (void)ss_format_scan_peek(&scan);
        const char *begin = scan.at;
        if (!ss_format_scan_value(&scan)) {
            return found;
        }
        const struct ss_text whole = {begin, (size_t)(scan.at - begin)};
        const bool is_prefix =
            key.n_bytes <= n_name && memcmp(key.data, name, key.n_bytes) == 0;
        if (is_prefix && key.n_bytes == n_name) {
            *value = whole;
            found = true;
        } else if (is_prefix && name[key.n_bytes] == '.' && !found) {
            found = find_member(whole, name + key.n_bytes + 1, value);
        }
    }
    return found;
}

ss_status ss_dataset_match_json(ss_dataset *dataset, struct ss_text json, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    size_t n = 0;
    selection->is_wanted = true;
    if (selection->where == NULL) {
        return SS_OK;
    }
    const char *const *names = ss_dataset_where_columns(selection->where, &n);
    for (size_t i = 0; i < n; i++) {
        struct ss_text value = {"null", 4};
        selection->was_seen[i] |= find_member(json, names[i], &value);
        selection->values[i] = (struct ss_dataset_where_value){value, selection->is_untyped[i]};
    }
    return ss_dataset_where_match(selection->where, selection->values, dataset->next_id - 1,
                                  &selection->is_wanted, err);
}

struct ss_dataset_mismatch ss_dataset_mismatch(const ss_dataset *dataset)
{
    const struct ss_dataset_selection *selection = &dataset->selection;
    struct ss_dataset_mismatch found = {.what = ""};
    if (selection->where != NULL) {
        found = ss_dataset_where_mismatch(selection->where);
        found.file = selection->mismatched_file;
        found.file_row = selection->mismatched_file_row;
    }
    return found;
}

/* ---- facts ---- */

struct ss_dataset_passed ss_dataset_passed(const ss_dataset *dataset)
{
    const struct ss_dataset_selection *selection = &dataset->selection;
    return (struct ss_dataset_passed){.is_selective = ss_dataset_is_selective(dataset),
                                      .n_unmatched = selection->n_unmatched,
                                      .n_unsampled = selection->n_unsampled,
                                      .n_read = dataset->next_id,
                                      .n_all = dataset->n_rows};
}

uint64_t ss_dataset_n_rows(const ss_dataset *dataset)
{
    const struct ss_dataset_selection *selection = &dataset->selection;
    return selection->where != NULL ? 0
           : selection->sample.n > 0 && dataset->n_rows > 0
               ? ss__min_u64(selection->sample.n, dataset->n_rows)
               : dataset->n_rows;
}
