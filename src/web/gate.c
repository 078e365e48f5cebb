/* The gate: request line, headers, who may ask. What may pass, and why so little, is in
 * gate.h.
 *
 * The order of the checks is part of the design. First the form, byte by byte, so that
 * nothing below sees a request that two parsers could read in two ways. Then the Host, which
 * must be this server's own name and port: a page elsewhere that makes a browser resolve its
 * name to this machine (DNS rebinding) is told by it. Then the Origin, so that another page
 * cannot ask in the user's name. Only then a token, compared without telling by time how much
 * of it was right. A request that fails says why in one line and reaches no handler. */
#include "web/gate.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/utf8.h"

enum { MAX_HEADERS = 64, MAX_TARGET = 2048, MAX_BODY_DIGITS = 7, HOST_BYTES = 32 };

/* ---- bytes ---- */

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token(struct ss_text text)
{
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (!is_letter(text.data[i]) && !is_digit(text.data[i]) &&
            !is_one_of(text.data[i], "!#$%&'*+-.^_`|~")) {
            return false;
        }
    }
    return text.n_bytes > 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_text(struct ss_text text, const char *word)
{
    return text.n_bytes == strlen(word) && memcmp(text.data, word, text.n_bytes) == 0;
}

static bool is_name(struct ss_text text, const char *name)
{
    size_t i = 0;
    while (i < text.n_bytes && name[i] != '\0' && lower(text.data[i]) == name[i]) {
        i++;
    }
    return i == text.n_bytes && name[i] == '\0';
}

static struct ss_text strip(struct ss_text text)
{
    while (text.n_bytes > 0 && is_one_of(text.data[0], " \t")) {
        text.data++;
        text.n_bytes--;
    }
    while (text.n_bytes > 0 && is_one_of(text.data[text.n_bytes - 1], " \t")) {
        text.n_bytes--;
    }
    return text;
}

bool ss_web_equal_secret(const char *a, const char *b, size_t n_bytes)
{
    unsigned char differs = 0;
    for (size_t i = 0; i < n_bytes; i++) {
        differs = (unsigned char)(differs | (a[i] ^ b[i]));
    }
    return differs == 0;
}

size_t ss_web_head_bytes(const char *data, size_t n_bytes)
{
    const char *end = n_bytes == 0 ? NULL : memmem(data, n_bytes, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end - data) + 4;
}

/* ---- the request line ---- */

static bool take_line(struct ss_text *rest, struct ss_text *line)
{
    const char *end = memmem(rest->data, rest->n_bytes, "\r\n", 2);
    if (end == NULL) {
        return false;
    }
    *line = (struct ss_text){rest->data, (size_t)(end - rest->data)};
    rest->data = end + 2;
    rest->n_bytes -= line->n_bytes + 2;
    return true;
}

static bool take_word(struct ss_text *line, struct ss_text *word)
{
    const char *end = line->n_bytes == 0 ? NULL : memchr(line->data, ' ', line->n_bytes);
    if (end == NULL) {
        return false;
    }
    *word = (struct ss_text){line->data, (size_t)(end - line->data)};
    line->data = end + 1;
    line->n_bytes -= word->n_bytes + 1;
    return true;
}

/* A path of plain bytes whose parts are names: no escapes, no "//", no "." or "..". */
static bool is_path(struct ss_text path)
{
    if (path.n_bytes == 0 || path.data[0] != '/') {
        return false;
    }
    for (size_t i = 0; i < path.n_bytes; i++) {
        const char c = path.data[i];
        const bool after_slash = i > 0 && path.data[i - 1] == '/';
        if (!is_letter(c) && !is_digit(c) && !is_one_of(c, "/._-")) {
            return false;
        }
        if (after_slash && (c == '/' || c == '.')) {
            return false;
        }
    }
    return true;
}

