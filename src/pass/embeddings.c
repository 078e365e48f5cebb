/* Where embeddings come from: an array of two dimensions in a .npy, .npz or safetensors file,
 * or columns of Parquet, Arrow, JSON Lines or CSV (embeddings_columns.c). Either is read a few
 * rows at a time. */
#include "pass/embeddings.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sized.h"
#include "pass/embeddings_columns.h"
#include "weights/weights.h"

struct ss_embeddings {
    struct ss_embeddings_info info; /* path and column are copies */
    struct ss__asking asking;       /* while it is opened and read */
    char *path, *column;
    struct ss_weights *weights; /* or NULL: a column of a dataset */
    const struct ss_weights_tensor *tensor;
    ss_dataset *dataset;
    struct ss_format_numbers row; /* of the dataset: read, but not yet given */
    bool has_row;
    uint64_t n_given;
};

/* ---- arrays ---- */

/* "'ids' [8]; 'x' [8, 4]; 'meta', an array of text": what a file holds. */
static void list_arrays(const struct ss_weights *weights, struct ss__buf *list)
{
    enum { MOST_LISTED = 8 };
    const size_t n = ss_weights_n(weights);
    for (size_t i = 0; i < n && i < MOST_LISTED; i++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(weights, i);
        ss__buf_printf(list, "%s'%.80s' [", i == 0 ? "" : "; ", tensor->name);
        for (size_t d = 0; d < tensor->n_dims; d++) {
            ss__buf_printf(list, "%s%llu", d == 0 ? "" : ", ",
                           (unsigned long long)tensor->shape[d]);
        }
        ss__buf_add_byte(list, ']');
    }
    for (size_t i = 0; i < MOST_LISTED && ss_weights_key(weights, i) != NULL; i++) {
        const char *key = ss_weights_key(weights, i);
        const char *what = ss_weights_unreadable(weights, key);
        if (what != NULL && ss_weights_find(weights, key) == NULL) {
            ss__buf_printf(list, "%s'%.80s', %s", list->n_bytes == 0 ? "" : "; ", key, what);
        }
    }
    if (n > MOST_LISTED) {
        ss__buf_add_text(list, "; ...");
    }
}

static ss_status refuse_arrays(const ss_embeddings *embeddings, size_t n_found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf list = {0};
    list_arrays(embeddings->weights, &list);
    SS_TRY(ss__buf_check(&list, err));
    if (embeddings->column != NULL) {
        SS_FAIL_FILE(embeddings->path, SS_E_DATA,
                     "there is no array of numbers '%.80s' (`embedding_column`); there are "
                     "%.*s",
                     embeddings->column, (int)list.n_bytes, list.data);
    }
    SS_FAIL_FILE(embeddings->path, SS_E_DATA,
                 n_found == 0 ? "there is no array of embeddings: expected two dimensions, "
                                "rows and width, found %.*s"
                              : "there are several arrays of two dimensions; say which with "
                                "`embedding_column`: %.*s",
                 (int)list.n_bytes, list.data);
out:
    ss__buf_release(&list);
    return status;
}

/* The only array of two dimensions. */
static ss_status find_array(ss_embeddings *out, ss_err *err)
{
    size_t n_found = 0;
    for (size_t i = 0; i < ss_weights_n(out->weights); i++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(out->weights, i);
        const bool is_it =
            out->column == NULL ? tensor->n_dims == 2 : strcmp(tensor->name, out->column) == 0;
        if (is_it) {
            n_found++;
            out->tensor = tensor;
        }
    }
    if (n_found != 1) {
        return refuse_arrays(out, n_found, err);
    }
    if (out->tensor->n_dims != 2 || out->tensor->shape[1] == 0) {
        return ss__fail_file(err, out->path, SS_E_SHAPE,
                             "the embeddings have %zu dimensions, expected rows and width",
                             out->tensor->n_dims);
    }
    out->info.n_rows = out->tensor->shape[0];
    out->info.width = (size_t)out->tensor->shape[1];
    return SS_OK;
}

static ss_status next_of_array(ss_embeddings *embeddings, uint64_t first, size_t n, float *out,
                               size_t *n_read, ss_err *err)
{
    const struct ss_weights_tensor *whole = embeddings->tensor;
    const uint64_t n_left = whole->shape[0] - first;
    struct ss_weights_tensor part = *whole;
    part.shape[0] = n_left < n ? n_left : n;
    part.n_elements = part.shape[0] * part.shape[1];
    part.data = (const char *)whole->data + (int64_t)first * whole->strides[0] *
                                                (int64_t)ss_weights_dtype_bytes(whole->dtype);
    *n_read = (size_t)part.shape[0];
    ss_status status = *n_read == 0 ? SS_OK : ss_weights_tensor_to_f32(&part, out, err);
    ss_weights_release_pages(embeddings->weights, &part);
    if (status == SS_OK) {
        status = ss_weights_check(embeddings->weights, err);
    }
    return ss_weights_explain(embeddings->weights, status, err);
}

