/* A text made of several columns: '{title}. {abstract}' for --text-column. Braces are written
 * twice to stand for themselves, as in Python's str.format. A column that is null adds nothing;
 * where all are null, the row has no text, and where none holds anything, its text is empty.
 * Values that are no strings are as JSON has them. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "dataset/dataset_state_priv.h"

bool ss_dataset_is_template(const char *column)
{
    const char *brace = column == NULL ? NULL : strchr(column, '{');
    return brace != NULL && strchr(brace, '}') != NULL;
}

/* A brace that is written twice; both are passed. */
static bool take_brace(const char **at)
{
    const bool is_double = (**at == '{' || **at == '}') && (*at)[1] == **at;
    *at += is_double ? 2 : 0;
    return is_double;
}

/* The place of a name among the columns that are kept; n_keep where it has none. */
static size_t find_column(const ss_dataset *dataset, const char *name, size_t n)
{
    size_t i = 0;
    while (i < dataset->n_keep &&
           (strncmp(dataset->keep[i], name, n) != 0 || dataset->keep[i][n] != '\0')) {
        i++;
    }
    return i;
}

ss_status ss_dataset_keep_value(ss_dataset *dataset, const char *name, size_t n, size_t *at,
                                ss_err *err)
{
    *at = find_column(dataset, name, n);
    if (*at < dataset->n_keep) {
        return SS_OK;
    }
    void *keep = dataset->keep;
    size_t capacity = dataset->n_keep;
    char *copy = ss__strndup(name, n);
    if (copy == NULL ||
        !ss__grow(&keep, &capacity, dataset->n_keep + 1, sizeof *dataset->keep)) {
        ss__free(copy);
        return ss__fail_nomem(err, "a column name");
    }
    dataset->keep = keep;
    dataset->keep[dataset->n_keep++] = copy;
    return SS_OK;
}

/* The template is checked here, so that filling it in need not. */
ss_status ss_dataset_take_template(ss_dataset *dataset, ss_err *err)
{
    const char *at = dataset->given_column;
    size_t n_columns = 0, place = 0;
    while (*at != '\0') {
        if (take_brace(&at)) {
            continue;
        }
        const size_t n = *at == '{' ? strcspn(at + 1, "{}") : 0;
        if (*at == '}' || (*at == '{' && (n == 0 || at[n + 1] != '}'))) {
            return ss__fail(err, SS_E_USAGE,
                            "the text column '%.200s' is a template such as '{title}. "
                            "{abstract}', in which a brace has no other one at '%.20s'; write "
                            "{{ or }} for a brace itself",
                            dataset->given_column, at);
        }
        if (n > 0) {
            SS_RETURN_IF_ERROR(ss_dataset_keep_value(dataset, at + 1, n, &place, err));
            n_columns++;
        }
        at += n > 0 ? n + 2 : 1;
    }
    return n_columns > 0
               ? SS_OK
               : ss__fail(err, SS_E_USAGE,
                          "the text column '%.200s' is a template that names no column; one "
                          "brace on each side of a name does, as in '{title}'",
                          dataset->given_column);
}

/* Append the value of the i-th column that is kept, which stands as JSON in dataset->json. */
static ss_status add_part(ss_dataset *dataset, size_t i, struct ss_format_record *record,
                          ss_err *err)
{
    ss_status status = SS_OK;
    const char *json = dataset->json.data + dataset->values[i].at;
    const size_t n = dataset->values[i].n_bytes;
    struct ss__buf *out = &dataset->text, valid = {0};
    struct ss__json *value = NULL;
    if (n == 4 && memcmp(json, "null", 4) == 0) {
        return SS_OK;
    }
    record->is_null = false;
    record->repaired |= ss__utf8_repair(json, n, &valid);
    SS_TRY(ss__buf_check(&valid, err));
    if (valid.n_bytes > 0 && valid.data[0] == '"') {
        SS_TRY(ss__json_parse("a column", valid.data, valid.n_bytes, &value, err));
        ss__buf_add(out, ss__json_string(value), ss__json_string_bytes(value));
    } else {
        ss__buf_add(out, valid.data, valid.n_bytes);
    }
    SS_TRY(ss__buf_check(out, err));
out:
    ss__json_free(value);
    ss__buf_release(&valid);
    return status;
}

ss_status ss_dataset_fill_template(ss_dataset *dataset, struct ss_format_record *record,
                                   ss_err *err)
{
    const char *at = dataset->given_column;
    size_t n_values = 0; /* bytes of the columns */
    dataset->text.n_bytes = 0;
    record->is_null = true;
    while (*at != '\0') {
        const char brace = *at;
        if (take_brace(&at)) {
            ss__buf_add_byte(&dataset->text, brace);
        } else if (brace == '{') {
            const size_t n = strcspn(++at, "}"), before = dataset->text.n_bytes;
            SS_RETURN_IF_ERROR(add_part(dataset, find_column(dataset, at, n), record, err));
            n_values += dataset->text.n_bytes - before;
            at += n + 1;
        } else {
            ss__buf_add_byte(&dataset->text, *at++);
        }
    }
    SS_RETURN_IF_ERROR(ss__buf_check(&dataset->text, err));
    record->text =
        (struct ss_text){dataset->text.data, n_values == 0 ? 0 : dataset->text.n_bytes};
    return SS_OK;
}
