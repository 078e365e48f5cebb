/* Datasets for the rooms behind this one: looking at files without reading texts. What programs
 * use (ss_dataset_open and its kin) is in saescope.h. */
#ifndef SS_DATASET_H
#define SS_DATASET_H

#include "base/error.h"
#include "base/map.h"
#include "dataset/where.h"
#include "format/format.h"

/* What a file is, by its first bytes and then its name. */
struct ss_dataset_sniffer {
    const char *format; /* "jsonl", "json", "csv", "tsv", "txt", "parquet", or NULL */
    const char *codec;  /* "gzip", "zstd", "bzip2", "xz", "lz4", or NULL */
};

/* Look at the head of a regular file. A file that is no dataset gives a NULL format, not an
 * error. Errors: SS_E_NOINPUT, SS_E_IO, SS_E_DATA (damaged compression). Threads: any. */
SS_MUST_USE ss_status ss_dataset_sniff(const char *path, struct ss_dataset_sniffer *out,
                                       ss_err *err);

/* Fail with SS_E_UNSUPPORTED and a message on what a file is, if it is of a kind that is known
 * and not read, by its first bytes or its name. Errors of reading it are none here. Threads:
 * any. */
SS_MUST_USE ss_status ss_dataset_refuse_known(const char *path, ss_err *err);

/* As ss_dataset_open, but without a text column: ss_dataset_next_json and the facts below are
 * what can be asked of it; ss_dataset_next is not. Gives *out (ss_dataset_close). */
SS_MUST_USE ss_status ss_dataset_open_rows(const char *const *paths, size_t n_paths,
                                           const struct ss_dataset_options *options,
                                           ss_dataset **out, ss_err *err);

/* As ss_dataset_open, but without texts: rows are null and hold only what ss_dataset_keep
 * names, to be called before the first of them. */
SS_MUST_USE ss_status ss_dataset_open_values(const char *const *paths, size_t n_paths,
                                             const struct ss_dataset_options *options,
                                             ss_dataset **out, ss_err *err);
/* Name what the rows of ss_dataset_open_values hold, once. Errors: SS_E_DATA (no such column),
 * SS_E_USAGE (a format without columns), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_keep(ss_dataset *dataset, const char *const *names, size_t n,
                                      ss_err *err);

/* The next row of a dataset without texts: the numbers of all columns that are carried along,
 * one after the other, each a number or a list of them. Replaces what `numbers` held. At the
 * end *has_row is false. Errors: as ss_dataset_next. */
SS_MUST_USE ss_status ss_dataset_next_numbers(ss_dataset *dataset,
                                              struct ss_format_numbers *numbers, bool *has_row,
                                              ss_err *err);

/* Names of the columns that are carried along, in the order of a row's `kept`; borrowed. */
const char *const *ss_dataset_kept(const ss_dataset *dataset, size_t *n);

/* Whether rows are left out by an expression or a sample; how many were so far, by either; and
 * how many rows of any kind were read, of `all` that the files say they have (0: not known). */
struct ss_dataset_passed {
    bool is_selective;
    uint64_t n_unmatched, n_unsampled, n_read, n_all;
};
struct ss_dataset_passed ss_dataset_passed(const ss_dataset *dataset);

/* How far reading is in the bytes of all files as they are stored, and how many these are; 0
 * where that is not known. Files that are mapped count when they end. Threads: that which
 * reads.
 */
uint64_t ss_dataset_bytes_done(ss_dataset *dataset);
uint64_t ss_dataset_bytes(const ss_dataset *dataset);

/* Columns of the first file that has rows; borrowed until the first row is read. */
void ss_dataset_columns(const ss_dataset *dataset, const struct ss_format_column **columns,
                        size_t *n_columns);

/* Step to the next column that stands in the path of the current file, as in year=2007/x.csv:
 * and is none of its own: name and value, borrowed; *at is 0 at first. False if there is none. */
bool ss_dataset_next_partition(const ss_dataset *dataset, size_t *at, struct ss_text *name,
                               struct ss_text *value);

/* Send messages elsewhere from now on; the log that was set before is the result. For callers
 * that read rows in a thread of their own. Threads: caller only, not while a row is read. */
struct ss_log ss_dataset_set_log(ss_dataset *dataset, struct ss_log log);

/* How file `index` was when it was opened to be read, and whether it was read to its end; false
 * for what is no regular file, or was not opened yet. The same of archives. */
bool ss_dataset_file_facts(const ss_dataset *dataset, size_t index,
                           struct ss__file_facts *facts, bool *is_complete);
bool ss_dataset_archive_facts(const ss_dataset *dataset, size_t index,
                              struct ss__file_facts *facts, bool *is_complete);

/* ---- parts ---- */

enum { SS_DATASET_MAX_PARTS = 1000000 };

/* Give only the rows of one of n parts of about the same size (part from 1 on), before the first
 * row is read. Every row is in one part, of which each is the same for everybody who names the
 * same files; rows keep the number that they have in their file. Errors: SS_E_USAGE (no such
 * part; rows that cannot be cut), those of opening a file. */
