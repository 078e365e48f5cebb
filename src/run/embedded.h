/* SAEs in the library, as folders on this machine. */
#ifndef SS_RUN_EMBEDDED_H
#define SS_RUN_EMBEDDED_H

#include "base/error.h"

#define SS_RUN_EMBEDDED_SCHEME "embedded:"

/* The folder of the SAE called `name`, below ${XDG_CACHE_HOME:-~/.cache}/saescope/embedded, into
 * which its files are written where they are not there as they should be. Gives *folder
 * (ss__free). Errors: SS_E_NOINPUT (no such SAE), SS_E_IO, SS_E_USAGE (no place for a cache),
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_embedded_unpack(const char *name, char **folder, ss_err *err);

#endif
