/* Bytes of an input in order, decompressed on the way, seen through a window that
 * grows only as far as one row needs.
 *
 * gzip (several members, BGZF), zstd and lz4 (several frames), bzip2 and xz (several streams)
 * are known by their first bytes. Damaged or truncated data is SS_E_DATA and names the file. */
#ifndef SS_SOURCE_STREAM_H
#define SS_SOURCE_STREAM_H

#include "base/error.h"
#include "base/file.h"
#include "source/input.h"

struct ss_source_stream_state;

/* The window: `data` [n_bytes], which readers look at and take from. A zeroed struct is
 * closed. */
struct ss_source_stream {
    const char *name; /* for messages */
    const char *data; /* bytes that are here and not taken; valid until ss_source_stream_more */
    size_t n_bytes;
    uint64_t offset; /* of data[0] in the decompressed bytes */
    bool at_end;     /* nothing comes after these bytes */
    struct ss_source_stream_state *state;
    struct ss_source_halt *halt; /* nullable, borrowed */
};

/* Open a path, or "-" for standard input, which stays open after closing. `path` is copied. A
 * named pipe that nobody writes to yet is waited for when it is read.
 * Errors: SS_E_NOINPUT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_source_stream_open(const char *path, struct ss_source_halt *halt,
                                            struct ss_source_stream *out, ss_err *err);

/* How a regular file was when it was opened; NULL for everything else. */
const struct ss__file_facts *ss_source_stream_facts(const struct ss_source_stream *stream);

/* At the end of the bytes: SS_E_IO if a regular file has become shorter than what it was. */
SS_MUST_USE ss_status ss_source_stream_check_end(const struct ss_source_stream *stream,
                                                 ss_err *err);

/* Read from memory that outlives the stream, decompressing as a file would be. */
SS_MUST_USE ss_status ss_source_stream_open_memory(const char *name, const void *data,
                                                   size_t n_bytes, struct ss_source_stream *out,
                                                   ss_err *err);

/* Read an input, which is taken, on errors too. */
SS_MUST_USE ss_status ss_source_stream_open_input(struct ss_source_input *input,
                                                  struct ss_source_stream *out, ss_err *err);
void ss_source_stream_close(struct ss_source_stream *stream);

/* Make more bytes visible behind those that are there, or set at_end.
 * Errors: SS_E_IO, SS_E_DATA (damaged), SS_E_LIMIT (a window above SS_SOURCE_MAX_WINDOW_BYTES,
 * or a compressed file that grows beyond belief), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_source_stream_more(struct ss_source_stream *stream, ss_err *err);

/* As ss_source_stream_more until n_bytes are visible or the end is. */
SS_MUST_USE ss_status ss_source_stream_need(struct ss_source_stream *stream, size_t n_bytes,
                                            ss_err *err);

/* Give up the first n_bytes of the window; they stay in memory until ss_source_stream_more. */
void ss_source_stream_take(struct ss_source_stream *stream, size_t n_bytes);

/* Take the byte order mark of UTF-8, if the stream begins with it. */
SS_MUST_USE ss_status ss_source_stream_skip_mark(struct ss_source_stream *stream, ss_err *err);

/* How far reading is in the bytes as they are stored, and how many these are: of a regular
 * file, standard input that is one, or memory; 0 where that is not known. */
uint64_t ss_source_stream_position(const struct ss_source_stream *stream);
uint64_t ss_source_stream_size(const struct ss_source_stream *stream);

/* "gzip", "zstd", "bzip2", "xz", "lz4", or NULL for plain bytes; known after the first byte is.
 */
const char *ss_source_stream_codec(const struct ss_source_stream *stream);

/* The whole content as memory: of the file itself if it is plain and regular, else of a spooled
 * copy on disk that has no name. The stream must not have been taken from. Gives *out. The file
 * itself can be had in parts (ss__map_populate), for readers that check bytes before they use
 * them.
 */
SS_MUST_USE ss_status ss_source_stream_map(struct ss_source_stream *stream, bool in_parts,
                                           struct ss__map *out, ss_err *err);

/* Bounds of what one row may need. */
enum {
    SS_SOURCE_MAX_WINDOW_BYTES = 1 << 30, /* of a plain file */
    SS_SOURCE_MAX_WINDOW_BYTES_PACKED =
        48 << 20 /* of compressed data, so that a bomb stays small */
};

#endif
