/* Temporary files: outputs until they are complete.
 *
 * Each has a random name of its own, is made with O_CREAT | O_EXCL | O_NOFOLLOW and is locked
 * (flock) by its writer as long as that lives. A file of such a name without a lock is left
 * from a process that is dead; on file systems without locks nobody can tell, and it stays. */
#ifndef SS_BASE_TEMPORARY_H
#define SS_BASE_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { SS__TEMPORARY_NAME_BYTES = 32 };

/* A name with 64 random bits: PREFIX, 16 hexadecimal digits, SUFFIX. */
struct ss__temporary_kind {
    const char *prefix, *suffix; /* at most 15 bytes together */
};
extern const struct ss__temporary_kind ss__temporary_file;

void ss__temporary_name(const struct ss__temporary_kind *kind,
                        char name[SS__TEMPORARY_NAME_BYTES]);
bool ss__temporary_is_name(const struct ss__temporary_kind *kind, const char *name);

typedef enum ss__lock_state {
    SS__LOCK_HELD,   /* by us now */
    SS__LOCK_TAKEN,  /* by another */
    SS__LOCK_UNKNOWN /* the file system has no locks */
} ss__lock_state;

/* Try for the exclusive lock of an open file; it goes when the descriptor is closed. */
ss__lock_state ss__lock_try(int descriptor);

/* Make and lock a file in an open folder. `path` is named in messages. Errors: SS_E_IO. */
SS_MUST_USE ss_status ss__temporary_create(int folder, const char *path,
                                           char name[SS__TEMPORARY_NAME_BYTES], int *descriptor,
                                           ss_err *err);

/* Remove such files of dead processes from an open folder; best effort. Returns how many. */
size_t ss__temporary_remove_stale(int folder);
/* The same for one name: whether it was such a file, and is gone. */
bool ss__temporary_remove(int folder, const char *name);

/* What messages call a file without a name. */
#define SS__TEMPORARY_UNNAMED "the temporary file (in $TMPDIR, else /tmp)"

/* A file without a name in $TMPDIR, else /tmp, for reading and writing: it goes with its
 * descriptor. Errors: SS_E_IO, naming the folder. */
SS_MUST_USE ss_status ss__temporary_unnamed(int *descriptor, ss_err *err);

/* Write all of it where the descriptor stands. `path` is named in messages. Errors: SS_E_IO,
 * also when the file system takes nothing without saying why. */
SS_MUST_USE ss_status ss__write_all(int descriptor, const char *path, const void *data,
                                    size_t n_bytes, ss_err *err);
/* The same at an offset. */
SS_MUST_USE ss_status ss__write_all_at(int descriptor, const char *path, const void *data,
                                       size_t n_bytes, uint64_t offset, ss_err *err);
/* Read all of it from there. Errors: SS_E_IO, also where the file is shorter. */
SS_MUST_USE ss_status ss__read_all_at(int descriptor, const char *path, void *out,
                                      size_t n_bytes, uint64_t offset, ss_err *err);

#endif
