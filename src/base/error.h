/* How every fallible function reports.
 *
 * Outputs are set empty first. A function that owns nothing leaves at once:
 *
 *     SS_RETURN_IF_ERROR(check_name(name, err));
 *     return ss__file_move(from, to, err);
 *
 * One that owns something initialises every owned local where it is declared, and SS_TRY jumps
 * to the one label `out`; release functions accept the zero state:
 *
 *     ss_status status = SS_OK;
 *     SS_TRY(ss__file_map(path, &map, err));
 *     ...
 * out:
 *     ss__map_release(&map);
 *     return status;
 */
#ifndef SS_BASE_ERROR_H
#define SS_BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#include "saescope.h"

#define SS_PRINTF(format_index, first_index)                                                   \
    __attribute__((format(printf, format_index, first_index)))

/* Evaluate a call; on failure return its status. For functions that own nothing by then. */
#define SS_RETURN_IF_ERROR(call)                                                               \
    do {                                                                                       \
        const ss_status status_ = (call);                                                      \
        if (status_ != SS_OK) {                                                                \
            return status_;                                                                    \
        }                                                                                      \
    } while (0)

/* Evaluate a call; on failure keep its status and go to `out`. */
#define SS_TRY(call)                                                                           \
    do {                                                                                       \
        status = (call);                                                                       \
        if (status != SS_OK) {                                                                 \
            goto out;                                                                          \
        }                                                                                      \
    } while (0)

/* Leave with a new error: SS_FAIL(SS_E_DATA, "…", …). Needs `status`, `err` and `out`. */
#define SS_FAIL(...)                                                                           \
    do {                                                                                       \
        status = ss__fail(err, __VA_ARGS__);                                                   \
        goto out;                                                                              \
    } while (0)

/* The same for a fault in a file: SS_FAIL_FILE(path, SS_E_DATA, "…", …). */
#define SS_FAIL_FILE(...)                                                                      \
    do {                                                                                       \
        status = ss__fail_file(err, __VA_ARGS__);                                              \
        goto out;                                                                              \
    } while (0)

/* Fill `err` (nullable) with a message and return `code`. Messages name an option by its id
 * between grave accents, "say which with `text_column`", and no flag: what a user calls it is
 * the program's matter. The first one is err->option, too. */
ss_status ss__fail(ss_err *err, ss_status code, const char *format, ...) SS_PRINTF(3, 4);

/* As ss__fail, with "FILE: " before the message and err->file set. */
ss_status ss__fail_file(ss_err *err, const char *file, ss_status code, const char *format, ...)
    SS_PRINTF(4, 5);

/* SS_E_NOMEM, "out of memory while making room for WHAT". */
ss_status ss__fail_nomem(ss_err *err, const char *what);

/* An error of the operating system: SS_E_NOINPUT for a missing or forbidden file that is read,
 * else SS_E_IO. `doing` is "open", "write", ...; uses `error_number` (an errno). */
ss_status ss__fail_errno(ss_err *err, const char *file, const char *doing, int error_number);

/* Fail as a call did whose error was kept apart, since it might have been no error here: `why` is
 * copied into `err` (nullable), and its status is returned. */
ss_status ss__fail_as(ss_err *err, const ss_err *why);

/* Add facts to an error that was just filled; nullable `err`. Rows and bytes count from 0; an
 * item is a key, a tensor, a column, and is copied. Messages tell the place in words as well:
 * these are for programs. */
void ss__err_at_row(ss_err *err, uint64_t row);
void ss__err_at_offset(ss_err *err, uint64_t offset);
void ss__err_about(ss_err *err, const char *item);

/* Add to the end of its message, such as a way out: "; `on_bad_row` skip leaves it out". */
void ss__err_append(ss_err *err, const char *text);

/* Put "FILE: " before the message of an error that has no file yet. */
void ss__err_in_file(ss_err *err, const char *file);

/* Send a message to a log; does nothing where there is none. */
void ss__log(const struct ss_log *log, ss_level level, const char *format, ...) SS_PRINTF(3, 4);

#endif
