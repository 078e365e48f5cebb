/* The reading thread. It tokenises rows into batches, which go through a bounded queue to the
 * calling thread and come back empty through another: SS_PASS_N_BATCHES of them bound the
 * memory. Its log messages are queued, and the calling thread passes them on, so that the
 * user's callbacks are called by one thread. */
#include "pass/feeder.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset.h"
#include "encoder/encoder.h"

/* Texts of a batch in memory. A batch that a rule fills with a number of rows may hold more. */
enum { TEXT_BYTES = 8 << 20, RULE_TEXT_BYTES = 256 << 20, RELAY_BYTES = 1 << 20 };

/* The state of the thread. */
struct filling {
    struct ss_pass_feeder *feeder;
    struct ss_tokenizer_token_scratch *scratch;
    struct ss_tokenizer_tokens tokens; /* of one row */
    struct ss_pass_batch *batch;       /* NULL once the queue is closed */
    struct ss_pass_batch_limits limits;
    struct ss_pass_row_counts counts; /* since the batch was begun */
    uint64_t n_read, n_used;
    struct ss_dataset_passed
        passed;   /* rows that the dataset passed over and that are counted */
    bool is_rule; /* the number of rows in this batch has a meaning */
};

static void queue_message(void *user, ss_level level, const char *message)
{
    struct ss_pass_relay *relay = user;
    pthread_mutex_lock(&relay->lock);
    if (relay->messages.n_bytes < RELAY_BYTES) {
        const size_t n_bytes = strlen(message) + 1;
        char *end = ss__buf_reserve(&relay->messages, 1 + n_bytes); /* whole or not at all */
        if (end != NULL) {
            *end = (char)level;
            memcpy(end + 1, message, n_bytes);
            relay->messages.n_bytes += 1 + n_bytes;
        }
    }
    pthread_mutex_unlock(&relay->lock);
}

void ss_pass_feeder_flush_messages(struct ss_pass_feeder *feeder)
{
    struct ss_pass_relay *relay = &feeder->relay;
    pthread_mutex_lock(&relay->lock);
    struct ss__buf messages = relay->messages;
    relay->messages = (struct ss__buf){0};
    pthread_mutex_unlock(&relay->lock);
    for (size_t at = 0; at < messages.n_bytes;) {
        const ss_level level = (ss_level)messages.data[at];
        const char *message = messages.data + at + 1;
        ss__log(&feeder->pipeline->log, level, "%s", message);
        at += strlen(message) + 2;
    }
    ss__buf_release(&messages);
}

/* Hand a batch to its consumer: false where no more are wanted. */
static bool emit_batch(struct filling *filling)
{
    struct ss_pass_feeder *feeder = filling->feeder;
    if (feeder->on_batch == NULL) {
        return ss_pass_queue_push(&feeder->full, filling->batch);
    }
    ss_pass_feeder_flush_messages(feeder);
    feeder->status = feeder->on_batch(feeder->user, filling->batch, &feeder->err);
    return feeder->status == SS_OK && ss_pass_queue_push(&feeder->empty, filling->batch);
}

/* Emit the batch with the counts up to here, and begin the next one. */
static void next_batch(struct filling *filling)
{
    const struct ss_pass_pipeline *pipeline = filling->feeder->pipeline;
    void *item = NULL;
    if (filling->batch != NULL) {
        filling->batch->counts = filling->counts;
        filling->batch->n_bytes_done =
            ss_dataset_bytes_done(filling->feeder->pipeline->dataset);
        filling->counts = (struct ss_pass_row_counts){0};
        if (!emit_batch(filling)) {
            filling->batch = NULL;
            return;
        }
        filling->limits.n_rows = pipeline->rows_each;
        filling->is_rule = pipeline->rows_each > 0;
    }
    if (ss_pass_queue_pop(&filling->feeder->empty, -1, &item) == SS_PASS_POP_ITEM) {
        filling->batch = item;
        ss_pass_batch_reset(filling->batch);
    } else {
        filling->batch = NULL;
    }
}

static ss_status refuse(const struct ss_row *row, ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, row->file, SS_E_DATA,
                      "row %" PRIu64 " of the dataset, counted from 0, has no text (null)%s%s; "
                      "`null` zero or nan keeps the place of such rows, `skip_empty` leaves "
                      "them out",
                      row->id, row->problem[0] == '\0' ? "" : ": ", row->problem);
    ss__err_at_row(err, row->id);
    return status;
}

/* Begin another batch if the row does not fit into this one. */
static ss_status begin_batch_if_full(struct filling *filling, size_t n_tokens,
                                     const struct ss_row *row, ss_err *err)
{
    const size_t n_bytes = row->text.n_bytes + row->kept.n_bytes;
    if (ss_pass_batch_fits(filling->batch, &filling->limits, n_tokens, n_bytes)) {
        return SS_OK;
    }
    if (filling->is_rule && filling->batch->n_rows < filling->limits.n_rows) {
        return ss__fail(err, SS_E_LIMIT,
                        "%zu rows that go together hold more than %d MiB of text",
                        filling->limits.n_rows, RULE_TEXT_BYTES >> 20);
    }
    next_batch(filling);
    return SS_OK;
}