/* ---- columns ---- */

/* "column", or "first … last" of several. */
static char *label_of(const struct ss_pass_embedding_columns *columns)
{
    struct ss__buf label = {0};
    ss__buf_add_text(&label, columns->names[0]);
    if (columns->n > 1) {
        ss__buf_printf(&label, " … %s", columns->names[columns->n - 1]);
    }
    const char *text = ss__buf_text(&label);
    char *copy = text == NULL ? NULL : ss__strdup(text);
    ss__buf_release(&label);
    return copy;
}

static ss_status find_columns(ss_embeddings *out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_format_column *columns = NULL;
    struct ss_pass_embedding_columns chosen = {0};
    char *label = NULL;
    size_t n = 0;
    ss_dataset_columns(out->dataset, &columns, &n);
    SS_TRY(ss_pass_embedding_columns_choose(out->path, out->column, columns, n, &chosen, err));
    SS_TRY(ss_dataset_keep(out->dataset, chosen.names, chosen.n, err));
    label = label_of(&chosen);
    if (label == NULL) {
        SS_TRY(ss__fail_nomem(err, "a column name"));
    }
    ss__free(out->column); /* a name may have been borrowed from it until here */
    out->column = label;
    out->info.column = label;
out:
    ss__free(chosen.names);
    return status;
}

static ss_status fail_row(const ss_embeddings *embeddings, uint64_t row, ss_status code,
                          const char *what, ss_err *err)
{
    ss__fail_file(err, embeddings->path, code, "row %llu of the embeddings, counted from 0, %s",
                  (unsigned long long)row, what);
    ss__err_at_row(err, row);
    return code;
}

/* Refuse a row of the column that holds something else than numbers. */
static ss_status check_numbers(const ss_embeddings *embeddings, uint64_t row, ss_err *err)
{
    switch (embeddings->row.fault) {
    case SS_FORMAT_NUMBERS_NULL:
        return fail_row(embeddings, row, SS_E_NONFINITE,
                        "holds a value that is null or not finite", err);
    case SS_FORMAT_NUMBERS_OTHER:
        return fail_row(embeddings, row, SS_E_DATA, "holds something else than numbers", err);
    case SS_FORMAT_NUMBERS_NO_LIST:
        return fail_row(embeddings, row, SS_E_DATA, "is no list of numbers", err);
    default:
        return SS_OK;
    }
}

static ss_status step(ss_embeddings *embeddings, ss_err *err)
{
    return ss_dataset_next_numbers(embeddings->dataset, &embeddings->row, &embeddings->has_row,
                                   err);
}

/* The first row says the width. */
static ss_status find_width(ss_embeddings *out, ss_err *err)
{
    SS_RETURN_IF_ERROR(step(out, err));
    if (!out->has_row) {
        return ss__fail_file(err, out->path, SS_E_DATA, "there are no embeddings");
    }
    SS_RETURN_IF_ERROR(check_numbers(out, 0, err));
    out->info.width = out->row.n;
    if (out->info.width == 0) {
        SS_RETURN_IF_ERROR(fail_row(out, 0, SS_E_SHAPE, "is empty", err));
    }
    out->info.n_rows = ss_dataset_n_rows(out->dataset);
    return SS_OK;
}

static ss_status next_of_column(ss_embeddings *embeddings, uint64_t first, size_t n, float *out,
                                size_t *n_read, ss_err *err)
{
    const size_t width = embeddings->info.width;
    const struct ss_format_numbers *numbers = &embeddings->row;
    for (*n_read = 0; *n_read < n && embeddings->has_row; ++*n_read) {
        const uint64_t row = first + *n_read;
        SS_RETURN_IF_ERROR(check_numbers(embeddings, row, err));
        if (numbers->n != width) {
            return ss__fail_file(
                err, embeddings->path, SS_E_SHAPE,
                "row %llu of the embeddings, counted from 0, has %zu values, the rows "
                "before it have %zu",
                (unsigned long long)row, numbers->n, width);
        }
        memcpy(out + *n_read * width, numbers->values, width * sizeof *out);
        SS_RETURN_IF_ERROR(step(embeddings, err));
    }
    return SS_OK;
}

/* ---- either ---- */

