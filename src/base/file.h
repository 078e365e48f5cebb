/* Files: paths, and reading small ones. Large ones are in map.h, writing is in output.h. */
#ifndef SS_BASE_FILE_H
#define SS_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"

/* ---- paths ---- */

typedef enum ss__path_kind {
    SS__PATH_NONE,
    SS__PATH_FILE,
    SS__PATH_FOLDER,
    SS__PATH_OTHER,
    SS__PATH_BROKEN /* out of reach: a link that leads nowhere, a folder without access, a file
                       system that fails */
} ss__path_kind;

ss__path_kind ss__path_stat(const char *path);

/* The same for FOLDER/NAME; needs no memory, so that "not there" never means that it ran out.
 */
ss__path_kind ss__path_look_in(const char *folder, const char *name);

/* The same for names that were found in a folder: SS__PATH_NONE for what is not there, with
 * *is_link a link to nowhere. Errors: SS_E_IO, SS_E_NOINPUT (it cannot be looked at). */
SS_MUST_USE ss_status ss__path_check(const char *path, ss__path_kind *kind, bool *is_link,
                                     ss_err *err);

/* Fails for a path that is SS__PATH_BROKEN, saying why it cannot be reached. */
SS_MUST_USE ss_status ss__fail_broken(ss_err *err, const char *path);

/* "folder/name", to be released with ss__free; NULL when memory ran out. An absolute `name`, an
 * empty folder or an empty name gives the other part alone. */
char *ss__path_join(const char *folder, const char *name);

/* The last component, without trailing slashes taken as one: a view into `path`. */
const char *ss__path_name(const char *path);

/* Whether a relative path from a file stays inside its folder: not absolute, no "..", no
 * backslash, no control characters. */
bool ss__path_is_inside(const char *path);

/* Names in a folder, sorted by bytes, without "." and "..": an array of *n strings. Errors:
 * SS_E_NOINPUT, SS_E_IO (also where the folder cannot be read to its end), SS_E_NOMEM. */
SS_MUST_USE ss_status ss__list_folder(const char *path, char ***names, size_t *n, ss_err *err);
void ss__list_release(char **names, size_t n);

/* ---- reading ---- */

/* Append a file of at most max_bytes to a buffer. Errors: as above, SS_E_LIMIT. */
SS_MUST_USE ss_status ss__file_read(const char *path, size_t max_bytes, struct ss__buf *buf,
                                    ss_err *err);

#endif