/* Put the file and the row's number before a message about its text. */
static ss_status name_row(const struct ss_row *row, ss_status code, ss_err *err)
{
    char message[sizeof err->message] = "";
    if (err != NULL) {
        memcpy(message, err->message, sizeof message);
    }
    ss__fail_file(err, row->file, code,
                  "row %" PRIu64 " of the dataset, counted from 0: %.800s", row->id, message);
    ss__err_at_row(err, row->id);
    return code;
}

static ss_status add_row(struct filling *filling, const struct ss_row *row, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_pass_pipeline *pipeline = filling->feeder->pipeline;
    ss_tokenizer_tokens_reset(&filling->tokens);
    status = ss_encoder_tokenize_text(pipeline->encoder, filling->scratch, row->text,
                                      &filling->tokens, err);
    if (status != SS_OK) {
        return name_row(row, status, err);
    }
    SS_TRY(begin_batch_if_full(filling, ss_tokenizer_tokens_n_ids(&filling->tokens), row, err));
    if (filling->batch == NULL) {
        goto out;
    }
    filling->counts.n_read++;
    filling->counts.n_used++;
    filling->counts.n_repaired += row->repaired;
    filling->n_used++;
    SS_TRY(ss_pass_batch_add(filling->batch, row, &filling->tokens, err));
out:
    return status;
}

static void count_skipped(struct filling *filling, const struct ss_row *row)
{
    filling->counts.n_read++;
    filling->counts.n_skipped[row->kind]++;
    filling->counts.n_repaired += row->repaired;
}

static ss_status add_unembedded(struct filling *filling, const struct ss_row *row, ss_err *err)
{
    SS_RETURN_IF_ERROR(begin_batch_if_full(filling, 0, row, err));
    if (filling->batch != NULL) {
        count_skipped(filling, row);
        SS_RETURN_IF_ERROR(ss_pass_batch_add_unembedded(filling->batch, row, err));
    }
    return SS_OK;
}

/* A row that was gathered before the run was stopped. */
static void pass_over(struct filling *filling, const struct ss_row *row)
{
    if (filling->feeder->pipeline->use[row->kind] != SS_PASS_ROW_USE) {
        count_skipped(filling, row);
        return;
    }
    filling->counts.n_read++;
    filling->counts.n_used++;
    filling->counts.n_repaired += row->repaired;
    filling->n_used++;
}

static bool wants_more(const struct filling *filling)
{
    const struct ss_pass_pipeline *pipeline = filling->feeder->pipeline;
    return filling->batch != NULL &&
           (pipeline->max_used == 0 || filling->n_used < pipeline->max_used) &&
           (pipeline->max_read == 0 || filling->n_read < pipeline->max_read);
}

static ss_status read_rows(struct filling *filling, ss_err *err)
{
    const struct ss_pass_pipeline *pipeline = filling->feeder->pipeline;
    for (; wants_more(filling); filling->n_read++) {
        struct ss_row row = {.struct_size = sizeof row};
        bool has_row = false;
        SS_RETURN_IF_ERROR(ss_dataset_next(pipeline->dataset, &row, &has_row, err));
        ss_pass_row_counts_pass(&filling->counts, pipeline->dataset, &filling->passed);
        if (!has_row) {
            break;
        }
        if (filling->n_read < pipeline->n_passed_over) {
            pass_over(filling, &row);
            continue;
        }
        switch (pipeline->use[row.kind]) {
        case SS_PASS_ROW_REFUSE:
            SS_RETURN_IF_ERROR(refuse(&row, err));
            break;
        case SS_PASS_ROW_SKIP:
            count_skipped(filling, &row);
            break;
        case SS_PASS_ROW_UNEMBEDDED:
            SS_RETURN_IF_ERROR(add_unembedded(filling, &row, err));
            break;
        case SS_PASS_ROW_USE:
            SS_RETURN_IF_ERROR(add_row(filling, &row, err));
            break;
        }
    }
    if (filling->batch != NULL && filling->n_read < pipeline->n_passed_over) {
        return ss__fail(err, SS_E_DATA,
                        "the dataset ends after %" PRIu64 " rows, but %" PRIu64
                        " were read of it before: it has changed; begin again with `force`",
                        filling->n_read, pipeline->n_passed_over);
    }
    if (filling->batch != NULL) { /* the last one, perhaps only with counts */
        filling->batch->counts = filling->counts;
        filling->batch->n_bytes_done =
            ss_dataset_bytes_done(filling->feeder->pipeline->dataset);
        (void)emit_batch(filling);
    }
    return SS_OK;
}

