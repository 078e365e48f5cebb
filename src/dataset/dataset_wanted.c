/* Rows that are wanted, one after the other: those that an expression is true for, and of these
 * a random sample. Others are read like any, so that they are checked and numbered, and passed
 * over.
 *
 * The sample is chosen before rows are read where their number is known and nothing else leaves
 * rows out. Otherwise all rows are read first, and those taken so far wait, as bytes. */
#include <string.h>

#include "base/sized.h"
#include "dataset/dataset_state_priv.h"

/* Whether the row is given, and not only read; else it is counted. */
static bool passes(ss_dataset *dataset, uint64_t row)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    if (!selection->is_wanted) {
        selection->n_unmatched += selection->where != NULL;
        selection->n_unsampled += selection->where == NULL; /* a bad row */
        return false;
    }
    const bool is_taken =
        selection->sample.n == 0 ||
        (selection->is_chosen ? ss_dataset_sample_has(&selection->sample, row)
                              : ss_dataset_sample_wants(&selection->sample, row));
    selection->n_unsampled += !is_taken;
    return is_taken;
}

/* A column of whole rows that no row had. */
static ss_status check_seen(ss_dataset *dataset, ss_err *err)
{
    const struct ss_dataset_selection *selection = &dataset->selection;
    for (size_t i = 0; i < selection->n_columns && dataset->next_id > 0; i++) {
        if (dataset->rows == SS_DATASET_ROWS_WHOLE && !selection->was_seen[i]) {
            size_t n = 0;
            return ss__fail_file(err, dataset->use.paths.items[0], SS_E_DATA,
                                 "no row has the column '%.100s' of `where`",
                                 ss_dataset_where_columns(selection->where, &n)[i]);
        }
    }
    return SS_OK;
}

/* ---- rows of a sample that wait ---- */

/* What stands before the bytes of a row's text, of what is kept, and of its problem. */
struct waiting {
    size_t n_text, n_kept, n_problem, file_index;
    uint64_t file_row;
    ss_row_kind kind;
    bool repaired;
};

static ss_status put_row(struct ss_dataset_selection *selection, const struct ss_row *row,
                         ss_err *err)
{
    struct ss__buf *out = &selection->row;
    const struct waiting head = {row->text.n_bytes, row->kept.n_bytes, strlen(row->problem) + 1,
                                 row->file_index,   row->file_row,     row->kind,
                                 row->repaired};
    out->n_bytes = 0;
    ss__buf_add(out, &head, sizeof head);
    ss__buf_add(out, row->text.data, head.n_text);
    ss__buf_add(out, row->kept.data, head.n_kept);
    ss__buf_add(out, row->problem, head.n_problem);
    SS_RETURN_IF_ERROR(ss__buf_check(out, err));
    return ss_dataset_sample_add(&selection->sample, row->id, out, err);
}

static void get_row(const ss_dataset *dataset, uint64_t id, struct ss_row *row)
{
    struct waiting head;
    const char *at = dataset->selection.row.data;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    *row = (struct ss_row){.struct_size = sizeof *row,
                           .id = id,
                           .text = {at, head.n_text},
                           .kind = head.kind,
                           .kept = {at + head.n_text, head.n_kept},
                           .repaired = head.repaired,
                           .file = dataset->use.paths.items[head.file_index],
                           .file_index = head.file_index,
                           .file_row = head.file_row,
                           .fault = "",
                           .problem = at + head.n_text + head.n_kept};
}

/* Read all rows; those that are taken wait. Rows pushed out by later ones are counted at the
 * end. */
static ss_status gather_rows(ss_dataset *dataset, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    struct ss_row row = {.struct_size = sizeof row};
    bool has_row = true;
    for (;;) {
        SS_RETURN_IF_ERROR(ss_dataset_read_row(dataset, &row, &has_row, err));
        if (!has_row) {
            break;
        }
        if (passes(dataset, row.id)) {
            SS_RETURN_IF_ERROR(put_row(selection, &row, err));
        }
    }
    selection->is_gathered = true;
    selection->n_unsampled =
        dataset->next_id - selection->n_unmatched - selection->sample.n_places;
    return SS_OK;
}

