/* Archives among the files of a dataset: a local archive stands for its members, as a folder
 * stands for its files. A member is called "archive.zip!/member"; its name is never a path of
 * this machine. */
#ifndef SS_DATASET_ARCHIVES_H
#define SS_DATASET_ARCHIVES_H

#include "dataset/dataset_files.h"
#include "source/source.h"

/* A zeroed struct is valid to release. */
struct ss_dataset_archives {
    struct ss_source_archive **items;
    const char **paths; /* [n] of the archives */
    size_t n, capacity, paths_capacity;
    struct ss_dataset_archive_place {
        struct ss_source_archive *archive; /* NULL: a file that is no member */
        size_t index;
    } * places; /* [n_places], one per path; NULL where there are no archives */
    size_t n_places, n_places_capacity;
    struct ss_source_halt *halt; /* nullable, borrowed */
};

/* How an archive was when it was opened, [index < n]; NULL for one that is no regular file. */
const struct ss__file_facts *
ss_dataset_archives_facts(const struct ss_dataset_archives *archives, size_t index);
/* Whether the archive of a path is still that: SS_E_IO if it was cut or written to. */
SS_MUST_USE ss_status ss_dataset_archives_check(const struct ss_dataset_archives *archives,
                                                size_t index, ss_err *err);

/* Replace archives among paths by those of their members that hold rows (layout.h), sorted by
 * bytes. Of members of equal names the last counts. Errors: those of the stream and of the
 * formats, SS_E_NOINPUT (there are none), SS_E_UNSUPPORTED (one is a link, sparse, or of an
 * unknown type). */
SS_MUST_USE ss_status ss_dataset_archives_expand(struct ss_dataset_archives *archives,
                                                 struct ss_dataset_file_list *paths,
                                                 const struct ss_log *log, ss_err *err);

/* Whether a path of that list is a member. */
bool ss_dataset_archives_have(const struct ss_dataset_archives *archives, size_t index);

/* What an archive of samples (samples.h) is given as, in place of its members; else NULL. */
const char *ss_dataset_archives_format(const struct ss_dataset_archives *archives,
                                       size_t index);

/* Bytes of a member; 0 for samples. */
uint64_t ss_dataset_archives_bytes(const struct ss_dataset_archives *archives, size_t index);

/* Open a member; `name` is its path, borrowed. It must be closed
 * before release. */
SS_MUST_USE ss_status ss_dataset_archives_open(struct ss_dataset_archives *archives,
                                               size_t index, const char *name,
                                               struct ss_source_input *out, ss_err *err);
void ss_dataset_archives_release(struct ss_dataset_archives *archives);

#endif
