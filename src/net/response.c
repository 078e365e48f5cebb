/* Responses: their headers, what an error status means, and how long a server asks to wait. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/number.h"
#include "net/net_priv.h"

enum { MAX_HEADERS = 256 };

void ss_net_response_reset(struct ss_net_response *response)
{
    for (size_t i = 0; i < response->n_headers; i++) {
        ss__free((void *)(uintptr_t)response->headers[i].name); /* holds the value too */
    }
    ss__free(response->url);
    ss__free(response->location);
    response->n_headers = 0;
    response->url = NULL;
    response->location = NULL;
    response->code = 0;
    response->body.n_bytes = 0;
}

void ss_net_response_release(struct ss_net_response *response)
{
    ss_net_response_reset(response);
    ss__free(response->headers);
    ss__buf_release(&response->body);
    *response = (struct ss_net_response){0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Name and value are one allocation. */
ss_status ss_net_response_add_header(struct ss_net_response *response, const char *line,
                                     size_t n_bytes)
{
    const char *colon = memchr(line, ':', n_bytes);
    if (colon == NULL || colon == line || memchr(line, '\0', n_bytes) != NULL ||
        response->n_headers == MAX_HEADERS) {
        return SS_E_DATA;
    }
    void *headers = response->headers;
    if (!ss__grow(&headers, &response->headers_capacity, response->n_headers + 1,
                  sizeof *response->headers)) {
        return SS_E_NOMEM;
    }
    response->headers = headers;
    const char *value = colon + 1, *end = line + n_bytes;
    for (; value < end && is_blank(*value); value++) {
    }
    for (; end > value && is_blank(end[-1]); end--) {
    }
    char *copy = ss__strndup(line, (size_t)(end - line));
    if (copy == NULL) {
        return SS_E_NOMEM;
    }
    copy[colon - line] = '\0';
    response->headers[response->n_headers++] =
        (struct ss_net_header){.name = copy, .value = copy + (value - line)};
    return SS_OK;
}

const char *ss_net_header(const struct ss_net_response *response, const char *name)
{
    for (size_t i = response->n_headers; i > 0; i--) {
        if (ss__equal_ignoring_case(response->headers[i - 1].name, name)) {
            return response->headers[i - 1].value;
        }
    }
    return NULL;
}

/* Anything but digits is as good as no header. */
uint64_t ss_net_content_length(const struct ss_net_response *response)
{
    const char *text = ss_net_header(response, "Content-Length");
    uint64_t n = 0;
    return text != NULL && ss__parse_u64(text, strlen(text), &n) ? n : SS_NOWHERE;
}

/* "bytes FIRST-LAST/TOTAL", or with "*" for a total that is not known (RFC 9110, §14.4). */
bool ss_net_content_range(const struct ss_net_response *response, uint64_t *first,
                          uint64_t *last, uint64_t *total)
{
    const char *text = ss_net_header(response, "Content-Range");
    if (text == NULL || !ss__begin_alike_ignoring_case(text, "bytes ", 6)) {
        return false;
    }
    text += 6;
    const size_t n_first = strcspn(text, "-"), n_range = strcspn(text, "/");
    if (n_first >= n_range || text[n_range] != '/') {
        return false;
    }
    const char *after = text + n_range + 1;
    *total = SS_NOWHERE;
    return ss__parse_u64(text, n_first, first) &&
           ss__parse_u64(text + n_first + 1, n_range - n_first - 1, last) && *first <= *last &&
           (strcmp(after, "*") == 0 ||
            (ss__parse_u64(after, strlen(after), total) && *last < *total));
}

/* ---- error responses ---- */

/* Faults that pass by themselves: too slow, too many, and a server or gateway that is busy. */
bool ss_net_code_is_retryable(long code)
{
    return code == 408 || code == 429 || code == 500 || code == 502 || code == 503 ||
           code == 504;
}

/* Codes whose meaning says what to do; the rest are told by their class. */
static const struct {
    long code;
    ss_status status;
    const char *meaning;
} error_responses[] = {
    {401, SS_E_NOINPUT, "it asks for a login, or the one that was sent is not accepted"},
    {403, SS_E_NOINPUT, "access is not allowed"},
    {404, SS_E_NOINPUT, "there is no such thing there; check the name"},
    {408, SS_E_NETWORK, "the request took too long; try again later"},
    {410, SS_E_NOINPUT, "it has been removed"},
    {429, SS_E_NETWORK, "too many requests; try again later"},
    {451, SS_E_NOINPUT, "it is withheld for legal reasons"},
};

ss_status ss_net_check(const struct ss_net_response *response, const char *what, ss_err *err)
{
    const char *id = ss_net_header(response, "X-Request-Id");
    ss_status status = SS_E_NETWORK;
    const char *meaning = response->code >= 500 ? "the server has a fault; try again later"
                          : response->code >= 300 && response->code < 400
                              ? "it points to a URL that is not followed"
                              : "that is not the response that was expected";
    if (response->code >= 200 && response->code < 300) {
        return SS_OK;
    }
    for (size_t i = 0; i < sizeof error_responses / sizeof error_responses[0]; i++) {
        if (error_responses[i].code == response->code) {
            status = error_responses[i].status;
            meaning = error_responses[i].meaning;
        }
    }
    return ss__fail(err, status, "%.400s: the server answered %ld: %s%s%.100s%s", what,
                    response->code, meaning, id == NULL ? "" : " (request ",
                    id == NULL ? "" : id, id == NULL ? "" : ")");
}

/* ---- back-off and Retry-After ---- */

/* The number behind ";NAME" in a header such as "api";r=0;t=55. */
static bool read_parameter(const char *text, const char *name, uint64_t *value)
{
    for (const char *at = strchr(text, ';'); at != NULL; at = strchr(at + 1, ';')) {
        const char *item = at + 1 + strspn(at + 1, " ");
        if (strncmp(item, name, strlen(name)) == 0) {
            item += strlen(name);
            return ss__parse_u64(item, strspn(item, "0123456789"), value);
        }
    }
    return false;
}

/* RateLimit: "api";r=0;t=55 → 56 seconds: none are left, and the window ends in 55. */
static bool read_rate_limit(const char *text, double *seconds)
{
    uint64_t left = 1, t = 0;
    const bool is_good = read_parameter(text, "r=", &left) && read_parameter(text, "t=", &t);
    *seconds = (double)t + 1;
    return is_good && left == 0;
}

double ss_net_wait_asked(const struct ss_net_response *response)
{
    const char *ms = ss_net_header(response, "Retry-After-Ms");
    const char *after = ss_net_header(response, "Retry-After");
    double value = 0;
    if (ms != NULL && ss__parse_double(ms, strlen(ms), &value) && value >= 0) {
        return value / 1000;
    }
    if (after == NULL) {
        return -1;
    }
    if (ss__parse_double(after, strlen(after), &value)) {
        return value >= 0 ? value : -1;
    }
    const time_t when = curl_getdate(after, NULL);
    const double left = when == -1 ? -1 : difftime(when, time(NULL));
    return when != -1 && left < 0 ? 0 : left;
}

double ss_net_retry_after(const struct ss_net_response *response, double otherwise)
{
    const char *limit = ss_net_header(response, "RateLimit");
    double seconds = 0;
    if (response->code == 429 && limit != NULL && read_rate_limit(limit, &seconds)) {
        return seconds;
    }
    const bool may_ask = response->code == 429 || response->code == 503;
    const double asked = may_ask ? ss_net_wait_asked(response) : -1;
    return asked > 0 ? asked + 1 : otherwise; /* a second more: clocks are not the same */
}
