/* Embeddings that were made before, and the rows that they belong to, batch by batch: what
 * the feeder and the encoder are for texts (pipeline.h), for `embeddings`.
 *
 * Row i of the embeddings is row i of the dataset. Whether there are equally many is often
 * known only at the end, so both are read side by side and the dataset by one row ahead; what
 * can be told from counts is told before anything is read. An embedding of NaN, or of zeros
 * beside a null text, is a row without a text (docs/formats.md). Rows that the dataset passed
 * over (`where`, `sample`) have an embedding too, which is read and dropped. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/stop.h"
#include "dataset/dataset.h"
#include "pass/embeddings.h"

enum { BATCH_ROWS = 512 };

struct joining {
    ss_embeddings *embeddings;
    const struct ss_pass_pipeline *pipeline;
    struct ss_pass_pipeline_done *done;
    struct ss_embeddings_info info;
    struct ss_pass_batch batch;
    float *values;    /* [values_capacity / width, width] */
    bool *is_missing; /* [missing_capacity] */
    size_t values_capacity, missing_capacity;
    double started;
    uint64_t position;               /* of the next embedding */
    struct ss_dataset_passed passed; /* what is counted of rows that were passed over */
    struct ss_row ahead;             /* of the dataset, if has_ahead */
    bool has_ahead, has_ended;
};

static ss_status fail_counts(const struct joining *joining, uint64_t n_embeddings,
                             uint64_t n_rows, const char *more, ss_err *err)
{
    char embeddings[SS__COUNT_TEXT_BYTES], rows[SS__COUNT_TEXT_BYTES];
    return ss__fail_file(
        err, joining->info.path, SS_E_SHAPE,
        "there are %s%s embeddings and %s%s rows in the dataset; they must belong together row "
        "by row%s",
        ss__format_count(n_embeddings, embeddings), more[0] == 'e' ? " or more" : "",
        ss__format_count(n_rows, rows), more[0] == 'r' ? " or more" : "",
        n_embeddings < n_rows ? ": were rows without a text left out when they were made "
                                "(saescope embed `null` zero or nan keeps their place)?"
                              : "");
}

/* What can be known before anything is read. */
static ss_status check_counts(const struct joining *joining, ss_err *err)
{
    const ss_dataset *dataset = joining->pipeline->dataset;
    const uint64_t n_rows = dataset == NULL ? 0 : ss_dataset_passed(dataset).n_all;
    return n_rows > 0 && joining->info.n_rows > 0 && n_rows != joining->info.n_rows
               ? fail_counts(joining, joining->info.n_rows, n_rows, "", err)
               : SS_OK;
}

/* Read the next row of the dataset, unless it was read already. */
static ss_status look_ahead(struct joining *joining, ss_err *err)
{
    bool has_row = false;
    if (joining->has_ahead || joining->has_ended) {
        return SS_OK;
    }
    joining->ahead = (struct ss_row){.struct_size = sizeof joining->ahead};
    SS_RETURN_IF_ERROR(
        ss_dataset_next(joining->pipeline->dataset, &joining->ahead, &has_row, err));
    ss_pass_row_counts_pass(&joining->done->counts, joining->pipeline->dataset,
                            &joining->passed);
    joining->has_ahead = has_row;
    joining->has_ended = !has_row;
    return SS_OK;
}

/* The row that belongs to the embedding with this number, or that it was passed over; its text
 * in `text` without a dataset. */
static ss_status next_row(struct joining *joining, uint64_t number, char text[32],
                          struct ss_row *row, bool *is_passed, ss_err *err)
{
    ss_dataset *dataset = joining->pipeline->dataset;
    *is_passed = false;
    *row = (struct ss_row){.struct_size = sizeof(struct ss_row),
                           .id = number,
                           .file_row = number,
                           .text = {text, 0},
                           .kept = {"", 0},
                           .file = "",
                           .fault = "",
                           .problem = ""};
    if (dataset == NULL) {
        row->text.n_bytes = (size_t)snprintf(text, 32, "row %" PRIu64, number);
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(look_ahead(joining, err));
    if (joining->has_ahead && joining->ahead.id == number) {
        *row = joining->ahead;
        joining->has_ahead = false;
        return SS_OK;
    }
    *is_passed = joining->has_ahead || number < ss_dataset_passed(dataset).n_read;
    const uint64_t n = joining->info.n_rows;
    return *is_passed
               ? SS_OK
               : fail_counts(joining, n > 0 ? n : number + 1, number, n > 0 ? "" : "e", err);
}

static bool is_zero(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (values[i] != 0) {
            return false;
        }
    }
    return true;
}