static ss_status next_waiting(ss_dataset *dataset, struct ss_row *row, bool *has_row,
                              ss_err *err)
{
    uint64_t id = 0;
    struct ss_dataset_selection *selection = &dataset->selection;
    if (!selection->is_gathered) {
        SS_RETURN_IF_ERROR(gather_rows(dataset, err));
    }
    SS_RETURN_IF_ERROR(
        ss_dataset_sample_next(&selection->sample, &id, &selection->row, has_row, err));
    if (*has_row) {
        get_row(dataset, id, row);
    }
    return SS_OK;
}

/* ---- the next row ---- */

static bool waits(const ss_dataset *dataset)
{
    return dataset->selection.sample.n > 0 && !dataset->selection.is_chosen;
}

static ss_status next_wanted(ss_dataset *dataset, struct ss_row *row, bool *has_row,
                             ss_err *err)
{
    if (waits(dataset)) {
        return next_waiting(dataset, row, has_row, err);
    }
    do {
        SS_RETURN_IF_ERROR(ss_dataset_read_row(dataset, row, has_row, err));
    } while (*has_row && ss_dataset_is_selective(dataset) && !passes(dataset, row->id));
    return SS_OK;
}

ss_status ss_dataset_next(ss_dataset *dataset, struct ss_row *row, bool *has_row, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_row whole = {.struct_size = sizeof whole,
                           .kind = SS_ROW_NULL,
                           .text = {"", 0},
                           .kept = {"", 0},
                           .fault = "",
                           .problem = ""};
    *has_row = false;
    SS_TRY(ss__result_check(row, "ss_row", err));
    status = next_wanted(dataset, &whole, has_row, err);
    *has_row = *has_row && status == SS_OK;
    (void)ss__result_write(row, &whole, sizeof whole);
out:
    return status;
}

static ss_status gather_json(ss_dataset *dataset, ss_err *err)
{
    struct ss_dataset_selection *selection = &dataset->selection;
    struct ss_text json;
    bool has_row = true;
    for (;;) {
        SS_RETURN_IF_ERROR(ss_dataset_read_json(dataset, &json, &has_row, err));
        if (!has_row) {
            break;
        }
        if (passes(dataset, dataset->next_id - 1)) {
            selection->row.n_bytes = 0;
            ss__buf_add(&selection->row, json.data, json.n_bytes);
            SS_RETURN_IF_ERROR(ss__buf_check(&selection->row, err));
            SS_RETURN_IF_ERROR(ss_dataset_sample_add(&selection->sample, dataset->next_id - 1,
                                                     &selection->row, err));
        }
    }
    selection->is_gathered = true;
    return check_seen(dataset, err);
}

ss_status ss_dataset_next_json(ss_dataset *dataset, struct ss_text *json, bool *has_row,
                               ss_err *err)
{
    uint64_t id = 0;
    struct ss_dataset_selection *selection = &dataset->selection;
    if (waits(dataset)) {
        if (!selection->is_gathered) {
            SS_RETURN_IF_ERROR(gather_json(dataset, err));
        }
        SS_RETURN_IF_ERROR(
            ss_dataset_sample_next(&selection->sample, &id, &selection->row, has_row, err));
        *json = (struct ss_text){selection->row.data, selection->row.n_bytes};
        return SS_OK;
    }
    do {
        SS_RETURN_IF_ERROR(ss_dataset_read_json(dataset, json, has_row, err));
    } while (*has_row && ss_dataset_is_selective(dataset) &&
             !passes(dataset, dataset->next_id - 1));
    return *has_row ? SS_OK : check_seen(dataset, err);
}
