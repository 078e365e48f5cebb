/* From one file of a dataset to the next that may have rows, whose columns are chosen. */
#include "base/mem.h"
#include "dataset/dataset_state_priv.h"

/* A file without columns has no rows, or rows that hold nothing. */
static ss_status refuse_bare_rows(ss_dataset *dataset, ss_err *err)
{
    const struct ss_format_reader *reader = dataset->files[dataset->current].reader;
    struct ss_format_record record = {0};
    bool has_row = false;
    SS_RETURN_IF_ERROR(reader->select(dataset->state, SS_FORMAT_ALL_COLUMNS, err));
    SS_RETURN_IF_ERROR(reader->next(dataset->state, &record, &has_row, err));
    if (has_row) {
        return ss__fail_file(err, dataset->source.name, SS_E_DATA, "the rows have no columns");
    }
    return SS_OK;
}

ss_status ss_dataset_start_file(ss_dataset *dataset, ss_err *err)
{
    for (; dataset->current < dataset->use.paths.n; dataset->current++) {
        if (dataset->files[dataset->current].is_empty ||
            dataset->files[dataset->current].is_left_out ||
            !ss_dataset_share_has_file(dataset, dataset->current)) {
            continue;
        }
        dataset->file_row = 0;
        SS_RETURN_IF_ERROR(ss_dataset_open_file(dataset, err));
        if (dataset->files[dataset->current].is_empty) { /* seen when it was reached */
            ss_dataset_close_file(dataset);
            continue;
        }
        if (dataset->n_columns > 0 || dataset->rows == SS_DATASET_ROWS_WHOLE) {
            SS_RETURN_IF_ERROR(ss_dataset_select(dataset, err));
            break;
        }
        SS_RETURN_IF_ERROR(refuse_bare_rows(dataset, err));
        ss_dataset_close_file(dataset);
    }
    return SS_OK;
}