static ss_status refuse(const struct joining *joining, uint64_t number, ss_err *err)
{
    ss__fail_file(err, joining->info.path, SS_E_NONFINITE,
                  "row %" PRIu64 " of the embeddings, counted from 0, is missing (all NaN); "
                  "`null` zero keeps the place of such rows, `skip_empty` leaves them out",
                  number);
    ss__err_at_row(err, number);
    return SS_E_NONFINITE;
}

/* A row into the batch, its embedding among those of the batch. */
static ss_status add_row(struct joining *joining, const float *values, bool is_missing,
                         ss_err *err)
{
    char text[32];
    struct ss_row row = {.struct_size = sizeof row};
    struct ss_pass_row_counts *counts = &joining->done->counts;
    const size_t width = joining->info.width;
    bool is_passed = false;
    SS_RETURN_IF_ERROR(next_row(joining, joining->position, text, &row, &is_passed, err));
    joining->position++;
    if (is_passed) { /* which is counted */
        return SS_OK;
    }
    counts->n_read++;
    counts->n_repaired += row.repaired;
    if (!is_missing && (joining->pipeline->dataset == NULL || row.kind != SS_ROW_NULL ||
                        !is_zero(values, width))) {
        memmove(joining->values + joining->batch.n_rows * width, values,
                width * sizeof *values);
        counts->n_used++;
        SS_RETURN_IF_ERROR(ss_pass_batch_add_row(&joining->batch, &row, err));
    } else if (joining->pipeline->use[SS_ROW_NULL] == SS_PASS_ROW_REFUSE) {
        SS_RETURN_IF_ERROR(refuse(joining, row.id, err));
    } else {
        counts->n_skipped[SS_ROW_NULL]++;
        if (joining->pipeline->use[SS_ROW_NULL] == SS_PASS_ROW_UNEMBEDDED) {
            if (joining->pipeline->dataset == NULL) {
                row.kind = SS_ROW_NULL;
            }
            SS_RETURN_IF_ERROR(ss_pass_batch_add_unembedded(&joining->batch, &row, err));
        }
    }
    return SS_OK;
}

/* Rows that were read and not passed over. */
static uint64_t n_wanted(const struct ss_pass_row_counts *counts)
{
    return counts->n_read - counts->n_unmatched - counts->n_unsampled;
}

/* How many rows the next batch takes. */
static size_t rows_of_batch(const struct joining *joining)
{
    const struct ss_pass_pipeline *pipeline = joining->pipeline;
    const bool is_first = joining->done->counts.n_read == 0 && pipeline->first_rows > 0;
    const size_t each = pipeline->rows_each > 0 ? pipeline->rows_each : BATCH_ROWS;
    return is_first ? pipeline->first_rows : each;
}

/* At most n of the rows that are still asked for. */
static size_t rows_left(const struct joining *joining, size_t n)
{
    const struct ss_pass_pipeline *pipeline = joining->pipeline;
    const struct ss_pass_row_counts *counts = &joining->done->counts;
    const uint64_t limits[] = {
        pipeline->max_used > 0 ? pipeline->max_used - counts->n_used : UINT64_MAX,
        pipeline->max_read > 0 ? pipeline->max_read - n_wanted(counts) : UINT64_MAX,
        joining->info.n_rows > 0 ? joining->info.n_rows - joining->position : UINT64_MAX};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        n = limits[i] < n ? (size_t)limits[i] : n;
    }
    return n;
}

/* Rows behind those of the batch, at most n; *n_read is 0 at the end. */
static ss_status add_rows(struct joining *joining, size_t n, size_t *n_read, ss_err *err)
{
    const size_t width = joining->info.width, n_before = joining->batch.n_rows;
    size_t n_values = 0;
    *n_read = 0;
    if (n == 0) {
        return SS_OK;
    }
    if (!ss__mul(n_before + n, width, &n_values)) {
        return ss__fail_nomem(err, "embeddings");
    }
    SS_GROW_OR_RETURN(joining->values, joining->values_capacity, n_values);
    SS_GROW_OR_RETURN(joining->is_missing, joining->missing_capacity, n);
    float *first = joining->values + n_before * width;
    struct ss_pass_embeddings_part part = {
        .out = first, .is_missing = joining->is_missing, .n = n};
    SS_RETURN_IF_ERROR(
        ss_pass_embeddings_next(joining->embeddings, joining->position, &part, err));
    for (size_t i = 0; i < part.n_read; i++) {
        SS_RETURN_IF_ERROR(add_row(joining, first + i * width, joining->is_missing[i], err));
    }
    *n_read = part.n_read;
    return SS_OK;
}

