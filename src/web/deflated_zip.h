/* An .npz archive in memory, its members deflated: what a page holds of a run, and numpy.load
 * opens. The same arrays give the same bytes: no dates, one level of compression. */
#ifndef SS_WEB_DEFLATED_ZIP_H
#define SS_WEB_DEFLATED_ZIP_H

#include <stdint.h>

#include "base/buf.h"

/* A zeroed struct is an empty archive. */
struct ss_web_zip {
    struct ss__buf bytes, directory;
    size_t n_members;
};

/* Add a member as it is. Errors: SS_E_NOMEM, SS_E_LIMIT (4 GiB). */
SS_MUST_USE ss_status ss_web_zip_add(struct ss_web_zip *zip, const char *name, const void *data,
                                     size_t n_bytes, ss_err *err);

/* Add NAME.npy, an array of n items: `descr` is their type as numpy has it, "<f4", and its digit
 * their bytes. Errors: as above. */
SS_MUST_USE ss_status ss_web_zip_add_array(struct ss_web_zip *zip, const char *name,
                                           const char *descr, const void *data, size_t n,
                                           ss_err *err);

/* Write the directory: `bytes` is the whole archive then. Errors: SS_E_NOMEM, SS_E_LIMIT. */
SS_MUST_USE ss_status ss_web_zip_finish(struct ss_web_zip *zip, ss_err *err);
void ss_web_zip_release(struct ss_web_zip *zip);

#endif
