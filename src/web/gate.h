/* What a request may be: the whole of HTTP that the viewer understands, judged before anything is
 * done, in one function without a socket.
 *
 * A strict subset of HTTP/1.1: GET, HEAD and POST, one request a connection, a body only by
 * Content-Length. Whatever parsers differ about is refused: a line that ends without CR, a
 * header that goes on in the next line, a space before a colon, bytes that are no text, two
 * Hosts or Content-Lengths, any Transfer-Encoding. Source: RFC 9112, docs/pages.md. */
#ifndef SS_WEB_GATE_H
#define SS_WEB_GATE_H

#include "base/error.h"

enum {
    SS_WEB_HEAD_BYTES = 8192,  /* request line and headers */
    SS_WEB_BODY_BYTES = 65536, /* most of a body */
    SS_WEB_TOKEN_HEX = 65      /* 32 bytes in hexadecimal, terminated */
};

typedef enum ss_web_method { SS_WEB_GET, SS_WEB_HEAD, SS_WEB_POST } ss_web_method;

/* A request that passed. Texts are views into its head. */
struct ss_web_request {
    ss_web_method method;
    struct ss_text path;       /* "/api/v1/run", of bytes that need no escape */
    struct ss_text query;      /* behind the "?", not decoded */
    struct ss_text none_match; /* If-None-Match, empty without */
    size_t n_body;
    bool is_api; /* below /api/ */
};

struct ss_web_gate_rules {
    unsigned port;
    const char *token; /* [SS_WEB_TOKEN_HEX] */
};

/* Bytes of the head, its empty line included; 0: it is not whole yet. */
size_t ss_web_head_bytes(const char *data, size_t n_bytes);

/* Judge a whole head of n_bytes. Returns 0 and fills `out`, or the status to refuse it with; *why
 * is then a sentence for it, a constant. Nothing of the request is in either. */
int ss_web_gate(const struct ss_web_gate_rules *rules, const char *head, size_t n_bytes,
                struct ss_web_request *out, const char **why);

/* Whether two texts of n bytes are equal, in a time that does not depend on where they differ. */
bool ss_web_equal_secret(const char *a, const char *b, size_t n_bytes);

/* ---- parameters ---- */

enum { SS_WEB_MAX_PARAMETERS = 16, SS_WEB_VALUE_BYTES = 512 };

/* Read a query into the values of `names` [n_names ≤ 16]: decoded, terminated, valid UTF-8
 * without control characters; "" where it is not there. Returns 0, or 400 with *why. */
int ss_web_query(struct ss_text query, const char *const *names, size_t n_names,
                 char values[][SS_WEB_VALUE_BYTES], const char **why);

#endif
