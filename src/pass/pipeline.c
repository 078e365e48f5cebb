/* The calling thread's side of the pipeline: it embeds batches in parts of the token budget,
 * hands them on in row order, and reports progress. */
#include "pass/pipeline.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/stop.h"
#include "dataset/dataset.h"
#include "encoder/encoder.h"
#include "pass/feeder.h"

enum { WATCH_MS = 100 };

/* What the calling thread works with. */
struct encoding {
    const struct ss_pass_pipeline *pipeline;
    struct ss_pass_pipeline_done *done;
    float *embeddings; /* [n_rows, width] of the batch in hand */
    size_t *offsets;   /* of a part of a batch */
    size_t embeddings_capacity, offsets_capacity, width, budget;
    uint64_t n_rows_total, n_rows_before, n_rows_part;
    uint64_t n_bytes_total, n_bytes_before, n_bytes_after; /* after: the batch in hand */
    size_t n_rows_batch;
    double started, watched;
};

/* Rows that there are to do, if known: of the dataset, or the number asked for. */
static uint64_t rows_total(const struct ss_pass_pipeline *pipeline)
{
    const uint64_t n = ss_dataset_n_rows(pipeline->dataset);
    const uint64_t asked = pipeline->max_used > 0 ? pipeline->max_used : pipeline->max_read;
    if (n == 0 || asked == 0) {
        return n == 0 ? asked : n;
    }
    return n < asked ? n : asked;
}

/* Rows of a batch take equal parts of its bytes. */
static uint64_t bytes_done(const struct encoding *encoding)
{
    const uint64_t n = encoding->n_bytes_after - encoding->n_bytes_before;
    const double part = encoding->n_rows_batch == 0
                            ? 0
                            : (double)encoding->n_rows_part / (double)encoding->n_rows_batch;
    return encoding->n_bytes_before + (uint64_t)((double)n * part);
}

/* Tell the watcher, but not more than ten times a second unless it is the end. */
static ss_status watch(struct encoding *encoding, bool is_end, ss_err *err)
{
    const struct ss_progress_callback *watcher = &encoding->pipeline->progress;
    const double now = ss__seconds_now();
    if (watcher->fn == NULL || (!is_end && now - encoding->watched < 1e-3 * WATCH_MS)) {
        return SS_OK;
    }
    encoding->watched = now;
    const struct ss_progress progress = {
        .struct_size = sizeof progress,
        .stage = SS_STAGE_ROWS,
        .name = "",
        .is_end = is_end,
        .n_rows_done = encoding->n_rows_before + encoding->n_rows_part,
        .n_rows_total = encoding->n_rows_total,
        .n_tokens_done = encoding->done->n_tokens,
        .n_bytes_done = bytes_done(encoding),
        .n_bytes_total = encoding->n_bytes_total,
        .seconds = now - encoding->started,
    };
    if (watcher->fn(watcher->user, &progress) != 0) {
        char rows[SS__COUNTED_TEXT_BYTES];
        return ss__fail(err, SS_E_STOPPED, "stopped on request after %s",
                        ss__format_counted(progress.n_rows_done, "row", rows));
    }
    return SS_OK;
}

/* For the work, which asks while it computes. */
static int ask_watch(void *user, const struct ss_progress *waiting)
{
    (void)waiting;
    return watch(user, false, NULL) != SS_OK;
}

/* How many texts from `first` fit the token budget; at least one. */
static size_t part_of(const struct ss_tokenizer_tokens *tokens, size_t first, size_t budget)
{
    size_t end = first + 1;
    while (end < tokens->n_texts &&
           tokens->offsets[end + 1] - tokens->offsets[first] <= budget) {
        end++;
    }
    return end - first;
}

static ss_status embed(struct encoding *encoding, const struct ss_pass_batch *batch,
                       ss_err *err)
{
    const struct ss_pass_pipeline *pipeline = encoding->pipeline;
    size_t n_values = 0;
    if (!ss__mul(batch->n_rows, encoding->width, &n_values)) {
        return ss__fail_nomem(err, "embeddings");
    }
    SS_GROW_OR_RETURN(encoding->embeddings, encoding->embeddings_capacity, n_values);
    SS_GROW_OR_RETURN(encoding->offsets, encoding->offsets_capacity, batch->n_rows + 1);
    for (size_t first = 0; first < batch->n_rows;) {
        const size_t n = part_of(&batch->tokens, first, encoding->budget);
        const struct ss_tokenizer_tokens part =
            ss_pass_tokens_slice(&batch->tokens, first, n, encoding->offsets);
        SS_RETURN_IF_ERROR(ss_encoder_forward(pipeline->encoder, pipeline->work, &part,
                                              encoding->embeddings + first * encoding->width,
                                              err));
        encoding->done->n_tokens += ss_tokenizer_tokens_n_ids(&part);
        encoding->n_rows_part += n;
        first += n;
        SS_RETURN_IF_ERROR(watch(encoding, false, err));
    }
    return SS_OK;
}

