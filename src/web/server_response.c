/* Answers as bytes: the status, headers that every answer has, problems. */
#include <string.h>

#include "base/json_write.h"
#include "web/server_priv.h"

static const struct {
    int status;
    const char *title;
} titles[] = {
    {200, "OK"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *title_of(int status)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

/* What every answer says, errors too: run only our scripts, load from nowhere else, show in no
 * frame, guess no types, tell nobody where somebody came from. */
static const char fixed_headers[] =
    "Connection: close\r\n"
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src "
    "'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cache-Control: private, no-cache\r\n";

void ss_web_problem(struct ss_web_response *response, int status, const char *detail)
{
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    ss__put_open(&writer, NULL, '{');
    ss__put_text(&writer, "type", "about:blank");
    ss__put_text(&writer, "title", title_of(status));
    ss__put_count(&writer, "status", (uint64_t)status);
    ss__put_text(&writer, "detail", detail);
    ss__put_close(&writer, '}');
    ss__buf_add_byte(&writer.buf, '\n');
    ss__buf_release(&response->body);
    *response = (struct ss_web_response){
        .status = status, .type = "application/problem+json", .body = writer.buf};
}

static struct ss_text trim(struct ss_text tag)
{
    while (tag.n_bytes > 0 && (tag.data[0] == ' ' || tag.data[0] == '\t')) {
        tag.data++;
        tag.n_bytes--;
    }
    while (tag.n_bytes > 0 &&
           (tag.data[tag.n_bytes - 1] == ' ' || tag.data[tag.n_bytes - 1] == '\t')) {
        tag.n_bytes--;
    }
    if (tag.n_bytes > 2 && memcmp(tag.data, "W/", 2) == 0) {
        tag.data += 2;
        tag.n_bytes -= 2;
    }
    return tag;
}

bool ss_web_matches(struct ss_text none_match, const char *etag)
{
    while (none_match.n_bytes > 0) {
        const char *comma = memchr(none_match.data, ',', none_match.n_bytes);
        const size_t n = comma == NULL ? none_match.n_bytes : (size_t)(comma - none_match.data);
        const struct ss_text tag = trim((struct ss_text){none_match.data, n});
        if ((tag.n_bytes == 1 && tag.data[0] == '*') ||
            (tag.n_bytes == strlen(etag) && memcmp(tag.data, etag, tag.n_bytes) == 0)) {
            return true;
        }
        const size_t n_taken = n + (comma == NULL ? 0 : 1);
        none_match.data += n_taken;
        none_match.n_bytes -= n_taken;
    }
    return false;
}

struct ss_text ss_web_response_body(const struct ss_web_response *response)
{
    return response->shared.data != NULL
               ? response->shared
               : (struct ss_text){response->body.data, response->body.n_bytes};
}

void ss_web_add_response_head(struct ss__buf *out, const struct ss_web_response *response)
{
    const int status = response->status == 0 ? 200 : response->status;
    ss__buf_printf(out, "HTTP/1.1 %d %s\r\n", status, title_of(status));
    ss__buf_add_text(out, fixed_headers);
    if (status == 405) {
        ss__buf_add_text(out, "Allow: GET, HEAD, POST\r\n");
    }
    if (status == 401) {
        ss__buf_add_text(out, "WWW-Authenticate: Bearer\r\n");
    }
    if (response->is_busy) {
        ss__buf_add_text(out, "Retry-After: 1\r\n");
    }
    if (response->etag != NULL) {
        ss__buf_printf(out, "ETag: %s\r\n", response->etag);
    }
    if (status != 304) {
        ss__buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", response->type,
                       ss_web_response_body(response).n_bytes);
    }
    ss__buf_add_text(out, "\r\n");
}
