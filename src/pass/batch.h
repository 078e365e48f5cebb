/* A batch: rows whose texts and tokens travel together from the reader to the encoder. */
#ifndef SS_PASS_BATCH_H
#define SS_PASS_BATCH_H

#include <stdint.h>

#include "base/arena.h"
#include "dataset/dataset.h"
#include "stats/evidence.h"
#include "tokenizer/tokenizer.h"

/* What became of the rows of a dataset. read = used + skipped + passed over. */
struct ss_pass_row_counts {
    uint64_t n_read, n_used, n_repaired;
    uint64_t n_unmatched, n_unsampled; /* passed over (`where`, `sample`) */
    uint64_t n_skipped[SS_N_ROW_KINDS];
};
void ss_pass_row_counts_add(struct ss_pass_row_counts *sum,
                            const struct ss_pass_row_counts *part);
/* Count what the dataset passed over since `before`, which is zeroed at first and then kept. */
void ss_pass_row_counts_pass(struct ss_pass_row_counts *counts, const ss_dataset *dataset,
                             struct ss_dataset_passed *before);

/* A row that is not embedded but keeps its place. */
struct ss_pass_unembedded {
    uint64_t id;
    bool is_null;
    struct ss_text text, kept;
};

struct ss_pass_batch {
    struct ss__arena arena; /* holds the texts */
    struct ss_text *texts;  /* [n_rows] */
    struct ss_text *notes;  /* [n_rows] columns carried along, with the file; else empty */
    struct ss_text *kept;   /* [n_rows] the columns alone: views into the notes */
    uint64_t *row_ids;      /* [n_rows] */
    struct ss_stats_position *positions; /* [n_rows] in their files */
    size_t n_rows, texts_capacity, notes_capacity, kept_capacity, ids_capacity;
    size_t positions_capacity;
    struct ss_pass_unembedded *unembedded; /* [n_unembedded] but null without kept columns */
    size_t n_unembedded, unembedded_capacity;
    bool has_notes;
    bool keeps_all; /* rows are passed over, so that a gap in row_ids says nothing */
    struct ss_tokenizer_tokens tokens;
    uint64_t n_bytes_done;            /* of the dataset, when the last row was read */
    struct ss_pass_row_counts counts; /* of all rows read since the batch before, skipped too */
};

/* Append a row without tokens: the text is copied. */
SS_MUST_USE ss_status ss_pass_batch_add_row(struct ss_pass_batch *batch,
                                            const struct ss_row *row, ss_err *err);
/* Append a row and its tokens (one text). */
SS_MUST_USE ss_status ss_pass_batch_add(struct ss_pass_batch *batch, const struct ss_row *row,
                                        const struct ss_tokenizer_tokens *tokens, ss_err *err);
/* Note a row that is not embedded. One without text and kept columns leaves no trace but the
 * gap in row_ids, unless the batch keeps all. */
SS_MUST_USE ss_status ss_pass_batch_add_unembedded(struct ss_pass_batch *batch,
                                                   const struct ss_row *row, ss_err *err);

/* The rows of one batch after the other in the order of the dataset. Zeroed at first; `batch`
 * is set for each batch. With fills_gaps, rows that left no trace are given as well; those
 * behind the last batch are up to n_read. */
struct ss_pass_batch_walk {
    const struct ss_pass_batch *batch;
    bool fills_gaps;
    uint64_t next_id;
    size_t n_used, n_unembedded; /* of the batch that were given */
};
struct ss_pass_batch_row {
    uint64_t id;
    bool is_used, is_null;
    size_t index; /* in the batch, if it is used */
    struct ss_text text, kept;
};
void ss_pass_batch_walk_start(struct ss_pass_batch_walk *walk,
                              const struct ss_pass_batch *batch);
/* False at the end of the batch. */
bool ss_pass_batch_walk_next(struct ss_pass_batch_walk *walk, struct ss_pass_batch_row *row);

/* Forget the rows, keep the memory. */
void ss_pass_batch_reset(struct ss_pass_batch *batch);
void ss_pass_batch_release(struct ss_pass_batch *batch);

/* When a batch is full: at n_rows rows where a rule wants them, else at n_tokens tokens; in any
 * case before its texts exceed n_text_bytes. A batch takes at least one row. */
struct ss_pass_batch_limits {
    size_t n_rows; /* 0: no rule */
    size_t n_tokens;
    size_t n_text_bytes;
};
bool ss_pass_batch_fits(const struct ss_pass_batch *batch,
                        const struct ss_pass_batch_limits *limits, size_t n_tokens,
                        size_t n_text_bytes);

/* Append one text's tokens. */
SS_MUST_USE ss_status ss_pass_tokens_append(struct ss_tokenizer_tokens *to,
                                            const struct ss_tokenizer_tokens *from,
                                            ss_err *err);

/* A view of `n_texts` texts of a run of tokens from text `first`, whose offsets count from 0;
 * `offsets` [n_texts + 1] is written and belongs to the caller. */
struct ss_tokenizer_tokens ss_pass_tokens_slice(const struct ss_tokenizer_tokens *tokens,
                                                size_t first, size_t n_texts, size_t *offsets);

#endif
