/* Which columns of a dataset are embeddings: one of lists of numbers, or many of one number
 * each, as `DataFrame(array).to_parquet()` writes them.
 *
 *   a name           that column of lists
 *   a name with *    every column of one number whose name matches, in the order of the numbers
 *                    that stand for the *, if numbers do, else in that of the file
 *   nothing          "embedding", "embeddings" or "vector", if it has lists; else the only
 * column of lists; else the only series of columns: one number each, names that are the same
 * but for a number at their end, 0, 1, 2 … or 1, 2, 3 …, each once */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/sort.h"
#include "pass/embeddings_columns.h"

enum { LEAST_SERIES = 2, MAX_DIGITS = 9 };

/* A column of one number in a name of parts. */
struct numbered {
    struct ss_text prefix;
    uint64_t number;
    bool has_number;
    size_t column;
};

struct choosing {
    const struct ss_format_column *columns;
    size_t n_columns;
    const char *path;
    struct numbered *found; /* [n_columns] */
    size_t n_found;
};

static int compare_texts(struct ss_text a, struct ss_text b)
{
    const int order = memcmp(a.data, b.data, ss__min_size(a.n_bytes, b.n_bytes));
    return order != 0 ? order : (a.n_bytes > b.n_bytes) - (a.n_bytes < b.n_bytes);
}

static int compare_numbered(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    const int order = compare_texts(a->prefix, b->prefix);
    if (order != 0) {
        return order;
    }
    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }
    return (a->column > b->column) - (a->column < b->column);
}

static ss_status give(const struct choosing *choosing, size_t first, size_t n,
                      struct ss_pass_embedding_columns *out, ss_err *err)
{
    SS_ALLOC_OR_RETURN(out->names, n);
    for (size_t i = 0; i < n; i++) {
        out->names[i] = choosing->columns[choosing->found[first + i].column].name;
    }
    out->n = n;
    out->are_single = true;
    return SS_OK;
}

/* ---- series ---- */

static struct numbered split_name(const char *name, size_t column)
{
    size_t n = strlen(name), n_digits = 0;
    while (n_digits < n && n_digits < MAX_DIGITS && name[n - n_digits - 1] >= '0' &&
           name[n - n_digits - 1] <= '9') {
        n_digits++;
    }
    struct numbered made = {.prefix = {name, n - n_digits}, .column = column};
    made.has_number = ss__parse_u64(name + n - n_digits, n_digits, &made.number);
    return made;
}

/* How many of the sorted columns from `first` share its prefix. */
static size_t length_of_group(const struct choosing *choosing, size_t first)
{
    size_t n = 1;
    while (first + n < choosing->n_found &&
           compare_texts(choosing->found[first].prefix, choosing->found[first + n].prefix) ==
               0) {
        n++;
    }
    return n;
}

static bool is_series(const struct numbered *group, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (group[i].number != group[0].number + i) {
            return false;
        }
    }
    return n >= LEAST_SERIES && group[0].number <= 1;
}

static ss_status choose_series(struct choosing *choosing, struct ss_pass_embedding_columns *out,
                               ss_err *err)
{
    size_t n_singles = 0, n_series = 0, first = 0, n = 0;
    for (size_t i = 0; i < choosing->n_columns; i++) {
        const struct numbered made = split_name(choosing->columns[i].name, i);
        n_singles += choosing->columns[i].numbers == SS_FORMAT_NUMBERS_ONE;
        if (choosing->columns[i].numbers == SS_FORMAT_NUMBERS_ONE && made.has_number) {
            choosing->found[choosing->n_found++] = made;
        }
    }
    ss__sort(choosing->found, choosing->n_found, sizeof *choosing->found, compare_numbered);
    for (size_t i = 0, n_group = 0; i < choosing->n_found; i += n_group) {
        n_group = length_of_group(choosing, i);
        if (is_series(choosing->found + i, n_group)) {
            n_series++;
            first = i;
            n = n_group;
        }
    }
    if (n_series == 1) {
        return give(choosing, first, n, out, err);
    }
    return n_singles == 0
               ? ss__fail_file(err, choosing->path, SS_E_DATA,
                               "there is no column of lists of numbers")
               : ss__fail_file(
                     err, choosing->path, SS_E_DATA,
                     "there is no column of lists of numbers, but %zu columns of one number "
                     "each%s; say which are the embeddings with `embedding_column` 'NAME*', or "
                     "store them as one column of lists or as .npy",
                     n_singles, n_series > 1 ? " in more than one series" : "");
}

/* ---- patterns ---- */

