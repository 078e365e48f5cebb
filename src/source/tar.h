/* The members of a tar archive that lies in memory.
 *
 *   per member  header[512]   name[100] mode[8] uid[8] gid[8] size[12] mtime[12] sum[8] type[1]
 *                             link[100] magic[8] … prefix[155], numbers in octal
 *               content, filled up with zeros to 512 bytes
 *   end         two blocks of zeros (one is enough), and only zeros behind
 *
 * Understood: the old format, ustar, GNU (long names, sizes in binary) and pax (`path`,
 * `size`). Every header must have its checksum. Sparse members and links are listed as such. */
#ifndef SS_SOURCE_TAR_H
#define SS_SOURCE_TAR_H

#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

typedef enum ss_source_tar_kind {
    SS_SOURCE_TAR_FILE,
    SS_SOURCE_TAR_LINK,    /* hard or symbolic */
    SS_SOURCE_TAR_SPARSE,  /* a file with holes that are left out */
    SS_SOURCE_TAR_UNKNOWN, /* of a type that no standard knows */
    SS_SOURCE_TAR_OTHER    /* folders, devices, pipes, labels */
} ss_source_tar_kind;

/* A member: its content is a range of the archive's bytes; of a sparse one that is not the
 * file's. */
struct ss_source_tar_member {
    ss_source_tar_kind kind;
    const char *name; /* terminated; any bytes but NUL */
    const uint8_t *data;
    size_t n_bytes;
};

/* A zeroed struct is valid to release. */
struct ss_source_tar {
    struct ss_source_tar_member *members; /* in the archive's order */
    size_t n, capacity;
    struct ss__arena names;
};

/* List an archive; `file` is for messages. The bytes are borrowed until release. Errors:
 * SS_E_DATA with the offset, SS_E_LIMIT (names over 64 KiB, pax headers over 1 MiB, over
 * 4 Mi members), SS_E_UNSUPPORTED (volumes of several, names and sizes for all that follows),
 * SS_E_NOMEM; then nothing needs release. */
SS_MUST_USE ss_status ss_source_tar_read(const char *file, const uint8_t *data, size_t n_bytes,
                                         struct ss_source_tar *out, ss_err *err);
void ss_source_tar_release(struct ss_source_tar *tar);

#endif