ss_status ss_embeddings_open(const char *path, const struct ss_embeddings_options *options,
                             ss_embeddings **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_embeddings_options read = {.struct_size = sizeof read};
    ss_embeddings *embeddings = NULL;
    const char *kind = NULL;
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_embeddings_options, err));
    const char *column = read.column;
    const struct ss_dataset_options rows = {
        .struct_size = sizeof rows, .log = read.log, .progress = read.progress};
    SS_ALLOC(embeddings, 1);
    embeddings->asking.stop = read.progress;
    embeddings->path = ss__strdup(path);
    embeddings->column = column == NULL ? NULL : ss__strdup(column);
    if (embeddings->path == NULL || (column != NULL && embeddings->column == NULL)) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    embeddings->info =
        (struct ss_embeddings_info){.struct_size = sizeof(struct ss_embeddings_info),
                                    .path = embeddings->path,
                                    .column = ""};
    const ss__path_kind at = ss__path_stat(path);
    if (at == SS__PATH_FILE || at == SS__PATH_BROKEN) {
        SS_TRY(ss_weights_sniff(path, &kind, err));
    }
    if (kind != NULL) {
        SS_TRY(ss_weights_open(path, &embeddings->asking, &embeddings->weights, err));
        embeddings->info.format = ss_weights_format(embeddings->weights);
        SS_TRY(find_array(embeddings, err));
    } else {
        struct ss_dataset_info info = {.struct_size = sizeof info};
        SS_TRY(ss_dataset_open_values(&path, 1, &rows, &embeddings->dataset, err));
        ss_dataset_describe(embeddings->dataset, &info);
        embeddings->info.format = info.format;
        SS_TRY(find_columns(embeddings, err));
        SS_TRY(find_width(embeddings, err));
    }
    *out = embeddings;
    embeddings = NULL;
out:
    ss_embeddings_free(embeddings);
    return status;
}

void ss_embeddings_free(ss_embeddings *embeddings)
{
    if (embeddings != NULL) {
        ss_weights_close(embeddings->weights);
        ss_dataset_close(embeddings->dataset);
        ss_format_numbers_release(&embeddings->row);
        ss__free(embeddings->path);
        ss__free(embeddings->column);
        ss__free(embeddings);
    }
}

ss_status ss_embeddings_describe(const ss_embeddings *embeddings,
                                 struct ss_embeddings_info *out)
{
    return ss__result_write(out, &embeddings->info, sizeof embeddings->info);
}

/* Whether a row is all NaN; a row that is neither that nor finite is refused. */
static ss_status check_row(const ss_embeddings *embeddings, uint64_t row, const float *values,
                           bool *is_missing, ss_err *err)
{
    const size_t width = embeddings->info.width;
    size_t n_finite = 0, n_nan = 0;
    for (size_t i = 0; i < width; i++) {
        n_finite += isfinite(values[i]) != 0;
        n_nan += isnan(values[i]) != 0;
    }
    *is_missing = n_nan == width;
    return n_finite == width || *is_missing ? SS_OK
                                            : fail_row(embeddings, row, SS_E_NONFINITE,
                                                       "holds a value that is not finite", err);
}

bool ss_pass_embeddings_facts(const ss_embeddings *embeddings, struct ss__file_facts *facts,
                              bool *is_complete)
{
    if (embeddings->weights == NULL) {
        return ss_dataset_file_facts(embeddings->dataset, 0, facts, is_complete);
    }
    *facts = ss_weights_file_facts(embeddings->weights, 0);
    *is_complete = embeddings->n_given == embeddings->info.n_rows;
    return true;
}

ss_status ss_pass_embeddings_next(ss_embeddings *embeddings, uint64_t first,
                                  struct ss_pass_embeddings_part *part, ss_err *err)
{
    const size_t width = embeddings->info.width;
    ss_status status =
        embeddings->tensor != NULL
            ? next_of_array(embeddings, first, part->n, part->out, &part->n_read, err)
            : next_of_column(embeddings, first, part->n, part->out, &part->n_read, err);
    for (size_t i = 0; status == SS_OK && i < part->n_read; i++) {
        status =
            check_row(embeddings, first + i, part->out + i * width, &part->is_missing[i], err);
    }
    embeddings->n_given = first + part->n_read;
    return status;
}

void ss_pass_embeddings_progress(const ss_embeddings *embeddings, uint64_t *n_done,
                                 uint64_t *n_total)
{
    *n_done = *n_total = 0;
    if (embeddings->dataset != NULL) {
        *n_done = ss_dataset_bytes_done(embeddings->dataset);
        *n_total = ss_dataset_bytes(embeddings->dataset);
    }
}
