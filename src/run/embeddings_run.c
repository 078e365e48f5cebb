/* Embeddings and the rows that they belong to, batch by batch. */
#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "dataset/dataset.h"
#include "run/embeddings.h"

enum { BATCH_ROWS = 512 };

struct joining {
    ss_embeddings *embeddings;
    const struct ss__pipeline *pipeline;
    struct ss__pipeline_done *done;
    struct ss_embeddings_info info;
    struct ss__batch batch;
    float *values; /* [n_room, width] */
    size_t n_room;
    double started;
};

static ss_status fail_counts(const struct joining *joining, uint64_t n_embeddings,
                             uint64_t n_rows, const char *more, ss_err *err)
{
    return ss__fail_file(err, joining->info.path, SS_E_SHAPE,
                         "there are %" PRIu64 "%s embeddings and %" PRIu64
                         "%s rows in the dataset; they must belong together row by row",
                         n_embeddings, more[0] == 'e' ? " or more" : "", n_rows,
                         more[0] == 'r' ? " or more" : "");
}

/* What can be known before anything is read. */
static ss_status check_counts(const struct joining *joining, ss_err *err)
{
    const ss_dataset *dataset = joining->pipeline->dataset;
    const uint64_t n_rows = dataset == NULL ? 0 : ss_dataset_n_rows(dataset);
    return n_rows > 0 && joining->info.n_rows > 0 && n_rows != joining->info.n_rows
               ? fail_counts(joining, joining->info.n_rows, n_rows, "", err)
               : SS_OK;
}

/* The row that belongs to the embedding with this number. */
static ss_status add_row(struct joining *joining, uint64_t number, ss_err *err)
{
    char text[32];
    struct ss_row row = {.id = number, .text = {text, 0}, .kept = {"", 0}, .file = ""};
    bool has_row = true;
    if (joining->pipeline->dataset == NULL) {
        row.text.n_bytes = (size_t)snprintf(text, sizeof text, "row %" PRIu64, number);
    } else {
        const ss_status status =
            ss_dataset_next(joining->pipeline->dataset, &row, &has_row, err);
        if (status != SS_OK) {
            return status;
        }
        if (!has_row) {
            const uint64_t n = joining->info.n_rows;
            return fail_counts(joining, n > 0 ? n : number + 1, number, n > 0 ? "" : "e", err);
        }
    }
    joining->done->counts.n_repaired += row.repaired;
    return ss__batch_add_row(&joining->batch, &row, err);
}

static size_t rows_of_batch(const struct joining *joining, uint64_t n_done)
{
    const struct ss__pipeline *pipeline = joining->pipeline;
    size_t n = pipeline->rows_each > 0 ? pipeline->rows_each : BATCH_ROWS;
    if (n_done == 0 && pipeline->first_rows > 0) {
        n = pipeline->first_rows;
    }
    const uint64_t asked = pipeline->max_used > 0 ? pipeline->max_used - n_done : UINT64_MAX;
    const uint64_t there = joining->info.n_rows > n_done ? joining->info.n_rows - n_done : n;
    n = asked < n ? (size_t)asked : n;
    return there < n ? (size_t)there : n;
}

/* One batch; *n_read is 0 at the end. */
static ss_status take_rows(struct joining *joining, size_t *n_read, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__pipeline *pipeline = joining->pipeline;
    struct ss__row_counts *counts = &joining->done->counts;
    const size_t n = rows_of_batch(joining, counts->n_used);
    size_t n_values = 0;
    *n_read = 0;
    if (!ss__mul(n, joining->info.width, &n_values)) {
        SS_TRY(ss__fail_nomem(err, "embeddings"));
    }
    SS_GROW(joining->values, joining->n_room, n_values);
    SS_TRY(ss__embeddings_next(joining->embeddings, counts->n_used, n, joining->values, n_read,
                               err));
    ss__batch_reset(&joining->batch);
    for (size_t i = 0; i < *n_read; i++) {
        SS_TRY(add_row(joining, counts->n_used + i, err));
    }
    if (*n_read > 0) {
        SS_TRY(pipeline->take(pipeline->user, &joining->batch, joining->values, err));
    }
    counts->n_used += *n_read;
    counts->n_read += *n_read;
out:
    return status;
}

static ss_status watch(const struct joining *joining, ss_err *err)
{
    const struct ss_watch *watcher = &joining->pipeline->watch;
    const struct ss_progress progress = {
        .n_rows_done = joining->done->counts.n_used,
        .n_rows_total = joining->info.n_rows,
        .seconds = ss__seconds_now() - joining->started,
    };
    return watcher->fn != NULL && watcher->fn(watcher->user, &progress) != 0
               ? ss__fail(err, SS_E_STOPPED, "stopped on request after %" PRIu64 " rows",
                          progress.n_rows_done)
               : SS_OK;
}

/* Whether the dataset has ended as well. */
static ss_status check_end(const struct joining *joining, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_row row = {0};
    bool has_row = false;
    const uint64_t n = joining->done->counts.n_used;
    if (joining->pipeline->dataset == NULL || n == joining->pipeline->max_used) {
        return SS_OK;
    }
    SS_TRY(ss_dataset_next(joining->pipeline->dataset, &row, &has_row, err));
    if (has_row) {
        SS_TRY(fail_counts(joining, n, n + 1, "r", err));
    }
out:
    return status;
}

ss_status ss__embeddings_run(ss_embeddings *embeddings, const struct ss__pipeline *pipeline,
                             struct ss__pipeline_done *done, ss_err *err)
{
    ss_status status = SS_OK;
    struct joining joining = {
        .embeddings = embeddings,
        .pipeline = pipeline,
        .done = done,
        .started = ss__seconds_now(),
    };
    size_t n_read = 1;
    *done = (struct ss__pipeline_done){0};
    ss_embeddings_describe(embeddings, &joining.info);
    SS_TRY(check_counts(&joining, err));
    while (n_read > 0 &&
           (pipeline->max_used == 0 || done->counts.n_used < pipeline->max_used) &&
           (joining.info.n_rows == 0 || done->counts.n_used < joining.info.n_rows)) {
        SS_TRY(take_rows(&joining, &n_read, err));
        SS_TRY(watch(&joining, err));
    }
    SS_TRY(check_end(&joining, err));
    done->seconds = ss__seconds_now() - joining.started;
out:
    ss__batch_release(&joining.batch);
    ss__free(joining.values);
    return status;
}
