/* What the name of a file says: whether it is remote, an archive, compressed. */
#ifndef SS_SOURCE_NAMES_H
#define SS_SOURCE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a name is that of a remote file or repository: "hf:…", "http://…", "https://…". A
 * local path that looks like one is given with "./" before it. */
bool ss_source_is_remote(const char *path);

/* The part of a URL or path that has the file's extension: without "?query#fragment". To be
 * released with ss__free; NULL when memory ran out. */
char *ss_source_file_name(const char *path);

/* Whether a name has the extension of an archive that can be read (.zip, .tar, .tar.gz, …). */
bool ss_source_is_archive_name(const char *path);

/* The same for a path, if it is that of a local file. */
bool ss_source_is_archive(const char *path);

/* Whether a name has the extension of compressed data that can be read. */
bool ss_source_is_compressed_name(const char *path);

/* The length of a name without the extension of compressed data; of `name`, not of a path. */
size_t ss_source_name_bytes(const char *name);

/* The last extension in name[0, n), without its dot; "" if there is none. */
const char *ss_source_name_extension(const char *name, size_t n, size_t *n_extension);

#endif
