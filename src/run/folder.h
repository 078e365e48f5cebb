/* The output folder of a run. Files are made in a folder of their own inside it and moved into
 * place when all of them are there, the manifest last, so that a failure leaves what was there
 * before. */
#ifndef SS_RUN_FOLDER_H
#define SS_RUN_FOLDER_H

#include "base/error.h"

struct ss__folder {
    const char *path; /* borrowed */
    char *staging;    /* NULL while there is none */
    bool was_made;    /* the folder did not exist before */
};

/* Refuse a folder that holds something, unless `force`, and a path that is no folder; make it
 * and the staging folder. Errors: SS_E_EXISTS, SS_E_IO. */
SS_MUST_USE ss_status ss__folder_open(const char *path, bool force, struct ss__folder *folder,
                                      ss_err *err);

/* Path of a file in the staging folder; gives (ss__free), NULL when memory ran out. */
char *ss__folder_file(const struct ss__folder *folder, const char *name);

/* Move all files into place, `last` at the end; an old file of that name goes first. */
SS_MUST_USE ss_status ss__folder_commit(struct ss__folder *folder, const char *last,
                                        ss_err *err);

/* Remove what was made; does nothing after a commit. */
void ss__folder_abort(struct ss__folder *folder);

#endif
