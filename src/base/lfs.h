/* Pointers of Git LFS and git-annex: the small text files that stand in a repository for the
 * content of large ones, and stay there when it is cloned or exported without those programs.
 *
 *     version https://git-lfs.github.com/spec/v1
 *     oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
 *     size 12345
 *
 * less than 1024 bytes long; older clients named other URLs, extensions add lines
 * "ext-0-NAME" before the oid. Of git-annex one line:
 *
 *     /annex/objects/SHA256E-s12345--4d7a…2393.csv */
#ifndef SS_BASE_LFS_H
#define SS_BASE_LFS_H

#include "base/error.h"

enum { SS__LFS_MAX_BYTES = 1024 };

/* Whether these bytes, a whole file, are such a pointer. */
bool ss__lfs_is_pointer(const void *data, size_t n_bytes);

/* Fail with SS_E_DATA and a message that says so, if they are. */
SS_MUST_USE ss_status ss__lfs_check(const char *file, const void *data, size_t n_bytes,
                                    ss_err *err);

#endif