static void *feeder_main(void *argument)
{
    struct ss_pass_feeder *feeder = argument;
    struct filling filling = {.feeder = feeder, .limits = feeder->limits};
    filling.is_rule = feeder->pipeline->first_rows == 0 && feeder->pipeline->rows_each > 0;
    ss_status status = ss_tokenizer_token_scratch_new(&filling.scratch, &feeder->err);
    if (status == SS_OK) {
        next_batch(&filling);
        status = read_rows(&filling, &feeder->err);
    }
    ss_tokenizer_token_scratch_free(filling.scratch);
    ss_tokenizer_tokens_release(&filling.tokens);
    feeder->status =
        status != SS_OK
            ? status
            : feeder->status; /* seen by the other thread through the lock of the queue */
    ss_pass_queue_close(&feeder->full);
    return NULL;
}

static struct ss_pass_batch_limits limits_of(const struct ss_pass_pipeline *pipeline)
{
    const bool by_rows = pipeline->first_rows > 0 || pipeline->rows_each > 0;
    return (struct ss_pass_batch_limits){
        .n_rows = pipeline->first_rows > 0 ? pipeline->first_rows : pipeline->rows_each,
        .n_tokens = pipeline->batch_tokens > 0 ? pipeline->batch_tokens
                                               : ss_encoder_batch_tokens(pipeline->encoder),
        .n_text_bytes = by_rows ? RULE_TEXT_BYTES : TEXT_BYTES,
    };
}

static ss_status init_queues(struct ss_pass_feeder *feeder, ss_err *err)
{
    ss_status status = ss_pass_queue_init(&feeder->full, err);
    if (status != SS_OK) {
        return status;
    }
    status = ss_pass_queue_init(&feeder->empty, err);
    if (status == SS_OK && pthread_mutex_init(&feeder->relay.lock, NULL) != 0) {
        ss_pass_queue_release(&feeder->empty);
        status = ss__fail_nomem(err, "a lock");
    }
    if (status != SS_OK) {
        ss_pass_queue_release(&feeder->full);
    }
    feeder->has_queues = status == SS_OK;
    return status;
}

ss_status ss_pass_feeder_start(struct ss_pass_feeder *feeder,
                               const struct ss_pass_pipeline *pipeline, ss_err *err)
{
    ss_status status = SS_OK;
    *feeder = (struct ss_pass_feeder){.pipeline = pipeline, .limits = limits_of(pipeline)};
    SS_TRY(init_queues(feeder, err));
    for (size_t i = 0; i < SS_PASS_N_BATCHES; i++) {
        feeder->batches[i].keeps_all = ss_dataset_passed(pipeline->dataset).is_selective;
        ss_pass_queue_push(&feeder->empty, &feeder->batches[i]); /* there is room */
    }
    feeder->dataset_log = ss_dataset_set_log(
        pipeline->dataset, (struct ss_log){.fn = queue_message, .user = &feeder->relay});
    if (pthread_create(&feeder->thread, NULL, feeder_main, feeder) != 0) {
        ss__log(&pipeline->log, SS_LEVEL_WARNING,
                "the thread that reads could not be started; rows are read in between, which "
                "takes longer");
        goto out;
    }
    feeder->is_started = true;
out:
    if (status != SS_OK) {
        ss_pass_feeder_stop(feeder);
    }
    return status;
}

ss_status ss_pass_feeder_run_inline(struct ss_pass_feeder *feeder,
                                    ss_status (*on_batch)(void *user,
                                                          const struct ss_pass_batch *batch,
                                                          ss_err *err),
                                    void *user, ss_err *err)
{
    feeder->on_batch = on_batch;
    feeder->user = user;
    (void)feeder_main(feeder);
    if (feeder->status != SS_OK && err != NULL) {
        *err = feeder->err;
    }
    return feeder->status;
}

void ss_pass_feeder_stop(struct ss_pass_feeder *feeder)
{
    if (feeder->has_queues && !feeder->is_started) {
        (void)ss_dataset_set_log(feeder->pipeline->dataset, feeder->dataset_log);
        ss_pass_feeder_flush_messages(feeder);
    }
    if (feeder->is_started) {
        if (!feeder->is_done) {
            ss_dataset_interrupt(feeder->pipeline->dataset);
        }
        ss_pass_queue_close(&feeder->full);
        ss_pass_queue_close(&feeder->empty);
        pthread_join(feeder->thread, NULL);
        (void)ss_dataset_set_log(feeder->pipeline->dataset, feeder->dataset_log);
        ss_pass_feeder_flush_messages(feeder);
    }
    if (feeder->has_queues) {
        ss_pass_queue_release(&feeder->full);
        ss_pass_queue_release(&feeder->empty);
        pthread_mutex_destroy(&feeder->relay.lock);
    }
    for (size_t i = 0; i < SS_PASS_N_BATCHES; i++) {
        ss_pass_batch_release(&feeder->batches[i]);
    }
    ss__buf_release(&feeder->relay.messages);
    *feeder = (struct ss_pass_feeder){0};
}
