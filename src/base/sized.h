/* Structs of the public header that grow: the first member is the size that the caller was
 * compiled with. Options are read, and results written, no further than that. */
#ifndef SS_BASE_SIZED_H
#define SS_BASE_SIZED_H

#include <stddef.h>

#include "base/error.h"

/* Copy the options that a caller gave (NULL: none) to `out`, whose other members become 0, the
 * default of each. `name` is that of the struct.
 * Errors: SS_E_USAGE (struct_size is not set), SS_E_UNSUPPORTED (a member that this library does
 * not have is not 0: the caller was compiled with a newer header). */
SS_MUST_USE ss_status ss__options_read(void *out, size_t n_out, const void *given,
                                       const char *name, ss_err *err);

/* The same for a `struct name`: SS_TRY(SS_READ_OPTIONS(&read, options, ss_plot_options, err)). */
#define SS_READ_OPTIONS(out, given, name, err)                                                 \
    ss__options_read((out), sizeof(struct name), (given), #name, (err))

/* SS_E_USAGE where the struct_size of a result is not set, before there is one. NULL is fine. */
SS_MUST_USE ss_status ss__result_check(const void *out, const char *name, ss_err *err);

/* Copy a result of n_result bytes to the caller's, whose struct_size stays; members that only
 * the caller knows become 0. SS_E_USAGE, and nothing is written, where it is not set. */
ss_status ss__result_write(void *out, const void *result, size_t n_result);

#endif
