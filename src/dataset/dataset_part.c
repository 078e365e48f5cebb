/* Taking a part of a dataset: what can be cut, and how much the files weigh. Which rows are of a
 * part is in dataset_share.c. */
#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset_state_priv.h"
#include "source/source.h"

/* Whether a file can be read only once: a pipe, or standard input. */
static bool is_once(const ss_dataset *dataset, size_t file)
{
    return dataset->files[file].stream.state != NULL ||
           (file == dataset->current && dataset->is_open && !dataset->can_reopen &&
            !ss_source_is_remote(dataset->use.paths.items[file]));
}

/* Whether a server may give other bytes under the same name. */
static bool may_change(const ss_dataset *dataset, size_t file)
{
    return ss_source_is_remote(dataset->use.paths.items[file]) &&
           (dataset->use.commit == NULL || dataset->use.commit[0] == '\0');
}

bool ss_dataset_can_reread(const ss_dataset *dataset)
{
    bool can = dataset->given.source.next == NULL;
    for (size_t i = 0; i < dataset->use.paths.n; i++) {
        can = can && !is_once(dataset, i) && !may_change(dataset, i);
    }
    return can;
}

/* What cannot be read by several workers, each for itself, with the same answer. */
static ss_status check_shareable(const ss_dataset *dataset, ss_err *err)
{
    const struct ss_format_row_options *rows = &dataset->use.rows;
    ss_status status = SS_OK;
    if (dataset->given.source.next != NULL) {
        status = ss__fail(err, SS_E_USAGE,
                          "rows that a program hands over cannot be cut into parts; "
                          "hand each worker its own, and merge their states");
    }
    if (status == SS_OK && dataset->selection.sample.n > 0) {
        status = ss__fail(err, SS_E_USAGE,
                          "`sample` chooses among all rows, which a part does not have; choose "
                          "with `where`, or write the sample to a file, and cut that");
    }
    for (size_t i = 0; status == SS_OK && i < dataset->use.paths.n; i++) {
        if (is_once(dataset, i)) {
            status = ss__fail_file(
                err, dataset->use.paths.items[i], SS_E_USAGE,
                "standard input and pipes can be read by one process only; write the "
                "rows to a file, and name that");
        }
    }
    if (status == SS_OK && dataset->use.paths.n > 1 &&
        dataset->on_bad_row == SS_BAD_ROWS_SKIP && rows->encoding != NULL &&
        rows->decode_errors == SS_SOURCE_DECODE_STRICT &&
        !ss_source_encoding_is_utf8(rows->encoding)) {
        status = ss__fail(err, SS_E_USAGE,
                          "rows that are not text of the encoding '%.60s' are told by "
                          "their number over all files, which no part knows; convert the files "
                          "to UTF-8, or leave out `on_bad_row` skip",
                          rows->encoding);
    }
    if (status != SS_OK) {
        ss__err_about(err, "part");
    }
    return status;
}

/* Whether a file has no bytes, also where that was not seen yet. */
static bool is_empty(const ss_dataset *dataset, size_t file)
{
    struct ss__file_facts facts;
    return dataset->files[file].is_empty ||
           (ss__file_facts_at(dataset->use.paths.items[file], &facts) && facts.n_bytes == 0);
}

/* Files without a known size weigh all the same; those that are empty nothing. */
static ss_status weigh_files(ss_dataset *dataset, ss_err *err)
{
    const size_t n = dataset->use.paths.n;
    uint64_t *begins = NULL;
    bool is_known = true;
    SS_ALLOC_OR_RETURN(begins, n + 1);
    dataset->share.begins = begins;
    for (size_t i = 0; i < n; i++) {
        is_known =
            is_known && (ss_dataset_stored_bytes(dataset, i) > 0 || is_empty(dataset, i));
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t weight =
            is_known ? ss_dataset_stored_bytes(dataset, i) : !dataset->files[i].is_empty;
        if (!ss__add_u64(begins[i], weight, &begins[i + 1])) {
            return ss__fail(err, SS_E_LIMIT, "2^64 bytes or more");
        }
    }
    return SS_OK;
}

/* The first file is open already. */
static ss_status pass_over_current(ss_dataset *dataset, ss_err *err)
{
    ss_dataset_close_file(dataset);
    dataset->current++;
    return ss_dataset_start_file(dataset, err);
}

ss_status ss_dataset_leave_out(ss_dataset *dataset, const bool *is_left_out, ss_err *err)
{
    bool is_any = false;
    dataset->has_said = true;
    for (size_t i = 0; i < dataset->use.paths.n; i++) {
        dataset->files[i].is_left_out = is_left_out[i];
        is_any = is_any || is_left_out[i];
    }
    if (is_any) {
        dataset->n_rows = 0; /* of the others is not known */
    }
    return dataset->current < dataset->use.paths.n && is_left_out[dataset->current]
               ? pass_over_current(dataset, err)
               : SS_OK;
}

uint64_t ss_dataset_n_sample(const ss_dataset *dataset)
{
    return dataset->selection.sample.n;
}

ss_status ss_dataset_take_part(ss_dataset *dataset, uint64_t part, uint64_t n_parts,
                               ss_err *err)
{
    if (n_parts == 0 || n_parts > SS_DATASET_MAX_PARTS || part == 0 || part > n_parts) {
        ss__fail(err, SS_E_USAGE,
                 "part %llu of %llu; it is a number from 1 to that of the parts, of "
                 "which there are at most %d",
                 (unsigned long long)part, (unsigned long long)n_parts, SS_DATASET_MAX_PARTS);
        ss__err_about(err, "part");
        return SS_E_USAGE;
    }
    SS_RETURN_IF_ERROR(check_shareable(dataset, err));
    SS_RETURN_IF_ERROR(weigh_files(dataset, err));
    dataset->share.part = part - 1;
    dataset->share.n_parts = n_parts;
    dataset->n_rows = 0; /* of this part is not known */
    if (dataset->current < dataset->use.paths.n &&
        !ss_dataset_share_has_file(dataset, dataset->current)) {
        return pass_over_current(dataset, err);
    }
    return SS_OK;
}
