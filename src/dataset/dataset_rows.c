/* The rows of a dataset: taken from the reader of each file in turn, numbered, repaired where
 * they are not UTF-8, and told apart by what is in them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "base/utf8.h"
#include "dataset/dataset_state_priv.h"
#include "format/format.h"
#include "source/source.h"

/* Whether a bad row is left out rather than the end of the rows. */
static bool may_leave_out(const ss_dataset *dataset, ss_format_fault fault)
{
    const bool card_says =
        fault == SS_FORMAT_FAULT_LONG_ROW && dataset->use.rows.skips_long_rows;
    return fault != SS_FORMAT_FAULT_NONE &&
           (dataset->on_bad_row == SS_BAD_ROWS_SKIP || card_says);
}

/* Put the file and the row into an error, and the way out where there is one. */
static void complete(const ss_dataset *dataset, ss_format_fault fault, ss_err *err)
{
    ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
    ss__err_at_row(err, dataset->next_id);
    if (err != NULL && fault != SS_FORMAT_FAULT_NONE &&
        dataset->on_bad_row == SS_BAD_ROWS_STOP) {
        ss__err_append(err, "; `on_bad_row` skip leaves such rows out");
    }
}

/* The row by its number in the file. */
static ss_status note_bad_row(ss_dataset *dataset, ss_format_fault fault, uint64_t row_of_file,
                              ss_err *err)
{
    complete(dataset, SS_FORMAT_FAULT_NONE, &dataset->bad);
    const struct ss_format_bad_row row = {dataset->use.paths.items[dataset->current],
                                          dataset->next_id,
                                          fault,
                                          dataset->bad.message,
                                          dataset->current,
                                          row_of_file};
    return ss_format_bad_rows_add(&dataset->bad_rows, &row, err);
}

/* The next row of the current file, good or to be left out (record->fault). */
static ss_status next_of_file(ss_dataset *dataset, struct ss_format_record *record,
                              bool *has_row, ss_err *err)
{
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    const ss_status status = reader->next(dataset->state, record, has_row, &dataset->bad);
    if (status == SS_OK) {
        record->fault = SS_FORMAT_FAULT_NONE;
        return SS_OK;
    }
    if (may_leave_out(dataset, record->fault)) {
        *has_row = true;
        return ss_dataset_share_has_row(dataset, dataset->file_row)
                   ? note_bad_row(dataset, record->fault, dataset->file_row, err)
                   : SS_OK;
    }
    if (err != NULL) {
        *err = dataset->bad;
    }
    complete(dataset, record->fault, err);
    return status;
}

/* An error, or, where the file was cut meanwhile, that in place of what it led to. */
static ss_status explain(const ss_dataset *dataset, ss_status status, ss_err *err)
{
    ss_err cause;
    if (status == SS_E_STOPPED || dataset->current == dataset->use.paths.n ||
        ss_dataset_check_end(dataset, &cause) == SS_OK) {
        return status;
    }
    if (err != NULL) {
        *err = cause;
    }
    return SS_E_IO;
}

/* Behind the last row of a file: on to the next one. */
static ss_status end_file(ss_dataset *dataset, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_dataset_check_end(dataset, err));
    SS_RETURN_IF_ERROR(ss_dataset_check_seen(dataset, err));
    dataset->files[dataset->current].is_complete = true;
    dataset->files[dataset->current].n_rows = dataset->file_row;
    ss_dataset_close_file(dataset);
    dataset->current++;
    return ss_dataset_start_file(dataset, err);
}

/* Whether the row that was stepped to is to be given; it is counted. */
static bool count_row(ss_dataset *dataset)
{
    const bool is_given = ss_dataset_share_has_row(dataset, dataset->file_row);
    dataset->file_row++;
    dataset->next_id += !is_given;
    return is_given;
}

/* Step to the next row of whichever file has one. */
static ss_status step(ss_dataset *dataset, struct ss_format_record *record, bool *has_row,
                      ss_err *err)
{
    ss_status status = SS_OK;
    *has_row = false;
    if (dataset->has_failed) {
        return ss__fail(err, SS_E_DATA, "the rows ended with an error before");
    }
    do {
        SS_TRY(ss_source_halt_check(&dataset->halt, dataset->source.name, err));
        if (dataset->current == dataset->use.paths.n) {
            break;
        }
        *record = (struct ss_format_record){0};
        SS_TRY(next_of_file(dataset, record, has_row, err));
        if (*has_row) {
            *has_row = count_row(dataset);
        } else {
            SS_TRY(end_file(dataset, err));
        }
    } while (!*has_row);
out:
    if (status != SS_OK) {
        status = explain(dataset, status, err);
        dataset->has_failed = true;
        *has_row = false;
        if (dataset->current < dataset->use.paths.n) {
            ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
        }
        ss__err_at_row(err, dataset->next_id);
    }
    return status;
}