SS_MUST_USE ss_status ss_dataset_take_part(ss_dataset *dataset, uint64_t part, uint64_t n_parts,
                                           ss_err *err);
/* Bytes of a file as it is stored whose rows are of a part: where a format knows how many rows there
 * are, they lie evenly on them; elsewhere blocks of rows are spread over them. */
struct ss_dataset_piece {
    size_t file;
    uint64_t begin, end;
};
/* Step to the next piece of a part (from 1 on) of a dataset that was cut; *at is 0 at first. False
 * behind the last. */
bool ss_dataset_next_piece(const ss_dataset *dataset, uint64_t part, size_t *at,
                           struct ss_dataset_piece *piece);

/* Give no rows of files that the caller knows, before the first row is read, and leave it to the
 * caller to say what there is to say of all rows. is_left_out [n_files]. Errors: those of opening a
 * file. */
SS_MUST_USE ss_status ss_dataset_leave_out(ss_dataset *dataset, const bool *is_left_out,
                                           ss_err *err);
/* How many rows the options want a sample of; 0: all. */
uint64_t ss_dataset_n_sample(const ss_dataset *dataset);
/* Whether the part has the begin of a file: of each file one part has it, and reads the file. */
bool ss_dataset_share_begins(const ss_dataset *dataset, size_t file);
/* What `where` could not compare in the rows so far. */
struct ss_dataset_mismatch ss_dataset_mismatch(const ss_dataset *dataset);
/* Whether another process could read the same rows from the first one on, or know that they are
 * others: no pipe, no rows that a program hands over, no URL whose content is not pinned. */
bool ss_dataset_can_reread(const ss_dataset *dataset);
/* Rows whose files lack the text column, and the first such file. */
uint64_t ss_dataset_n_absent(const ss_dataset *dataset, size_t *first_file);
/* Rows of any kind in a file, of other parts too, once it was read to its end; else false. */
bool ss_dataset_file_rows(const ss_dataset *dataset, size_t file, uint64_t *n_rows);

/* What there is to say of all rows at the end of them; a part does not say it. */
struct ss_dataset_tally {
    struct ss_format_bad_rows *bad;
    uint64_t n_rows, n_repaired, n_absent;
    const char *text_column, *first_absent; /* a file without it */
    uint64_t n_unmatched;                   /* by `where` */
    struct ss_dataset_mismatch mismatch;
};
void ss_dataset_tally_say(const struct ss_dataset_tally *tally, const struct ss_log *log);

/* Members of an open object that tell how rows are made of the files, whatever their names. */
struct ss__json_writer;
void ss_dataset_put_reading(const ss_dataset *dataset, struct ss__json_writer *writer);

/* Make a read that waits for a pipe, and all later ones, end with SS_E_STOPPED. Threads: any,
 * also while another one reads. */
void ss_dataset_interrupt(ss_dataset *dataset);

/* The i-th of the first SS_FORMAT_MAX_BAD_ROWS of them; false where there is none. */
bool ss_dataset_bad_row(const ss_dataset *dataset, size_t i, struct ss_format_bad_row *row);

/* How many of a kind there were so far; of all kinds for SS_FORMAT_FAULT_NONE. */
uint64_t ss_dataset_n_bad_rows(const ss_dataset *dataset, ss_format_fault fault);

/* Fail with SS_E_DATA, listing the columns, if there are columns but none of texts, none of
 * lists, and not several of numbers, which may be features or embeddings. */
SS_MUST_USE ss_status ss_dataset_check_text(ss_dataset *dataset, ss_err *err);

/* The next row as a JSON object on one line, valid UTF-8, borrowed until the next call. At the
 * end *has_row is false. Errors: as ss_dataset_next. */
SS_MUST_USE ss_status ss_dataset_next_json(ss_dataset *dataset, struct ss_text *json,
                                           bool *has_row, ss_err *err);

/* Decode all rows to the end and count them. What ss_dataset_next_json would refuse is
 * refused, but no row is written out where that is not needed, so that time is bounded by the
 * files. Errors: as ss_dataset_next. */
SS_MUST_USE ss_status ss_dataset_read_all(ss_dataset *dataset, uint64_t *n_rows, ss_err *err);

/* Check that a file, compressed or not, is one JSON value (RFC 8259), or a sequence of objects
 * that each begin on a line of their own; with the name of a JSON Lines file, that its lines
 * are rows with a column of strings. Names may repeat in an object, and bytes of strings are
 * not checked for UTF-8. Memory: one element of the top array at a time. Errors: SS_E_DATA with
 * the offset, SS_E_LIMIT, SS_E_NOINPUT, SS_E_IO. Threads: any. */
SS_MUST_USE ss_status ss_dataset_json_check_file(const char *path,
                                                 struct ss_progress_callback stop, ss_err *err);

#endif
