/* Files as read-only memory, in three ways.
 *
 *   ss__file_load      a copy of the whole file: for small ones, and for formats whose bytes
 *                      are looked at more than once
 *   ss__file_map       a mapping: for large files whose bytes are read once, such as weights
 *   ss__file_reserve   memory as large as the file, of which those parts are there that were
 *                      asked for with ss__map_populate: for large files that are read in parts,
 *                      whose bytes are checked first and used later
 *
 * While a file is in use, others may cut it or write to it. A copy does not change by that. A
 * mapping does, and touching what was cut off raises SIGBUS: a handler that calls
 * ss_recover_fault puts zeros there, so that the reader goes on, and ss__map_check tells what
 * happened before anything that was made of them is given out. So bytes of a mapping are
 * numbers or are checked where they are used, and are never checked once and trusted later. */
#ifndef SS_BASE_MAP_H
#define SS_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"

typedef enum ss__map_kind {
    SS__MAP_NONE,
    SS__MAP_COPY,
    SS__MAP_MAPPED,
    SS__MAP_PARTIAL
} ss__map_kind;

/* Identity and size of a file when it was opened (fstat). */
struct ss__file_facts {
    uint64_t device, inode, n_bytes;
    struct timespec modified;
};

struct ss__map {
    const uint8_t *data;
    size_t n_bytes;
    ss__map_kind kind;
    int handle;    /* descriptor + 1; 0: none */
    size_t region; /* in the table of mapped regions, + 1; 0: none */
    struct ss__file_facts facts;
};

/* Errors: SS_E_NOINPUT, SS_E_IO, SS_E_NOMEM; a folder, a device and the
 * pointer of a large-file store (lfs.h) are SS_E_DATA. Give *out
 * (ss__map_release). */
SS_MUST_USE ss_status ss__file_map(const char *path, struct ss__map *out, ss_err *err);
SS_MUST_USE ss_status ss__file_load(const char *path, struct ss__map *out, ss_err *err);
SS_MUST_USE ss_status ss__file_reserve(const char *path, struct ss__map *out, ss_err *err);
/* A mapping of a file that is open; `name` is for messages, the descriptor stays the caller's.
 */
SS_MUST_USE ss_status ss__file_map_open(int descriptor, const char *name, struct ss__map *out,
                                        ss_err *err);
/* A file that is reserved once more, whose parts come and go by themselves. Errors: as
 * ss__file_reserve. */
SS_MUST_USE ss_status ss__map_again(const struct ss__map *map, const char *name,
                                    struct ss__map *out, ss_err *err);
void ss__map_release(struct ss__map *map);

/* Have the bytes [from, from + n) of a file, which lie inside it. Bytes that are there are read
 * again. Does nothing for maps that are not in parts. `name` is for messages. Errors: SS_E_IO;
 * one that was cut too. */
SS_MUST_USE ss_status ss__map_populate(const struct ss__map *map, size_t from, size_t n,
                                       const char *name, ss_err *err);

/* Copy bytes of a file, inside it, without touching the mapping, which would make whole
 * stretches around them resident. `name` is for messages. Errors: as ss__map_populate. Threads:
 * any.
 */
SS_MUST_USE ss_status ss__map_read(const struct ss__map *map, size_t from, size_t n, void *out,
                                   const char *name, ss_err *err);

/* Whether the file is still what it was when it was opened: SS_E_IO with a message if it was
 * cut, or written to. To be called after the bytes were used. Threads: any. */
SS_MUST_USE ss_status ss__map_check(const struct ss__map *map, const char *name, ss_err *err);

/* Tell the kernel that a part of a mapping is not needed soon (madvise), so that its pages
 * leave resident memory. Of a map in parts it is gone. Parts of copies, and what lies
 * elsewhere, stay. */
void ss__map_release_pages(const struct ss__map *map, const void *data, size_t n_bytes);

/* Open a regular file for reading; errors as ss__file_map. */
SS_MUST_USE ss_status ss__open_regular(const char *path, int *descriptor,
                                       struct ss__file_facts *facts, ss_err *err);

/* Facts of an open file, or of a name; false where there is none. */
bool ss__file_facts_of(int descriptor, struct ss__file_facts *out);
bool ss__file_facts_at(const char *path, struct ss__file_facts *out);
/* The same file with the same content, as far as size and time tell. */
bool ss__file_is_same(const struct ss__file_facts *a, const struct ss__file_facts *b);

#endif