static bool is_query(struct ss_text query)
{
    for (size_t i = 0; i < query.n_bytes; i++) {
        if (query.data[i] <= ' ' || query.data[i] >= 0x7F || query.data[i] == '#') {
            return false;
        }
    }
    return true;
}

static int read_target(struct ss_text target, struct ss_web_request *out, const char **why)
{
    const char *mark = target.n_bytes == 0 ? NULL : memchr(target.data, '?', target.n_bytes);
    out->path = target;
    if (mark != NULL) {
        out->path.n_bytes = (size_t)(mark - target.data);
        out->query = (struct ss_text){mark + 1, target.n_bytes - out->path.n_bytes - 1};
    }
    if (target.n_bytes > MAX_TARGET) {
        *why = "The target is longer than 2048 bytes.";
        return 414;
    }
    if (!is_path(out->path) || !is_query(out->query)) {
        *why = "The target is no plain path.";
        return 400;
    }
    out->is_api = out->path.n_bytes >= 5 && memcmp(out->path.data, "/api/", 5) == 0;
    return 0;
}

static int read_request_line(struct ss_text line, struct ss_web_request *out, const char **why)
{
    static const char *const methods[] = {"GET", "HEAD", "POST"};
    struct ss_text method = {0}, target = {0};
    *why = "The request line is none of HTTP/1.1.";
    if (!take_word(&line, &method) || !take_word(&line, &target) || !is_token(method)) {
        return 400;
    }
    if (!is_text(line, "HTTP/1.1")) {
        return is_text(line, "HTTP/1.0") || is_text(line, "HTTP/2.0") ? 505 : 400;
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (is_text(method, methods[i])) {
            out->method = (ss_web_method)i;
            return read_target(target, out, why);
        }
    }
    *why = "Only GET, HEAD and POST are known.";
    return 405;
}

/* ---- headers ---- */

typedef enum header_id {
    HOST,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    ORIGIN,
    SITE,
    AUTHORIZATION,
    NONE_MATCH,
    N_READ,
    TRANSFER_ENCODING = N_READ, /* from here on: refused */
    EXPECT,
    UPGRADE,
    N_HEADERS
} header_id;

static const char *const header_names[N_HEADERS] = {
    [HOST] = "host",
    [CONTENT_LENGTH] = "content-length",
    [CONTENT_TYPE] = "content-type",
    [ORIGIN] = "origin",
    [SITE] = "sec-fetch-site",
    [AUTHORIZATION] = "authorization",
    [NONE_MATCH] = "if-none-match",
    [TRANSFER_ENCODING] = "transfer-encoding",
    [EXPECT] = "expect",
    [UPGRADE] = "upgrade",
};

struct headers {
    struct ss_text values[N_READ]; /* data NULL: not there */
};

static bool is_value(struct ss_text value)
{
    for (size_t i = 0; i < value.n_bytes; i++) {
        const unsigned char c = (unsigned char)value.data[i];
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            return false;
        }
    }
    return true;
}

static int read_header(struct ss_text line, struct headers *headers, const char **why)
{
    const char *colon = line.n_bytes == 0 ? NULL : memchr(line.data, ':', line.n_bytes);
    const struct ss_text name = {line.data, colon == NULL ? 0 : (size_t)(colon - line.data)};
    *why = "A header is malformed.";
    if (!is_token(name)) {
        return 400;
    }
    const struct ss_text value =
        strip((struct ss_text){colon + 1, line.n_bytes - name.n_bytes - 1});
    if (!is_value(value)) {
        return 400;
    }
    for (size_t id = 0; id < N_HEADERS; id++) {
        if (!is_name(name, header_names[id])) {
            continue;
        }
        if (id >= N_READ || headers->values[id].data != NULL) {
            *why = id >= N_READ ? "A header asks for what is not done here."
                                : "A header is there twice.";
            return id == EXPECT ? 417 : id == TRANSFER_ENCODING ? 501 : 400;
        }
        headers->values[id] = value;
    }
    return 0;
}