/* A text that holds what no encoding gives, where the encoding is a strict one. */
static ss_status check_decoded(ss_dataset *dataset, struct ss_format_record *record,
                               ss_err *err)
{
    const struct ss_format_row_options *rows = &dataset->use.rows;
    const bool is_strict = rows->encoding != NULL &&
                           rows->decode_errors == SS_SOURCE_DECODE_STRICT &&
                           !ss_source_encoding_is_utf8(rows->encoding);
    if (!is_strict || record->text.n_bytes == 0 ||
        memchr(record->text.data, SS_SOURCE_UNDECODABLE, record->text.n_bytes) == NULL) {
        return SS_OK;
    }
    const ss_status status =
        ss__fail_file(&dataset->bad, dataset->use.paths.items[dataset->current], SS_E_DATA,
                      "row %" PRIu64 " of the dataset, counted from 0, holds bytes that are no "
                      "text of the encoding '%.60s'",
                      dataset->next_id, rows->encoding);
    if (may_leave_out(dataset, SS_FORMAT_FAULT_ENCODING)) {
        record->fault = SS_FORMAT_FAULT_ENCODING;
        return note_bad_row(dataset, record->fault, dataset->file_row - 1, err);
    }
    if (err != NULL) {
        *err = dataset->bad;
    }
    complete(dataset, SS_FORMAT_FAULT_ENCODING, err);
    return status;
}

/* Replace *text by a repaired copy if it is not valid UTF-8. */
static ss_status repair(ss_dataset *dataset, struct ss_text *text, bool *repaired, ss_err *err)
{
    if (ss__utf8_valid_prefix(text->data, text->n_bytes) == text->n_bytes) {
        return SS_OK;
    }
    dataset->repaired.n_bytes = 0;
    *repaired |= ss__utf8_repair(text->data, text->n_bytes, &dataset->repaired);
    *text = (struct ss_text){dataset->repaired.data, dataset->repaired.n_bytes};
    return ss__buf_check(&dataset->repaired, err);
}

/* What `where` could not compare, and whether it wanted any row. */
static void say_selection(const struct ss_dataset_tally *tally, const struct ss_log *log)
{
    char rows[SS__COUNTED_TEXT_BYTES];
    if (tally->mismatch.n > 0) {
        ss__log(log, SS_LEVEL_WARNING,
                "`where` compared %" PRIu64
                " values of another type, for which it is neither true nor "
                "false: in row %" PRIu64 ", %s",
                tally->mismatch.n, tally->mismatch.row, tally->mismatch.what);
    }
    if (tally->n_unmatched > 0 && tally->n_unmatched == tally->n_rows) {
        ss__log(log, SS_LEVEL_WARNING, "`where` is true for none of %s",
                ss__format_counted(tally->n_rows, "row", rows));
    }
}

void ss_dataset_tally_say(const struct ss_dataset_tally *tally, const struct ss_log *log)
{
    ss_format_bad_rows_say(tally->bad, log);
    if (tally->n_absent > 0) {
        ss__log(log, SS_LEVEL_WARNING,
                "%" PRIu64 " of %" PRIu64
                " rows have no text because their files have no column "
                "'%s'; the first such file is %s",
                tally->n_absent, tally->n_rows, tally->text_column, tally->first_absent);
    }
    if (tally->n_repaired > 0) {
        ss__log(log, SS_LEVEL_WARNING,
                "invalid UTF-8 was replaced by U+FFFD in %" PRIu64 " of %" PRIu64 " rows",
                tally->n_repaired, tally->n_rows);
    }
    say_selection(tally, log);
}

/* At the end of the rows, once. */
static void say_counts(ss_dataset *dataset)
{
    const struct ss_dataset_tally tally = {.bad = &dataset->bad_rows,
                                           .n_rows = dataset->next_id,
                                           .n_repaired = dataset->n_repaired,
                                           .n_absent = dataset->n_absent,
                                           .text_column = dataset->text_column,
                                           .first_absent = dataset->first_absent,
                                           .n_unmatched = dataset->selection.n_unmatched,
                                           .mismatch = ss_dataset_mismatch(dataset)};
    if (dataset->has_said || dataset->share.n_parts > 0) {
        return; /* whoever has all parts says it */
    }
    dataset->has_said = true;
    ss_dataset_tally_say(&tally, &dataset->log);
}

