/* evidence/texts.arrow, read back: a table in memory, whose strings lie one behind the other
 * in one block.
 *
 * Strings are appended while the block still grows and moves, so their addresses are set at
 * the end, from the lengths. The order of the rows (half, then key, both rising) is checked
 * as it is read: by it texts are found by bisection later, and two of one key would be one
 * text with two features lists. */
#include <math.h>
#include <string.h>

#include "arrow/arrow.h"
#include "base/mem.h"
#include "folder/evidence_files.h"

/* What grows with the texts. */
struct growing {
    struct ss_folder_evidence *evidence;
    const char *path;
    uint8_t half; /* of the last row */
    size_t keys_capacity, counts_capacity, positions_capacity, texts_capacity, files_capacity,
        kept_capacity, offsets_capacity, features_capacity, values_capacity;
    struct ss__buf bytes; /* text, file, kept of each row, one behind the other */
};

static ss_status grow(struct growing *growing, size_t n, ss_err *err)
{
    struct ss_folder_evidence *evidence = growing->evidence;
    SS_GROW_OR_RETURN(evidence->keys, growing->keys_capacity, n);
    SS_GROW_OR_RETURN(evidence->counts, growing->counts_capacity, n);
    SS_GROW_OR_RETURN(evidence->positions, growing->positions_capacity, n);
    SS_GROW_OR_RETURN(evidence->texts, growing->texts_capacity, n);
    SS_GROW_OR_RETURN(evidence->files, growing->files_capacity, n);
    SS_GROW_OR_RETURN(evidence->kept, growing->kept_capacity, n);
    SS_GROW_OR_RETURN(evidence->codes.offsets, growing->offsets_capacity, n + 1);
    return SS_OK;
}

static ss_status fail_at(const struct growing *growing, size_t row, const char *what,
                         ss_err *err)
{
    ss__fail_file(err, growing->path, SS_E_DATA, "row %zu: %s", row, what);
    ss__err_at_row(err, row);
    return SS_E_DATA;
}

/* Append a string to the bytes; its data is set when they stay where they are. */
static struct ss_text take_string(struct growing *growing,
                                  const struct ss_arrow_table_values *values, size_t i)
{
    struct ss_text text = {NULL, 0};
    if (ss_arrow_table_is_valid(values, i)) {
        text.n_bytes = (size_t)(values->offsets[i + 1] - values->offsets[i]);
        ss__buf_add(&growing->bytes, (const char *)values->data + values->offsets[i],
                    text.n_bytes);
    }
    return text;
}

/* The features of a row and their activations: below F, rising, finite and above 0. */
static ss_status take_code(struct growing *growing, size_t row,
                           const struct ss_arrow_table_values values[SS_FOLDER_N_TEXT_COLUMNS],
                           size_t i, ss_err *err)
{
    struct ss_folder_evidence *evidence = growing->evidence;
    struct ss_sparse *codes = &evidence->codes;
    const struct ss_arrow_table_values *features = &values[SS_FOLDER_TEXT_FEATURES];
    const struct ss_arrow_table_values *activations = &values[SS_FOLDER_TEXT_VALUES];
    const int32_t n = features->offsets[i + 1] - features->offsets[i];
    const uint32_t *ids = (const uint32_t *)features->data + features->offsets[i];
    const float *numbers = (const float *)activations->data + activations->offsets[i];
    const size_t at = codes->offsets[row];
    if (n != activations->offsets[i + 1] - activations->offsets[i]) {
        return fail_at(growing, row, "features and activations differ in number", err);
    }
    SS_GROW_OR_RETURN(codes->features, growing->features_capacity, at + (size_t)n);
    SS_GROW_OR_RETURN(codes->values, growing->values_capacity, at + (size_t)n);
    for (int32_t j = 0; j < n; j++) {
        if (ids[j] >= evidence->n_features || (j > 0 && ids[j] <= ids[j - 1]) ||
            !(numbers[j] > 0) || !isfinite(numbers[j])) {
            return fail_at(growing, row, "a feature or an activation cannot be", err);
        }
        codes->features[at + (size_t)j] = ids[j];
        codes->values[at + (size_t)j] = numbers[j];
    }
    codes->offsets[row + 1] = at + (size_t)n;
    codes->n_rows = row + 1;
    return SS_OK;
}