static ss_status process_batch(struct encoding *encoding, const struct ss_pass_batch *batch,
                               ss_err *err)
{
    const struct ss_pass_pipeline *pipeline = encoding->pipeline;
    struct ss_pass_row_counts *counts = &encoding->done->counts;
    encoding->n_rows_batch = batch->n_rows;
    encoding->n_bytes_after = batch->n_bytes_done;
    if (batch->n_rows > 0) {
        SS_RETURN_IF_ERROR(embed(encoding, batch, err));
    }
    if (batch->n_rows > 0 || batch->n_unembedded > 0) {
        SS_RETURN_IF_ERROR(
            pipeline->on_batch(pipeline->user, batch, encoding->embeddings, err));
    }
    ss_pass_row_counts_add(counts, &batch->counts);
    /* Against a number that was asked for, used rows count; else all rows of the dataset. */
    encoding->n_rows_before = pipeline->max_used > 0
                                  ? counts->n_used
                                  : counts->n_read - counts->n_unmatched - counts->n_unsampled;
    encoding->n_rows_part = 0;
    encoding->n_bytes_before = encoding->n_bytes_after;
    return SS_OK;
}

static ss_status process_all(struct encoding *encoding, struct ss_pass_feeder *feeder,
                             ss_err *err)
{
    ss_status status = SS_OK;
    for (;;) {
        void *item = NULL;
        const double before = ss__seconds_now();
        const ss_pass_popped popped = ss_pass_queue_pop(&feeder->full, WATCH_MS, &item);
        encoding->done->seconds_waiting += ss__seconds_now() - before;
        ss_pass_feeder_flush_messages(feeder);
        if (popped == SS_PASS_POP_CLOSED) {
            feeder->is_done = true;
            break;
        }
        if (popped == SS_PASS_POP_ITEM) {
            SS_TRY(process_batch(encoding, item, err));
            if (!ss_pass_queue_push(&feeder->empty, item)) {
                break;
            }
        }
        SS_TRY(watch(encoding, false, err));
    }
    if (feeder->status != SS_OK) {
        if (err != NULL) {
            *err = feeder->err;
        }
        status = feeder->status;
        goto out;
    }
    SS_TRY(watch(encoding, true, err));
out:
    return status;
}

ss_status ss_pass_pipeline_stopped(const struct ss_pass_pipeline_done *done, const char *out,
                                   ss_err *err)
{
    char rows[SS__COUNTED_TEXT_BYTES];
    ss__format_counted(done->counts.n_used, "row", rows);
    return ss__fail(err, SS_E_STOPPED, "stopped on request after %s%s%.400s", rows,
                    out == NULL ? "" : "; nothing was written to ", out == NULL ? "" : out);
}

static ss_status process_one(void *user, const struct ss_pass_batch *batch, ss_err *err)
{
    struct encoding *encoding = user;
    const ss_status status = process_batch(encoding, batch, err);
    return status == SS_OK ? watch(encoding, false, err) : status;
}

ss_status ss_pass_pipeline_run(const struct ss_pass_pipeline *pipeline,
                               struct ss_pass_pipeline_done *done, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_pass_feeder feeder = {0};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    *done = (struct ss_pass_pipeline_done){0};
    ss_encoder_describe(pipeline->encoder, &info);
    struct encoding encoding = {
        .pipeline = pipeline,
        .done = done,
        .width = info.width,
        .n_rows_total = rows_total(pipeline),
        .n_bytes_total = ss_dataset_bytes(pipeline->dataset),
        .started = ss__seconds_now(),
    };
    ss_work_set_progress(pipeline->work, (struct ss_progress_callback){ask_watch, &encoding});
    SS_TRY(ss_pass_feeder_start(&feeder, pipeline, err));
    encoding.budget = feeder.limits.n_tokens;
    if (feeder.is_started) {
        SS_TRY(process_all(&encoding, &feeder, err));
    } else {
        SS_TRY(ss_pass_feeder_run_inline(&feeder, process_one, &encoding, err));
        SS_TRY(watch(&encoding, true, err));
    }
    done->seconds = ss__seconds_now() - encoding.started;
out:
    ss_work_set_progress(pipeline->work, (struct ss_progress_callback){NULL, NULL});
    ss_pass_feeder_stop(&feeder);
    ss__free(encoding.embeddings);
    ss__free(encoding.offsets);
    return status;
}