uint64_t ss_dataset_n_absent(const ss_dataset *dataset, size_t *first_file)
{
    *first_file = 0;
    for (size_t i = 0; i < dataset->use.paths.n; i++) {
        if (dataset->use.paths.items[i] == dataset->first_absent) {
            *first_file = i;
        }
    }
    return dataset->n_absent;
}

static ss_row_kind kind_of(const struct ss_format_record *record)
{
    if (record->is_null) {
        return SS_ROW_NULL;
    }
    if (record->text.n_bytes == 0) {
        return SS_ROW_EMPTY;
    }
    return ss__utf8_is_blank(record->text.data, record->text.n_bytes) ? SS_ROW_BLANK
                                                                      : SS_ROW_TEXT;
}

/* Append the value of the i-th column that is kept as JSON, and note where. Asked for once per
 * row, since readers go on to the next value. */
static ss_status add_kept_value(ss_dataset *dataset, size_t i, struct ss__buf *out, ss_err *err)
{
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    dataset->values[i].at = out->n_bytes;
    if (dataset->kept_as[i] == SS_FORMAT_NO_COLUMN) {
        ss_dataset_add_partition(dataset, dataset->keep[i], out);
    } else {
        SS_RETURN_IF_ERROR(reader->add_kept(dataset->state, dataset->kept_as[i], out, err));
    }
    dataset->values[i].n_bytes = out->n_bytes - dataset->values[i].at;
    return SS_OK;
}

/* The values of the row that was stepped to: those carried along as a JSON object, and behind
 * it those of the template alone. */
static ss_status write_kept(ss_dataset *dataset, struct ss_row *row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf *out = &dataset->kept, *spare = &dataset->json;
    size_t n_object = 0;
    spare->n_bytes = out->n_bytes = 0;
    for (size_t i = 0; i < dataset->n_keep; i++) {
        if (i < dataset->n_carried) {
            ss__buf_add_text(spare, i == 0 ? "{" : ", ");
            ss__json_add_string(spare, dataset->keep[i], strlen(dataset->keep[i]), false);
            ss__buf_add_text(spare, ": ");
        }
        SS_TRY(add_kept_value(dataset, i, spare, err));
        if (i + 1 == dataset->n_carried) {
            ss__buf_add_text(spare, "}");
            n_object = spare->n_bytes;
        }
    }
    SS_TRY(ss__buf_check(spare, err));
    ss__utf8_repair(spare->data, n_object, out);
    SS_TRY(ss__buf_check(out, err));
    row->kept = (struct ss_text){out->data, out->n_bytes};
out:
    if (status != SS_OK) {
        ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
        ss__err_at_row(err, dataset->next_id);
    }
    return status;
}

/* The template needs the values that are kept, and the repair comes last, since both may bring
 * bytes that are no UTF-8. */
static ss_status fill_row(ss_dataset *dataset, struct ss_format_record *record,
                          struct ss_row *row, ss_err *err)
{
    if (dataset->n_keep > 0) {
        SS_RETURN_IF_ERROR(write_kept(dataset, row, err));
    }
    SS_RETURN_IF_ERROR(ss_dataset_match_kept(dataset, err));
    if (!dataset->selection.is_wanted) {
        return SS_OK;
    }
    if (dataset->has_template) {
        SS_RETURN_IF_ERROR(ss_dataset_fill_template(dataset, record, err));
    }
    SS_RETURN_IF_ERROR(repair(dataset, &record->text, &record->repaired, err));
    row->kind = kind_of(record);
    row->repaired = record->repaired;
    if (dataset->absence.n_bytes > 0) {
        row->problem = dataset->absence.data;
        dataset->n_absent++;
    }
    dataset->n_repaired += record->repaired;
    row->text =
        record->is_null || record->text.n_bytes == 0 ? (struct ss_text){"", 0} : record->text;
    return SS_OK;
}

/* Ids count rows of all files from 0, also those that are left out. */
ss_status ss_dataset_read_row(ss_dataset *dataset, struct ss_row *row, bool *has_row,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_record record = {0};
    *row = (struct ss_row){.struct_size = sizeof(struct ss_row),
                           .kind = SS_ROW_NULL,
                           .text = {"", 0},
                           .kept = {"", 0},
                           .fault = "",
                           .problem = ""};
    *has_row = false;
    if (dataset->rows == SS_DATASET_ROWS_WHOLE) {
        SS_FAIL(SS_E_INTERNAL, "the dataset was opened without a text column");
    }
    SS_TRY(step(dataset, &record, has_row, err));
    if (!*has_row) {
        say_counts(dataset);
        goto out;
    }
    if (record.fault == SS_FORMAT_FAULT_NONE) {
        SS_TRY(check_decoded(dataset, &record, err));
    }
    if (record.fault == SS_FORMAT_FAULT_NONE) {
        SS_TRY(fill_row(dataset, &record, row, err));
    } else {
        dataset->selection.is_wanted = !ss_dataset_is_selective(dataset);
        row->kind = SS_ROW_BAD;
        row->fault = ss_format_fault_name(record.fault);
        row->problem = dataset->bad.message;
    }
    row->id = dataset->next_id++;
    row->file = dataset->use.paths.items[dataset->current];
    row->file_index = dataset->current;
    row->file_row = dataset->file_row - 1;
out:
    if (status != SS_OK) {
        *has_row = false;
    }
    return status;
}

