/* Text of other encodings as UTF-8: a stream over a stream, by the C library's iconv.
 *
 * Names are those that Python knows ("latin-1", "cp1252", "utf-16", "gbk"); those whose tables
 * in the C library differ from Python's are refused. */
#ifndef SS_SOURCE_DECODE_H
#define SS_SOURCE_DECODE_H

#include "source/stream.h"

/* What becomes of bytes that are none of the encoding. */
typedef enum ss_source_decode_errors {
    SS_SOURCE_DECODE_STRICT, /* the row is a bad one */
    SS_SOURCE_DECODE_REPLACE,
    SS_SOURCE_DECODE_IGNORE
} ss_source_decode_errors;

/* What bytes become that are none of the encoding, unless they are replaced or left out: a byte
 * that is never one of UTF-8, so that the row it is in is known. */
enum { SS_SOURCE_UNDECODABLE = 0xFF };

/* Whether an encoding is UTF-8 by its name, with or without a byte order mark: then nothing is
 * decoded, and the text is checked as it is read. */
bool ss_source_encoding_is_utf8(const char *encoding);

/* Put a decoder before a stream from which nothing was taken; *stream becomes the decoded one
 * and owns the other. Compression below it is undone first, as in Python's open. Errors:
 * SS_E_UNSUPPORTED (an encoding that is not known), SS_E_NOMEM; *stream may be closed then. */
SS_MUST_USE ss_status ss_source_decode_stream(struct ss_source_stream *stream,
                                              const char *encoding,
                                              ss_source_decode_errors errors, ss_err *err);

#endif
