/* A part of a dataset: which files, and which of their rows, are one of N equal shares of the
 * work. It follows from the list of the files and their sizes alone, so that every worker finds
 * its own without asking anybody.
 *
 * The bytes of all files, one behind the other, are a line that is cut into N equal pieces. A
 * file that lies in one piece is of that part. Others are shared: where the format knows how
 * many rows there are, rows lie evenly on the file's stretch of the line, so that a part has
 * rows that follow one another. Elsewhere the middle of a file cannot be found without reading
 * what is before it (compression, quotes over several lines), and nobody knows how many rows
 * there will be: blocks of rows are dealt out, each to a place on the stretch that is a
 * multiple of the golden ratio, which spreads any number of blocks evenly. So every part reads
 * such a file from its start and gives its own rows; reading takes a thousandth of the time
 * that encoding takes. */
#include <string.h>

#include "base/mem.h"
#include "dataset/dataset_state_priv.h"

enum { BLOCK_ROWS = 32, HALF_BITS = 32 };
#define GOLDEN UINT64_C(0x9E3779B97F4A7C15) /* 2^64 / phi */
#define HALF_MASK UINT64_C(0xFFFFFFFF)

/* Where piece k of n begins on a line of so many bytes. */
static uint64_t begin_of(uint64_t n_bytes, uint64_t k, uint64_t n)
{
    return n_bytes / n * k + n_bytes % n * k / n;
}

/* The piece that a byte is in, from 0 on. */
static uint64_t piece_at(uint64_t n_bytes, uint64_t n, uint64_t at)
{
    uint64_t low = 0, high = n; /* begin_of(low) ≤ at < begin_of(high) */
    while (high - low > 1) {
        const uint64_t middle = low + (high - low) / 2;
        if (begin_of(n_bytes, middle, n) <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* floor(fraction / 2^64 of n), to the precision of 32 bits. */
static uint64_t part_of(uint64_t fraction, uint64_t n)
{
    const uint64_t high = fraction >> HALF_BITS;
    return high * (n >> HALF_BITS) + (high * (n & HALF_MASK) >> HALF_BITS);
}

/* floor(i n / n_rows), i < n_rows < 2^32. */
static uint64_t spread(uint64_t i, uint64_t n_rows, uint64_t n)
{
    return n / n_rows * i + n % n_rows * i / n_rows;
}

static uint64_t length_of(const struct ss_dataset_share *share, size_t file)
{
    return share->begins[file + 1] - share->begins[file];
}

static uint64_t piece_of(const ss_dataset *dataset, uint64_t at)
{
    const struct ss_dataset_share *share = &dataset->share;
    return piece_at(share->begins[dataset->use.paths.n], share->n_parts, at);
}

bool ss_dataset_share_has_file(const ss_dataset *dataset, size_t file)
{
    const struct ss_dataset_share *share = &dataset->share;
    const uint64_t length = share->n_parts == 0 ? 0 : length_of(share, file);
    return length == 0 || (piece_of(dataset, share->begins[file]) <= share->part &&
                           piece_of(dataset, share->begins[file] + length - 1) >= share->part);
}

bool ss_dataset_share_begins(const ss_dataset *dataset, size_t file)
{
    const struct ss_dataset_share *share = &dataset->share;
    const uint64_t length = share->n_parts == 0 ? 0 : length_of(share, file);
    return length == 0 || piece_of(dataset, share->begins[file]) == share->part;
}

bool ss_dataset_share_has_row(const ss_dataset *dataset, uint64_t row)
{
    const struct ss_dataset_share *share = &dataset->share;
    const size_t file = dataset->current;
    if (share->n_parts == 0) {
        return true;
    }
    const struct ss_format_reader *reader = dataset->files[file].reader;
    const uint64_t n_rows = reader->n_rows == NULL ? 0 : reader->n_rows(dataset->state);
    const uint64_t length = length_of(share, file);
    const uint64_t at = n_rows > 0 && n_rows <= HALF_MASK && row < n_rows
                            ? spread(row, n_rows, length)
                            : part_of(row / BLOCK_ROWS * GOLDEN, length);
    return piece_of(dataset, share->begins[file] + at) == share->part;
}

/* What cannot be read by several workers, each for itself, with the same answer. */
static ss_status check_shareable(const ss_dataset *dataset, ss_err *err)
{
    const struct ss_format_row_options *rows = &dataset->use.rows;
    ss_status status = SS_OK;
    if (dataset->given.source.next != NULL) {
        status = ss__fail(err, SS_E_USAGE,
                          "`part`: rows that a program hands over cannot be cut into parts; "
                          "hand each worker its own, and merge their states");
    }
    for (size_t i = 0; status == SS_OK && i < dataset->use.paths.n; i++) {
        if (dataset->files[i].stream.state != NULL) {
            status = ss__fail_file(
                err, dataset->use.paths.items[i], SS_E_USAGE,
                "`part`: standard input and pipes can be read by one process only; write the "
                "rows to a file, and name that");
        }
    }
    if (status == SS_OK && dataset->use.paths.n > 1 &&
        dataset->on_bad_row == SS_BAD_ROWS_SKIP && rows->encoding != NULL &&
        rows->decode_errors == SS_SOURCE_DECODE_STRICT &&
        !ss_source_encoding_is_utf8(rows->encoding)) {
        status = ss__fail(err, SS_E_USAGE,
                          "`part`: rows that are not text of the encoding '%.60s' are told by "
                          "their number over all files, which no part knows; convert the files "
                          "to UTF-8, or leave out `on_bad_row` skip",
                          rows->encoding);
    }
    if (status != SS_OK) {
        ss__err_about(err, "part");
    }
    return status;
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
            is_known && (dataset->files[i].is_empty || ss_dataset_stored_bytes(dataset, i) > 0);
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t weight = dataset->files[i].is_empty ? 0
                                : is_known                 ? ss_dataset_stored_bytes(dataset, i)
                                                           : 1;
        if (!ss__add_u64(begins[i], weight, &begins[i + 1])) {
            return ss__fail(err, SS_E_LIMIT, "2^64 bytes or more");
        }
    }
    return SS_OK;
}

ss_status ss_dataset_take_part(ss_dataset *dataset, uint64_t part, uint64_t n_parts,
                               ss_err *err)
{
    if (n_parts == 0 || n_parts > SS_DATASET_MAX_PARTS || part == 0 || part > n_parts) {
        ss__fail(err, SS_E_USAGE,
                 "`part`: part %llu of %llu; it is a number from 1 to that of the parts, of "
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
        ss_dataset_close_file(dataset);
        dataset->current++;
        SS_RETURN_IF_ERROR(ss_dataset_start_file(dataset, err));
    }
    return SS_OK;
}

bool ss_dataset_file_rows(const ss_dataset *dataset, size_t file, uint64_t *n_rows)
{
    const bool is_known = dataset->files[file].is_complete || dataset->files[file].is_empty;
    *n_rows = is_known ? dataset->files[file].n_rows : 0;
    return is_known;
}