/* Halves and keys rise, and the pool of a half comes first. */
static ss_status take_place(struct growing *growing, size_t row,
                            const struct ss_arrow_table_values values[SS_FOLDER_N_TEXT_COLUMNS],
                            size_t i, ss_err *err)
{
    struct ss_folder_evidence *evidence = growing->evidence;
    const uint8_t half = ((const uint8_t *)values[SS_FOLDER_TEXT_HALF].data)[i];
    const uint64_t key = ((const uint64_t *)values[SS_FOLDER_TEXT_KEY].data)[i];
    const uint8_t *bits = values[SS_FOLDER_TEXT_IN_POOL].data;
    const bool is_in_pool = (bits[i / 8] >> i % 8 & 1) != 0;
    if (half > SS_STATS_SCORE || half < growing->half) {
        return fail_at(growing, row, "the halves are not in order", err);
    }
    growing->half = half;
    evidence->first[1] += half == SS_STATS_DESCRIBE;
    const size_t first = half == SS_STATS_DESCRIBE ? 0 : evidence->first[1];
    if (row > first && key < evidence->keys[row - 1]) {
        return fail_at(growing, row, "the keys are not in order", err);
    }
    if (is_in_pool && evidence->n_pool[half] != row - first) {
        return fail_at(growing, row, "the pool is not what comes first", err);
    }
    evidence->n_pool[half] += is_in_pool;
    evidence->keys[row] = key;
    return SS_OK;
}

static ss_status take_row(struct growing *growing, size_t row,
                          const struct ss_arrow_table_values values[SS_FOLDER_N_TEXT_COLUMNS],
                          size_t i, ss_err *err)
{
    struct ss_folder_evidence *evidence = growing->evidence;
    const struct ss_arrow_table_values *counts = &values[SS_FOLDER_TEXT_COUNT];
    const int64_t position = ((const int64_t *)values[SS_FOLDER_TEXT_POSITION].data)[i];
    SS_RETURN_IF_ERROR(take_place(growing, row, values, i, err));
    if (position < 0) {
        return fail_at(growing, row, "the position is below 0", err);
    }
    evidence->positions[row] = (uint64_t)position;
    evidence->counts[row] =
        ss_arrow_table_is_valid(counts, i) ? ((const uint64_t *)counts->data)[i] : 0;
    evidence->texts[row] = take_string(growing, &values[SS_FOLDER_TEXT_TEXT], i);
    evidence->files[row] = take_string(growing, &values[SS_FOLDER_TEXT_FILE], i);
    evidence->kept[row] = take_string(growing, &values[SS_FOLDER_TEXT_KEPT], i);
    return take_code(growing, row, values, i, err);
}

/* The bytes stay where they are from now on. */
static void place_strings(struct growing *growing)
{
    struct ss_folder_evidence *evidence = growing->evidence;
    evidence->bytes = growing->bytes.data;
    growing->bytes.data = NULL;
    const char *at = evidence->bytes == NULL ? "" : evidence->bytes;
    for (size_t row = 0; row < evidence->n_texts; row++) {
        struct ss_text *const strings[] = {&evidence->texts[row], &evidence->files[row],
                                           &evidence->kept[row]};
        for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
            strings[i]->data = at;
            at += strings[i]->n_bytes;
        }
    }
}

ss_status ss_folder_evidence_read_texts(struct ss_folder_evidence *evidence, const char *path,
                                        ss_err *err)
{
    ss_status status = SS_OK;
    struct growing growing = {.evidence = evidence, .path = path};
    struct ss_arrow_table *table = NULL;
    struct ss_arrow_table_values values[SS_FOLDER_N_TEXT_COLUMNS];
    size_t n = 0;
    SS_TRY(ss_arrow_table_open(path, ss_folder_text_columns, SS_FOLDER_N_TEXT_COLUMNS, &table,
                               err));
    SS_TRY(grow(&growing, 0, err));
    evidence->codes.offsets[0] = 0;
    do {
        SS_TRY(ss_arrow_table_next(table, values, &n, err));
        if (n >= UINT32_MAX - evidence->n_texts) {
            SS_FAIL_FILE(path, SS_E_LIMIT, "it has 2^32 texts or more");
        }
        SS_TRY(grow(&growing, evidence->n_texts + n, err));
        for (size_t i = 0; i < n; i++) {
            SS_TRY(take_row(&growing, evidence->n_texts + i, values, i, err));
        }
        evidence->n_texts += n;
        SS_TRY(ss__buf_check(&growing.bytes, err));
    } while (n > 0);
    evidence->first[2] = evidence->n_texts;
    place_strings(&growing);
out:
    ss_arrow_table_close(table);
    ss__buf_release(&growing.bytes);
    return status;
}