static int read_headers(struct ss_text rest, struct headers *headers, const char **why)
{
    for (size_t n = 0; n <= MAX_HEADERS; n++) {
        struct ss_text line = {0};
        if (!take_line(&rest, &line)) {
            *why = "The head has no end.";
            return 400;
        }
        if (line.n_bytes == 0) {
            *why = "Something stands behind the head.";
            return rest.n_bytes == 0 ? 0 : 400;
        }
        const int refused = read_header(line, headers, why);
        if (refused != 0) {
            return refused;
        }
    }
    *why = "There are more than 64 headers.";
    return 431;
}

/* ---- who asks ---- */

/* The names of this machine that lead here, with the port. A foreign name that resolves to this
 * machine (DNS rebinding) is none of them. */
static bool is_own_host(struct ss_text host, unsigned port)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char own[HOST_BYTES];
        ss__snprintf(own, sizeof own, "%s:%u", names[i], port);
        if (is_name(host, own)) {
            return true;
        }
    }
    return false;
}

static bool is_own_origin(struct ss_text origin, unsigned port)
{
    static const char scheme[] = "http://";
    const size_t n = sizeof scheme - 1;
    return origin.n_bytes > n && memcmp(origin.data, scheme, n) == 0 &&
           is_own_host((struct ss_text){origin.data + n, origin.n_bytes - n}, port);
}

static bool has_token(struct ss_text value, const char *token)
{
    static const char bearer[] = "Bearer ";
    const size_t n = sizeof bearer - 1;
    return value.n_bytes == n + SS_WEB_TOKEN_HEX - 1 && memcmp(value.data, bearer, n) == 0 &&
           ss_web_equal_secret(value.data + n, token, SS_WEB_TOKEN_HEX - 1);
}

static int check_api(const struct ss_web_gate_rules *rules, const struct headers *headers,
                     const struct ss_web_request *request, const char **why)
{
    const struct ss_text *values = headers->values;
    if ((values[SITE].data != NULL && !is_text(values[SITE], "same-origin")) ||
        (values[ORIGIN].data != NULL && !is_own_origin(values[ORIGIN], rules->port))) {
        *why = "Another site asks.";
        return 403;
    }
    if (request->method == SS_WEB_POST && !is_name(values[CONTENT_TYPE], "application/json")) {
        *why = "A body has to be application/json.";
        return 415;
    }
    if (!is_text(request->path, "/api/v1/session") &&
        !has_token(values[AUTHORIZATION], rules->token)) {
        *why = "The token is missing or wrong; open the link that the program printed.";
        return 401;
    }
    return 0;
}

static int read_length(const struct headers *headers, struct ss_web_request *out,
                       const char **why)
{
    const struct ss_text text = headers->values[CONTENT_LENGTH];
    const bool is_there = text.data != NULL;
    if (is_there && (text.n_bytes == 0 || text.n_bytes > MAX_BODY_DIGITS)) {
        *why = "The body is too long.";
        return text.n_bytes == 0 ? 400 : 413;
    }
    for (size_t i = 0; is_there && i < text.n_bytes; i++) {
        if (!is_digit(text.data[i])) {
            *why = "Content-Length is no number.";
            return 400;
        }
        out->n_body = out->n_body * 10 + (size_t)(text.data[i] - '0');
    }
    if (out->n_body > SS_WEB_BODY_BYTES) {
        *why = "The body is longer than 64 KiB.";
        return 413;
    }
    if (out->method == SS_WEB_POST ? !is_there : out->n_body > 0) {
        *why = out->method == SS_WEB_POST ? "Content-Length is missing."
                                          : "This method has no body.";
        return out->method == SS_WEB_POST ? 411 : 400;
    }
    return 0;
}

