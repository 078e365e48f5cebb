/* Archives as containers of files: .zip or .tar (also .tar.gz, .tgz, .zst, .xz, .bz2).
 *
 * An archive is mapped as it lies. A tar that is compressed is first spooled to TMPDIR, as is
 * one that comes from a pipe: members are read by name, not as they come. */
#ifndef SS_SOURCE_ARCHIVE_H
#define SS_SOURCE_ARCHIVE_H

#include "source/stream.h"
#include "source/tar.h"

struct ss_source_archive;

/* Open a local archive and list it; no content is read but a tar's headers.
 *
 * path     copied; the extension .zip tells a zip from a tar
 * halt     nullable, borrowed for the call
 * out      gives (ss_source_archive_close); NULL on error
 * Errors   SS_E_NOINPUT, SS_E_IO, SS_E_STOPPED, SS_E_NOMEM; SS_E_DATA, SS_E_LIMIT and
 *          SS_E_UNSUPPORTED of the formats, with the offset
 * Threads  any; an open archive does not change and may be read by several */
SS_MUST_USE ss_status ss_source_archive_open(const char *path, struct ss_source_halt *halt,
                                             struct ss_source_archive **out, ss_err *err);
void ss_source_archive_close(struct ss_source_archive *archive); /* nullable */

/* As it was given; borrowed until the archive is closed. */
const char *ss_source_archive_path(const struct ss_source_archive *archive);

/* How an archive was when it was opened; NULL for one that is no regular file. */
const struct ss__file_facts *ss_source_archive_facts(const struct ss_source_archive *archive);

/* Whether it is still that: SS_E_IO if it was cut or written to. */
SS_MUST_USE ss_status ss_source_archive_check(const struct ss_source_archive *archive,
                                              ss_err *err);

/* A member, by the order in the archive. The name is any bytes but NUL, borrowed until the
 * archive is closed: it may be absolute or hold "..", and is no path to write to. */
struct ss_source_member {
    const char *name; /* terminated */
    size_t n_name;
    uint64_t n_bytes;
    ss_source_tar_kind kind; /* of a zip: file or link */
};
size_t ss_source_archive_n(const struct ss_source_archive *archive);
struct ss_source_member ss_source_archive_at(const struct ss_source_archive *archive,
                                             size_t index);

/* The members of a tar; NULL: it is a zip. */
const struct ss_source_tar *ss_source_archive_tar(const struct ss_source_archive *archive);

/* Open a member as an input that is read in order; `name` is for messages and is copied. The
 * archive outlives the input. Of a link, a folder or a sparse member the content is not that of
 * a file: callers look at the kind first. Errors: SS_E_LIMIT (a zip entry that grows beyond
 * belief), SS_E_NOMEM; while reading SS_E_DATA. */
SS_MUST_USE ss_status ss_source_archive_open_member(const struct ss_source_archive *archive,
                                                    size_t index, const char *name,
                                                    struct ss_source_input *out, ss_err *err);

#endif