/* Step to the next row that is not left out. */
static ss_status step_to_good(ss_dataset *dataset, struct ss_format_record *record,
                              bool *has_row, ss_err *err)
{
    do {
        *record = (struct ss_format_record){0};
        SS_RETURN_IF_ERROR(step(dataset, record, has_row, err));
        dataset->next_id += *has_row;
    } while (*has_row && record->fault != SS_FORMAT_FAULT_NONE);
    if (!*has_row) {
        say_counts(dataset);
    }
    return SS_OK;
}

/* The numbers of the i-th column that is carried along. */
static ss_status add_numbers(ss_dataset *dataset, size_t i, struct ss_format_numbers *numbers,
                             ss_err *err)
{
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    struct ss__buf *json = &dataset->json;
    const size_t kept = dataset->kept_as[i];
    if (reader->add_numbers != NULL && kept != SS_FORMAT_NO_COLUMN) {
        return reader->add_numbers(dataset->state, kept, numbers, err);
    }
    json->n_bytes = 0;
    if (kept == SS_FORMAT_NO_COLUMN) {
        ss__buf_add_text(json, "null");
    } else {
        SS_RETURN_IF_ERROR(reader->add_kept(dataset->state, kept, json, err));
    }
    SS_RETURN_IF_ERROR(ss__buf_check(json, err));
    if (!ss_format_numbers_add_json(numbers, json->data, json->n_bytes, reader->stores_text)) {
        return ss__fail_nomem(err, "numbers of a row");
    }
    return SS_OK;
}

ss_status ss_dataset_next_numbers(ss_dataset *dataset, struct ss_format_numbers *numbers,
                                  bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_format_record record = {0};
    numbers->n = 0;
    numbers->fault = SS_FORMAT_NUMBERS_FINE;
    SS_TRY(step(dataset, &record, has_row, err));
    for (size_t i = 0; *has_row && i < dataset->n_keep; i++) {
        status = add_numbers(dataset, i, numbers, err);
        if (status != SS_OK) {
            ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
            ss__err_at_row(err, dataset->next_id);
            break;
        }
    }
    dataset->next_id += *has_row;
out:
    return status;
}

/* The row that was stepped to, in dataset->json. */
static ss_status write_json(ss_dataset *dataset, ss_err *err)
{
    dataset->json.n_bytes = 0;
    const ss_status status =
        dataset->files[dataset->current].reader->add_json(dataset->state, &dataset->json, err);
    if (status == SS_OK) {
        ss_dataset_add_partitions(dataset, &dataset->json);
    }
    return status != SS_OK ? status : ss__buf_check(&dataset->json, err);
}

/* Rows that are left out take a number, but give no object. */
ss_status ss_dataset_read_json(ss_dataset *dataset, struct ss_text *json, bool *has_row,
                               ss_err *err)
{
    struct ss_format_record record = {0};
    bool repaired = false;
    *json = (struct ss_text){0};
    SS_RETURN_IF_ERROR(step_to_good(dataset, &record, has_row, err));
    if (*has_row) {
        SS_RETURN_IF_ERROR(write_json(dataset, err));
        *json = (struct ss_text){dataset->json.data, dataset->json.n_bytes};
        SS_RETURN_IF_ERROR(repair(dataset, json, &repaired, err));
        SS_RETURN_IF_ERROR(ss_dataset_match_json(dataset, *json, err));
    }
    return SS_OK;
}

ss_status ss_dataset_read_all(ss_dataset *dataset, uint64_t *n_rows, ss_err *err)
{
    struct ss_format_record record = {0};
    bool has_row = true;
    *n_rows = 0;
    SS_RETURN_IF_ERROR(step_to_good(dataset, &record, &has_row, err));
    while (has_row) {
        ++*n_rows;
        if (!dataset->files[dataset->current].reader->next_checks) {
            SS_RETURN_IF_ERROR(write_json(dataset, err));
        }
        SS_RETURN_IF_ERROR(step_to_good(dataset, &record, &has_row, err));
    }
    return SS_OK;
}