/* One batch; a rule's number of rows are all used. *n_read is 0 at the end. */
static ss_status read_batch(struct joining *joining, size_t *n_read, ss_err *err)
{
    const struct ss_pass_pipeline *pipeline = joining->pipeline;
    const size_t n = rows_of_batch(joining);
    const bool is_counted = pipeline->rows_each > 0 || joining->done->counts.n_read == 0;
    size_t n_more = 0;
    *n_read = 0;
    ss_pass_batch_reset(&joining->batch);
    do {
        const size_t n_wanted = rows_left(joining, n - joining->batch.n_rows);
        SS_RETURN_IF_ERROR(add_rows(joining, n_wanted, &n_more, err));
        *n_read += n_more;
    } while (n_more > 0 && is_counted);
    if (joining->batch.n_rows > 0 || joining->batch.n_unembedded > 0) {
        SS_RETURN_IF_ERROR(
            pipeline->on_batch(pipeline->user, &joining->batch, joining->values, err));
    }
    return SS_OK;
}

static ss_status watch(const struct joining *joining, ss_err *err)
{
    const struct ss_progress_callback *watcher = &joining->pipeline->progress;
    struct ss_progress progress = {
        .struct_size = sizeof progress,
        .stage = SS_STAGE_ROWS,
        .name = "",
        .n_rows_done = joining->done->counts.n_read,
        .n_rows_total = joining->info.n_rows,
        .seconds = ss__seconds_now() - joining->started,
    };
    ss_pass_embeddings_progress(joining->embeddings, &progress.n_bytes_done,
                                &progress.n_bytes_total);
    char rows[SS__COUNTED_TEXT_BYTES];
    return watcher->fn != NULL && watcher->fn(watcher->user, &progress) != 0
               ? ss__fail(err, SS_E_STOPPED, "stopped on request after %s",
                          ss__format_counted(progress.n_rows_done, "row", rows))
               : SS_OK;
}

static int ask_watch(void *user, const struct ss_progress *waiting)
{
    (void)waiting;
    return watch(user, NULL) != SS_OK;
}

/* Whether the dataset has ended as well. */
static ss_status check_end(struct joining *joining, ss_err *err)
{
    const struct ss_pass_row_counts *counts = &joining->done->counts;
    const struct ss_pass_pipeline *pipeline = joining->pipeline;
    const uint64_t n = joining->position;
    if (pipeline->dataset == NULL || counts->n_used == pipeline->max_used ||
        n_wanted(counts) == pipeline->max_read) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(look_ahead(joining, err));
    return joining->has_ahead || ss_dataset_passed(pipeline->dataset).n_read > n
               ? fail_counts(joining, n, n + 1, "r", err)
               : SS_OK;
}

ss_status ss_pass_embeddings_run(ss_embeddings *embeddings,
                                 const struct ss_pass_pipeline *pipeline,
                                 struct ss_pass_pipeline_done *done, ss_err *err)
{
    ss_status status = SS_OK;
    struct joining joining = {
        .embeddings = embeddings,
        .pipeline = pipeline,
        .done = done,
        .started = ss__seconds_now(),
    };
    size_t n_read = 1;
    *done = (struct ss_pass_pipeline_done){0};
    joining.info.struct_size = sizeof joining.info;
    ss_embeddings_describe(embeddings, &joining.info);
    SS_TRY(check_counts(&joining, err));
    joining.batch.keeps_all =
        pipeline->dataset != NULL && ss_dataset_passed(pipeline->dataset).is_selective;
    ss_work_set_progress(pipeline->work, (struct ss_progress_callback){ask_watch, &joining});
    while (n_read > 0) {
        SS_TRY(read_batch(&joining, &n_read, err));
        SS_TRY(watch(&joining, err));
    }
    SS_TRY(check_end(&joining, err));
    done->seconds = ss__seconds_now() - joining.started;
out:
    ss_work_set_progress(pipeline->work, (struct ss_progress_callback){NULL, NULL});
    ss_pass_batch_release(&joining.batch);
    ss__free(joining.values);
    ss__free(joining.is_missing);
    return status;
}