/* What stands for the * of a pattern; false if the name does not match. */
static bool match(const char *pattern, const char *name, struct ss_text *middle)
{
    const char *star = strchr(pattern, '*');
    const size_t before = (size_t)(star - pattern), after = strlen(star + 1);
    const size_t n = strlen(name);
    if (n < before + after || memcmp(name, pattern, before) != 0 ||
        memcmp(name + n - after, star + 1, after) != 0) {
        return false;
    }
    *middle = (struct ss_text){name + before, n - before - after};
    return true;
}

static ss_status choose_matches(struct choosing *choosing, const char *pattern,
                                struct ss_pass_embedding_columns *out, ss_err *err)
{
    bool have_numbers = true;
    for (size_t i = 0; i < choosing->n_columns; i++) {
        struct ss_text middle;
        if (choosing->columns[i].numbers == SS_FORMAT_NUMBERS_ONE &&
            match(pattern, choosing->columns[i].name, &middle)) {
            struct numbered *made = &choosing->found[choosing->n_found++];
            *made = (struct numbered){.prefix = {"", 0}, .column = i};
            have_numbers &= ss__parse_u64(middle.data, middle.n_bytes, &made->number);
        }
    }
    if (choosing->n_found == 0) {
        return ss__fail_file(err, choosing->path, SS_E_DATA,
                             "no column of one number per row matches '%s'", pattern);
    }
    if (have_numbers) {
        ss__sort(choosing->found, choosing->n_found, sizeof *choosing->found, compare_numbered);
    }
    return give(choosing, 0, choosing->n_found, out, err);
}

/* ---- lists ---- */

static ss_status give_one(const char *name, struct ss_pass_embedding_columns *out, ss_err *err)
{
    SS_ALLOC_OR_RETURN(out->names, 1);
    out->names[0] = name;
    out->n = 1;
    return SS_OK;
}

static const struct ss_format_column *find_named(const struct choosing *choosing,
                                                 const char *name)
{
    for (size_t i = 0; i < choosing->n_columns; i++) {
        if (strcmp(choosing->columns[i].name, name) == 0) {
            return &choosing->columns[i];
        }
    }
    return NULL;
}

static ss_status choose_given(struct choosing *choosing, const char *given,
                              struct ss_pass_embedding_columns *out, ss_err *err)
{
    const struct ss_format_column *column = find_named(choosing, given);
    if (column == NULL && strchr(given, '*') != NULL) {
        return choose_matches(choosing, given, out, err);
    }
    if (column != NULL && column->numbers == SS_FORMAT_NUMBERS_ONE) {
        ss__fail_file(
            err, choosing->path, SS_E_DATA,
            "column '%s' holds one number per row, expected lists of numbers; several "
            "such columns together are named by a pattern, as 'dim_*'",
            given);
        ss__err_about(err, given);
        return SS_E_DATA;
    }
    return give_one(given, out, err); /* one that is not there is refused by the dataset */
}

static ss_status choose(struct choosing *choosing, struct ss_pass_embedding_columns *out,
                        ss_err *err)
{
    static const char *const names[] = {"embedding", "embeddings", "vector"};
    const char *only = NULL;
    size_t n_lists = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct ss_format_column *column = find_named(choosing, names[i]);
        if (column != NULL && column->numbers == SS_FORMAT_NUMBERS_LIST) {
            return give_one(names[i], out, err);
        }
    }
    for (size_t i = 0; i < choosing->n_columns; i++) {
        const bool is_list = choosing->columns[i].numbers == SS_FORMAT_NUMBERS_LIST;
        n_lists += is_list;
        only = is_list ? choosing->columns[i].name : only;
    }
    if (n_lists > 1) {
        return ss__fail_file(err, choosing->path, SS_E_DATA,
                             "there are several columns of lists; say which holds the "
                             "embeddings with `embedding_column`");
    }
    return n_lists == 1 ? give_one(only, out, err) : choose_series(choosing, out, err);
}

ss_status ss_pass_embedding_columns_choose(const char *path, const char *given,
                                           const struct ss_format_column *columns,
                                           size_t n_columns,
                                           struct ss_pass_embedding_columns *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct choosing choosing = {.columns = columns, .n_columns = n_columns, .path = path};
    *out = (struct ss_pass_embedding_columns){0};
    SS_ALLOC(choosing.found, n_columns);
    SS_TRY(given != NULL ? choose_given(&choosing, given, out, err)
                         : choose(&choosing, out, err));
out:
    ss__free(choosing.found);
    return status;
}