int ss_web_gate(const struct ss_web_gate_rules *rules, const char *head, size_t n_bytes,
                struct ss_web_request *out, const char **why)
{
    struct ss_text rest = {head, n_bytes}, line = {0};
    struct headers headers = {{{NULL, 0}}};
    *out = (struct ss_web_request){.path = {head, 0}, .query = {head, 0}};
    *why = "";
    if (n_bytes > SS_WEB_HEAD_BYTES) {
        *why = "The head is longer than 8 KiB.";
        return 431;
    }
    if (!take_line(&rest, &line)) {
        *why = "There is no request line.";
        return 400;
    }
    int refused = read_request_line(line, out, why);
    refused = refused == 0 ? read_headers(rest, &headers, why) : refused;
    if (refused == 0 && (headers.values[HOST].data == NULL ||
                         !is_own_host(headers.values[HOST], rules->port))) {
        *why = "The Host is none of this server.";
        refused = headers.values[HOST].data == NULL ? 400 : 421;
    }
    refused = refused == 0 ? read_length(&headers, out, why) : refused;
    if (refused == 0 && out->method == SS_WEB_POST && !out->is_api) {
        *why = "Pages take no POST.";
        refused = 405;
    }
    refused = refused == 0 && out->is_api ? check_api(rules, &headers, out, why) : refused;
    if (headers.values[NONE_MATCH].data != NULL) {
        out->none_match = headers.values[NONE_MATCH];
    }
    return refused;
}

/* ---- parameters ---- */

static int hex_value(char c)
{
    return is_digit(c)                          ? c - '0'
           : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10
                                                : -1;
}

static bool decode(struct ss_text text, char value[SS_WEB_VALUE_BYTES])
{
    size_t n = 0;
    for (size_t i = 0; i < text.n_bytes; i++) {
        char c = text.data[i] == '+' ? ' ' : text.data[i];
        if (c == '%') {
            const int high = i + 2 < text.n_bytes ? hex_value(text.data[i + 1]) : -1;
            const int low = i + 2 < text.n_bytes ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return false;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7F || n + 1 >= SS_WEB_VALUE_BYTES) {
            return false;
        }
        value[n++] = c;
    }
    value[n] = '\0';
    return ss__utf8_valid_prefix(value, n) == n;
}

static int read_parameter(struct ss_text item, const char *const *names, size_t n_names,
                          char values[][SS_WEB_VALUE_BYTES], unsigned *seen, const char **why)
{
    const char *sign = item.n_bytes == 0 ? NULL : memchr(item.data, '=', item.n_bytes);
    const struct ss_text name = {item.data, sign == NULL ? 0 : (size_t)(sign - item.data)};
    for (size_t i = 0; i < n_names && sign != NULL; i++) {
        if (!is_text(name, names[i])) {
            continue;
        }
        if ((*seen >> i & 1) != 0) {
            *why = "A parameter is there twice.";
            return 400;
        }
        *seen |= 1U << i;
        *why = "The value of a parameter is malformed.";
        return decode((struct ss_text){sign + 1, item.n_bytes - name.n_bytes - 1}, values[i])
                   ? 0
                   : 400;
    }
    *why = "A parameter is not known.";
    return 400;
}

int ss_web_query(struct ss_text query, const char *const *names, size_t n_names,
                 char values[][SS_WEB_VALUE_BYTES], const char **why)
{
    unsigned seen = 0;
    for (size_t i = 0; i < n_names; i++) {
        values[i][0] = '\0';
    }
    while (query.n_bytes > 0) {
        const char *end = memchr(query.data, '&', query.n_bytes);
        const size_t n = end == NULL ? query.n_bytes : (size_t)(end - query.data);
        const int refused =
            read_parameter((struct ss_text){query.data, n}, names, n_names, values, &seen, why);
        if (refused != 0) {
            return refused;
        }
        const size_t n_taken = n + (end == NULL ? 0 : 1);
        query.data += n_taken;
        query.n_bytes -= n_taken;
    }
    return 0;
}
