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

bool ss_dataset_file_rows(const ss_dataset *dataset, size_t file, uint64_t *n_rows)
{
    const bool is_known = dataset->files[file].is_complete || dataset->files[file].is_empty;
    *n_rows = is_known ? dataset->files[file].n_rows : 0;
    return is_known;
}

bool ss_dataset_next_piece(const ss_dataset *dataset, uint64_t part, size_t *at,
                           struct ss_dataset_piece *piece)
{
    const struct ss_dataset_share *share = &dataset->share;
    const size_t n = dataset->use.paths.n;
    const uint64_t first = begin_of(share->begins[n], part - 1, share->n_parts);
    const uint64_t last = begin_of(share->begins[n], part, share->n_parts);
    for (; *at < n; ++*at) {
        const uint64_t begin = share->begins[*at], end = share->begins[*at + 1];
        const uint64_t from = begin > first ? begin : first, to = end < last ? end : last;
        if (from < to) {
            *piece = (struct ss_dataset_piece){*at, from - begin, to - begin};
            ++*at;
            return true;
        }
    }
    return false;
}
