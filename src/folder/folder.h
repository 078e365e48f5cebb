/* The output folder of a run. Its files are made in a folder of their own inside it and moved
 * into place when all of them are there, the manifest last, so that a failure leaves what was
 * there before.
 *
 * Who writes into a folder holds a lock (flock of RUN/.saescope.lock) from opening to the end:
 * a second one is refused. The lock dies with its holder. Who finds it free knows that what an
 * earlier run left, RUN/.unfinished.XXXXXXXXXXXXXXXX, is of a dead process: it is removed, and
 * so is what that process had put in place without its manifest. */
#ifndef SS_FOLDER_H
#define SS_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* How far an analysis is that is not complete (pass/checkpoint.c). It stays when a run ends early. */
#define SS_FOLDER_CHECKPOINT_NAME ".saescope.checkpoint"

#define SS_FOLDER_LOCK ".saescope.lock"
#define SS_FOLDER_FILE_SNAPSHOT                                                                \
    "snapshot.json" /* beside the files, while they are made (snapshot.h) */
/* Whether a name is that of a staging folder. */
bool ss_folder_is_staging(const char *name);

/* A zeroed struct is valid to abort. */
struct ss_folder {
    char *path, *staging;                     /* NULL while there is none */
    const char *const *files;                 /* borrowed */
    int descriptor, staging_descriptor, lock; /* each + 1; 0: none */
    size_t n_made;                            /* folders of `path` that did not exist before */
    uint64_t placed;                          /* bits of `files` that were moved into place */
};

/* Refuse a folder that holds something, unless `force`, and a path that is no folder; make it
 * and the staging folder.
 *
 * files    names that such a run may have, at most 63, NULL at the end; the last of them makes
 *          the folder complete. One may be in a folder of the folder, "evidence/texts.arrow",
 *          which is made for it and goes when it is empty. Borrowed until the end
 * Errors   SS_E_EXISTS (something is there, or another program writes into it), SS_E_IO */
SS_MUST_USE ss_status ss_folder_open(const char *path, const char *const *files, bool force,
                                     struct ss_folder *folder, ss_err *err);

/* Put in place what a run that died meanwhile had not yet put there, and remove what another left;
 * nothing where a run is under way. Best effort, before the folder is looked at. */
void ss_folder_recover(const char *path, const char *const *files);

/* Path of a file in the staging folder; gives (ss__free), NULL when memory ran out. */
char *ss_folder_file(const struct ss_folder *folder, const char *name);

/* Move the files that are there into place, the last at the end; old ones that this run does
 * not have go. On error the folder is without those of this run, or if only its last flush
 * failed, has all of them. */
SS_MUST_USE ss_status ss_folder_commit(struct ss_folder *folder, ss_err *err);

/* An error about a file of the staging folder names the path that the file is moved to. */
void ss_folder_fix_error_path(const struct ss_folder *folder, ss_err *err);

/* Remove what was made, for which no memory is needed; does nothing after a commit. */
void ss_folder_abort(struct ss_folder *folder);

#endif
