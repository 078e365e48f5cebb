/* Filling batches, and walking over their rows. Texts and kept columns lie in the batch's
 * arena, so that a batch is reset without freeing anything. */
#include "pass/batch.h"

#include <string.h>

#include "base/buf.h"
#include "base/json_write.h"
#include "base/mem.h"

/* A batch without a text has no tokens by which it would ever be full: rows of nothing but
 * nulls are cut at so many, so that whoever waits hears of them. */
enum { MAX_UNEMBEDDED = 1 << 16 };

void ss_pass_row_counts_add(struct ss_pass_row_counts *sum,
                            const struct ss_pass_row_counts *part)
{
    sum->n_read += part->n_read;
    sum->n_used += part->n_used;
    sum->n_repaired += part->n_repaired;
    sum->n_unmatched += part->n_unmatched;
    sum->n_unsampled += part->n_unsampled;
    for (size_t i = 0; i < SS_N_ROW_KINDS; i++) {
        sum->n_skipped[i] += part->n_skipped[i];
    }
}

/* The dataset counts what it passed over by itself, since such rows are never given out. What
 * was added since the last batch belongs to this one, so that counts are right wherever a
 * pass is stopped. */
void ss_pass_row_counts_pass(struct ss_pass_row_counts *counts, const ss_dataset *dataset,
                             struct ss_dataset_passed *before)
{
    const struct ss_dataset_passed now = ss_dataset_passed(dataset);
    const uint64_t n_unmatched = now.n_unmatched - before->n_unmatched;
    const uint64_t n_unsampled = now.n_unsampled - before->n_unsampled;
    counts->n_unmatched += n_unmatched;
    counts->n_unsampled += n_unsampled;
    counts->n_read += n_unmatched + n_unsampled;
    *before = now;
}

ss_status ss_pass_tokens_append(struct ss_tokenizer_tokens *to,
                                const struct ss_tokenizer_tokens *from, ss_err *err)
{
    const size_t n_before = ss_tokenizer_tokens_n_ids(to), n = ss_tokenizer_tokens_n_ids(from);
    SS_GROW_OR_RETURN(to->ids, to->ids_capacity, n_before + n);
    SS_GROW_OR_RETURN(to->offsets, to->offsets_capacity, to->n_texts + 2);
    if (n > 0) {
        memcpy(to->ids + n_before, from->ids, n * sizeof *to->ids);
    }
    to->offsets[to->n_texts] = n_before;
    to->n_texts++;
    to->offsets[to->n_texts] = n_before + n;
    return SS_OK;
}

/* What goes along with a row into lists of top texts: its file and the kept columns. */
static ss_status add_note(struct ss_pass_batch *batch, const struct ss_row *row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf note = {0};
    struct ss_text *slot = NULL;
    SS_GROW(batch->notes, batch->notes_capacity, batch->n_rows + 1);
    SS_GROW(batch->kept, batch->kept_capacity, batch->n_rows + 1);
    slot = &batch->notes[batch->n_rows];
    *slot = batch->kept[batch->n_rows] = (struct ss_text){"", 0};
    if (row->kept.n_bytes == 0) {
        goto out;
    }
    ss__buf_add_text(&note, "{\"file\": ");
    ss__json_add_string(&note, row->file, strlen(row->file), false);
    ss__buf_add_text(&note, ", \"kept\": ");
    ss__buf_add(&note, row->kept.data, row->kept.n_bytes);
    ss__buf_add_text(&note, "}");
    SS_TRY(ss__buf_check(&note, err));
    slot->data = ss__arena_strndup(&batch->arena, note.data, note.n_bytes);
    slot->n_bytes = note.n_bytes;
    if (slot->data == NULL) {
        *slot = (struct ss_text){"", 0};
        SS_TRY(ss__fail_nomem(err, "columns that are kept"));
    }
    batch->has_notes = true;
    batch->kept[batch->n_rows] =
        (struct ss_text){slot->data + slot->n_bytes - 1 - row->kept.n_bytes, row->kept.n_bytes};
out:
    ss__buf_release(&note);
    return status;
}

ss_status ss_pass_batch_add_row(struct ss_pass_batch *batch, const struct ss_row *row,
                                ss_err *err)
{
    SS_GROW_OR_RETURN(batch->texts, batch->texts_capacity, batch->n_rows + 1);
    SS_GROW_OR_RETURN(batch->row_ids, batch->ids_capacity, batch->n_rows + 1);
    SS_GROW_OR_RETURN(batch->positions, batch->positions_capacity, batch->n_rows + 1);
    const char *copy = ss__arena_strndup(&batch->arena, row->text.data, row->text.n_bytes);
    if (copy == NULL) {
        return ss__fail_nomem(err, "a text");
    }
    SS_RETURN_IF_ERROR(add_note(batch, row, err));
    batch->texts[batch->n_rows] = (struct ss_text){.data = copy, .n_bytes = row->text.n_bytes};
    batch->row_ids[batch->n_rows] = row->id;
    batch->positions[batch->n_rows] =
        (struct ss_stats_position){(uint32_t)row->file_index, row->file_row};
    batch->n_rows++;
    return SS_OK;
}

ss_status ss_pass_batch_add(struct ss_pass_batch *batch, const struct ss_row *row,
                            const struct ss_tokenizer_tokens *tokens, ss_err *err)
{
    const ss_status status = ss_pass_tokens_append(&batch->tokens, tokens, err);
    return status != SS_OK ? status : ss_pass_batch_add_row(batch, row, err);
}

