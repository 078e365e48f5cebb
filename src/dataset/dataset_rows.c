/* The rows of a dataset: taken from the reader of each file in turn, numbered, repaired where
 * they are not UTF-8, and told apart by what is in them. */
#include <inttypes.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "dataset/dataset_state_priv.h"
#include "dataset/numbers.h"

/* An error, or, where the file was cut meanwhile, that in place of what it led to. */
static ss_status explain(const ss_dataset *dataset, ss_status status, ss_err *err)
{
    ss_err cause;
    if (status == SS_E_STOPPED || dataset->current == dataset->use.paths.n ||
        ss__dataset_check_end(dataset, &cause) == SS_OK) {
        return status;
    }
    if (err != NULL) {
        *err = cause;
    }
    return SS_E_IO;
}

/* Step to the next row of whichever file has one. */
static ss_status step(ss_dataset *dataset, struct ss__record *record, bool *has_row,
                      ss_err *err)
{
    ss_status status = SS_OK;
    *has_row = false;
    if (dataset->has_failed) {
        return ss__fail(err, SS_E_DATA, "the rows ended with an error before");
    }
    SS_TRY(ss__halt_check(&dataset->halt, dataset->source.name, err));
    while (!*has_row && dataset->current < dataset->use.paths.n) {
        const struct ss__reader *reader = dataset->files[dataset->current].reader;
        SS_TRY(reader->next(dataset->state, record, has_row, err));
        if (!*has_row) {
            SS_TRY(ss__dataset_check_end(dataset, err));
            dataset->files[dataset->current].is_complete = true;
            ss__dataset_close_file(dataset);
            dataset->current++;
            SS_TRY(ss__dataset_start_file(dataset, err));
        }
    }
out:
    if (status != SS_OK) {
        status = explain(dataset, status, err);
        dataset->has_failed = true;
        *has_row = false;
        ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
        ss__err_at_row(err, dataset->next_id);
    }
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

/* At the end of the rows, once. */
static void say_repaired(ss_dataset *dataset)
{
    if (dataset->n_repaired > 0) {
        ss__log(&dataset->log, SS_LEVEL_WARNING,
                "invalid UTF-8 was replaced by U+FFFD in %" PRIu64 " of %" PRIu64 " rows",
                dataset->n_repaired, dataset->next_id);
    }
    dataset->n_repaired = 0;
}

static ss_row_kind kind_of(const struct ss__record *record)
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

/* The kept columns of the row that was stepped to, as a JSON object. */
static ss_status write_kept(ss_dataset *dataset, struct ss_row *row, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    struct ss__buf *out = &dataset->kept, *spare = &dataset->json;
    spare->n_bytes = out->n_bytes = 0;
    for (size_t i = 0; i < dataset->n_keep; i++) {
        ss__buf_add_text(spare, i == 0 ? "{" : ", ");
        ss__json_add_string(spare, dataset->keep[i], strlen(dataset->keep[i]), false);
        ss__buf_add_text(spare, ": ");
        SS_TRY(reader->add_kept(dataset->state, i, spare, err));
    }
    ss__buf_add_text(spare, "}");
    SS_TRY(ss__buf_check(spare, err));
    ss__utf8_repair(spare->data, spare->n_bytes, out);
    SS_TRY(ss__buf_check(out, err));
    row->kept = (struct ss_text){out->data, out->n_bytes};
out:
    if (status != SS_OK) {
        ss__err_in_file(err, dataset->use.paths.items[dataset->current]);
        ss__err_at_row(err, dataset->next_id);
    }
    return status;
}

ss_status ss_dataset_next(ss_dataset *dataset, struct ss_row *row, bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__record record = {0};
    *row = (struct ss_row){.kind = SS_ROW_NULL, .kept = {"", 0}};
    *has_row = false;
    if (dataset->rows == SS__ROWS_WHOLE) {
        SS_FAIL(SS_E_INTERNAL, "the dataset was opened without a text column");
    }
    SS_TRY(step(dataset, &record, has_row, err));
    if (!*has_row) {
        say_repaired(dataset);
    } else {
        if (dataset->n_keep > 0) {
            SS_TRY(write_kept(dataset, row, err));
        }
        SS_TRY(repair(dataset, &record.text, &record.repaired, err));
        row->id = dataset->next_id++;
        row->kind = kind_of(&record);
        row->repaired = record.repaired;
        row->file = dataset->use.paths.items[dataset->current];
        dataset->n_repaired += record.repaired;
        row->text =
            record.is_null || record.text.n_bytes == 0 ? (struct ss_text){"", 0} : record.text;
    }
out:
    return status;
}

/* The numbers of the i-th column that is carried along. */
static ss_status add_numbers(ss_dataset *dataset, size_t i, struct ss__numbers *numbers,
                             ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__reader *reader = dataset->files[dataset->current].reader;
    struct ss__buf *json = &dataset->json;
    if (reader->add_numbers != NULL) {
        return reader->add_numbers(dataset->state, i, numbers, err);
    }
    json->n_bytes = 0;
    SS_TRY(reader->add_kept(dataset->state, i, json, err));
    SS_TRY(ss__buf_check(json, err));
    if (!ss__numbers_add_json(numbers, json->data, json->n_bytes, reader->stores_text)) {
        SS_TRY(ss__fail_nomem(err, "numbers of a row"));
    }
out:
    return status;
}

ss_status ss__dataset_next_numbers(ss_dataset *dataset, struct ss__numbers *numbers,
                                   bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__record record = {0};
    numbers->n = 0;
    numbers->fault = SS__NUMBERS_FINE;
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
    return status != SS_OK ? status : ss__buf_check(&dataset->json, err);
}

ss_status ss__dataset_next_json(ss_dataset *dataset, struct ss_text *json, bool *has_row,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__record record = {0};
    bool repaired = false;
    *json = (struct ss_text){0};
    SS_TRY(step(dataset, &record, has_row, err));
    if (*has_row) {
        dataset->next_id++;
        SS_TRY(write_json(dataset, err));
        *json = (struct ss_text){dataset->json.data, dataset->json.n_bytes};
        SS_TRY(repair(dataset, json, &repaired, err));
    }
out:
    return status;
}

ss_status ss__dataset_read_all(ss_dataset *dataset, uint64_t *n_rows, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__record record = {0};
    bool has_row = true;
    *n_rows = 0;
    SS_TRY(step(dataset, &record, &has_row, err));
    while (has_row) {
        dataset->next_id++;
        ++*n_rows;
        if (!dataset->files[dataset->current].reader->next_checks) {
            SS_TRY(write_json(dataset, err));
        }
        SS_TRY(step(dataset, &record, &has_row, err));
    }
out:
    return status;
}
