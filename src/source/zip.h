/* The strict zip layer: a checked directory (zip.c), the content of one entry as a stream
 * (zip_reader.c), and entries as a whole (zip_content.c). */
#ifndef SS_SOURCE_ZIP_H
#define SS_SOURCE_ZIP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/stop.h"

enum { SS_SOURCE_ZIP_STORED = 0, SS_SOURCE_ZIP_DEFLATED = 8 };

/* Bytes of a file and the name it has in messages. */
struct ss_source_bytes {
    const char *file;
    const uint8_t *data;
    size_t n_bytes;
    struct ss__asking *asking; /* nullable */
};

/* An entry, as the directory and its local header agree on it. */
struct ss_source_zip_record {
    const char *name; /* terminated; a NUL inside cuts it for all but n_name */
    size_t n_name;
    uint64_t local_offset; /* of its local header */
    uint64_t n_packed, n_bytes;
    uint32_t crc32;
    unsigned flags, method;
    unsigned unix_mode;    /* 0 where the writer was no Unix */
    const uint8_t *packed; /* [n_packed] */
};

/* A checked directory over borrowed bytes; release with ss_source_zip_release. A zeroed struct
 * is empty. It does not change once it is read: threads may share it. */
struct ss_source_zip {
    struct ss_source_bytes source;
    struct ss__arena arena;
    struct ss_source_zip_record *records; /* in the order of the directory */
    size_t n;
    const struct ss_source_zip_record **by_name; /* [n] */
};

/* Whether the bytes start as an archive with or without entries does. */
bool ss_source_zip_matches(const struct ss_source_bytes *source);

/* Read and check the directory and every local header; borrows the bytes until release.
 * Refused: more than one end record, bytes that belong to no entry, headers that disagree,
 * repeated names, encryption, spanning, methods other than stored and deflated. Content is not
 * looked at. Errors: SS_E_DATA (with the offset), SS_E_UNSUPPORTED, SS_E_NOMEM; then nothing
 * needs release. */
SS_MUST_USE ss_status ss_source_zip_read(const struct ss_source_bytes *source,
                                         struct ss_source_zip *out, ss_err *err);
void ss_source_zip_release(struct ss_source_zip *zip);
/* By its whole name; NULL where there is none. Borrowed from the directory. */
const struct ss_source_zip_record *ss_source_zip_find(const struct ss_source_zip *zip,
                                                      const char *name);

/* Check size and CRC-32 of an entry's whole content, and write its first n_out bytes to `out`
 * (NULL if n_out is 0). Memory is bounded whatever the entry unpacks to. Errors: SS_E_DATA,
 * SS_E_LIMIT, SS_E_STOPPED, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_source_zip_unpack(const struct ss_source_zip *zip,
                                           const struct ss_source_zip_record *record,
                                           uint8_t *out, size_t n_out, ss_err *err);
SS_MUST_USE ss_status ss_source_zip_check_all(const struct ss_source_zip *zip, ss_err *err);

/* Zip archives as such: list and extract every entry (stored or deflated), strictly. For each
 * entry calls `fn` (nullable) with its name, size, CRC-32 and whole content. */
struct ss_source_zip_entry {
    const char *name; /* bytes of the archive, terminated */
    uint64_t n_bytes;
    uint32_t crc32;
    const uint8_t *data;
};
SS_MUST_USE ss_status ss_source_zip_each(const char *path,
                                         int (*fn)(void *user,
                                                   const struct ss_source_zip_entry *entry),
                                         void *user, struct ss__asking *asking, ss_err *err);

/* The content of one entry, unpacked as it is read. `file` is for messages and is borrowed, as
 * the archive is. A read gives up to n > 0 bytes, none only at the end; with the last bytes, or
 * before, comes SS_E_DATA if size or CRC-32 are not those declared. Errors: SS_E_DATA,
 * SS_E_LIMIT (more than a thousandfold), SS_E_NOMEM. */
struct ss_source_zip_reader;
SS_MUST_USE ss_status ss_source_zip_reader_open(const struct ss_source_zip_record *record,
                                                const char *file,
                                                struct ss_source_zip_reader **out, ss_err *err);
SS_MUST_USE ss_status ss_source_zip_reader_read(struct ss_source_zip_reader *reader, void *out,
                                                size_t n, size_t *n_read, ss_err *err);
void ss_source_zip_reader_close(struct ss_source_zip_reader *reader); /* nullable */

/* As ss_source_zip_each, over memory. */
SS_MUST_USE ss_status ss_source_zip_each_memory(
    const struct ss_source_bytes *source,
    int (*fn)(void *user, const struct ss_source_zip_entry *entry), void *user, ss_err *err);

#endif