static bool copy_text(struct ss_pass_batch *batch, const struct ss_text *from,
                      struct ss_text *to)
{
    *to = (struct ss_text){ss__arena_strndup(&batch->arena, from->data, from->n_bytes),
                           from->n_bytes};
    return to->data != NULL;
}

ss_status ss_pass_batch_add_unembedded(struct ss_pass_batch *batch, const struct ss_row *row,
                                       ss_err *err)
{
    struct ss_pass_unembedded *slot = NULL;
    if (row->kind == SS_ROW_NULL && row->kept.n_bytes == 0 && !batch->keeps_all) {
        return SS_OK;
    }
    SS_GROW_OR_RETURN(batch->unembedded, batch->unembedded_capacity, batch->n_unembedded + 1);
    slot = &batch->unembedded[batch->n_unembedded];
    slot->id = row->id;
    slot->is_null = row->kind == SS_ROW_NULL;
    if (!copy_text(batch, &row->text, &slot->text) ||
        !copy_text(batch, &row->kept, &slot->kept)) {
        return ss__fail_nomem(err, "a text");
    }
    batch->n_unembedded++;
    return SS_OK;
}

void ss_pass_batch_walk_start(struct ss_pass_batch_walk *walk,
                              const struct ss_pass_batch *batch)
{
    walk->batch = batch;
    walk->n_used = walk->n_unembedded = 0;
}

/* Rows in the order of their ids: used and unembedded ones are two rising lists that are
 * merged. A null without kept columns is in neither, to save memory where most rows are null;
 * where every row has to have a place (`fills_gaps`), it is told by the id that is missing. */
bool ss_pass_batch_walk_next(struct ss_pass_batch_walk *walk, struct ss_pass_batch_row *row)
{
    const struct ss_pass_batch *batch = walk->batch;
    const bool has_used = walk->n_used < batch->n_rows;
    const bool has_other = walk->n_unembedded < batch->n_unembedded;
    const uint64_t used = has_used ? batch->row_ids[walk->n_used] : UINT64_MAX;
    const uint64_t other = has_other ? batch->unembedded[walk->n_unembedded].id : UINT64_MAX;
    const uint64_t known = used < other ? used : other;
    if (!has_used && !has_other) {
        return false;
    }
    *row = (struct ss_pass_batch_row){.id = walk->next_id, .text = {"", 0}, .kept = {"", 0}};
    if (walk->fills_gaps && walk->next_id < known) {
        row->is_null = true;
        walk->next_id++;
        return true;
    }
    row->id = known;
    row->is_used = used < other;
    if (row->is_used) {
        row->index = walk->n_used++;
        row->text = batch->texts[row->index];
        row->kept = batch->kept[row->index];
    } else {
        row->is_null = batch->unembedded[walk->n_unembedded].is_null;
        row->text = batch->unembedded[walk->n_unembedded].text;
        row->kept = batch->unembedded[walk->n_unembedded++].kept;
    }
    walk->next_id = known + 1;
    return true;
}

void ss_pass_batch_reset(struct ss_pass_batch *batch)
{
    ss__arena_reset(&batch->arena);
    ss_tokenizer_tokens_reset(&batch->tokens);
    batch->n_rows = batch->n_unembedded = 0;
    batch->has_notes = false;
    batch->counts = (struct ss_pass_row_counts){0};
}

void ss_pass_batch_release(struct ss_pass_batch *batch)
{
    ss__arena_release(&batch->arena);
    ss_tokenizer_tokens_release(&batch->tokens);
    ss__free(batch->texts);
    ss__free(batch->notes);
    ss__free(batch->kept);
    ss__free(batch->unembedded);
    ss__free(batch->row_ids);
    ss__free(batch->positions);
    *batch = (struct ss_pass_batch){0};
}

/* The first row always fits, however long: else a text above the limits would never be read.
 * Limits are of bytes of text, and of rows or tokens, whichever the caller gave. What a batch
 * is cut at changes no result (docs/numerics.md, "One order of sums"), only memory and speed. */
bool ss_pass_batch_fits(const struct ss_pass_batch *batch,
                        const struct ss_pass_batch_limits *limits, size_t n_tokens,
                        size_t n_text_bytes)
{
    if (batch->n_rows == 0 && batch->n_unembedded == 0) {
        return true;
    }
    if (n_text_bytes > limits->n_text_bytes ||
        batch->arena.n_bytes > limits->n_text_bytes - n_text_bytes) {
        return false;
    }
    return batch->n_rows == 0 ? limits->n_rows > 0 || batch->n_unembedded < MAX_UNEMBEDDED
           : limits->n_rows > 0
               ? batch->n_rows < limits->n_rows
               : ss_tokenizer_tokens_n_ids(&batch->tokens) + n_tokens <= limits->n_tokens;
}

struct ss_tokenizer_tokens ss_pass_tokens_slice(const struct ss_tokenizer_tokens *tokens,
                                                size_t first, size_t n_texts, size_t *offsets)
{
    const size_t base = tokens->offsets[first];
    for (size_t i = 0; i <= n_texts; i++) {
        offsets[i] = tokens->offsets[first + i] - base;
    }
    return (struct ss_tokenizer_tokens){
        .ids = tokens->ids + base, .offsets = offsets, .n_texts = n_texts};
}
