/* One exchange with one server. libcurl does the protocol; the loop around it is ours, so that
 * timeouts are measured in time spent waiting for the server and a stop is seen at once. A sink
 * that takes long (a disk that is slow, a reader that is not ready) is no stall of the
 * server's.
 *
 * All limits on what arrives are here: headers are counted while they come, a body in memory
 * has a most, and nothing of a response reaches a sink before its head was found sound. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "net/net_priv.h"

#define LEAST_BYTES_PER_SECOND 1024.0
enum { POLL_MS = 100, BUFFER_BYTES = 512 << 10 };

struct transfer {
    struct ss_net *net;
    const struct ss_net_request *request;
    struct ss_net_exchange *exchange;
    struct ss_net_response *response;
    struct curl_slist *headers;
    size_t n_header_bytes;
    bool has_head;       /* the headers are complete */
    bool enough;         /* the sink has what it wants */
    double waited;       /* seconds without us, since the last mark */
    uint64_t n_received; /* bytes since the last mark */
    double started;
    ss_status status; /* what a callback found wrong */
    ss_err *err;
};

/* ---- the response ---- */

/* URLs are shown without their query, which may hold a signature. */
static void fail(struct transfer *t, ss_status code, ss_net_fault fault, const char *message)
{
    char shown[SS_NET_URL_SHOWN_BYTES];
    t->status =
        ss__fail(t->err, code, "%s: %s", ss_net_url_show(t->exchange->url, shown), message);
    t->exchange->fault = fault;
}

static void fail_protocol(struct transfer *t, const char *message)
{
    fail(t, SS_E_NETWORK, SS_NET_FAULT_RETRYABLE, message);
}

/* Two lengths that differ, or a length beside a chunked body, are how requests are smuggled. */
static bool content_length_is_unambiguous(const struct ss_net_response *response)
{
    const char *length = NULL;
    bool is_chunked = false;
    for (size_t i = 0; i < response->n_headers; i++) {
        if (ss__equal_ignoring_case(response->headers[i].name, "Content-Length")) {
            const char *value = response->headers[i].value;
            if (length != NULL && strcmp(length, value) != 0) {
                return false;
            }
            length = value;
        }
        is_chunked |= ss__equal_ignoring_case(response->headers[i].name, "Transfer-Encoding");
    }
    return length == NULL || (!is_chunked && ss_net_content_length(response) != SS_NOWHERE);
}

static void check_head(struct transfer *t)
{
    const char *encoding = ss_net_header(t->response, "Content-Encoding");
    if (!content_length_is_unambiguous(t->response)) {
        fail_protocol(t, "the response's Content-Length contradicts itself; try again later");
    } else if (encoding != NULL && !ss__equal_ignoring_case(encoding, "identity") &&
               strcmp(encoding, "") != 0 && t->response->code < 300) {
        fail_protocol(t, "the response is compressed, though identity encoding was requested");
    }
}

/* A final response's headers end with an empty line; 1xx responses come before it. */
static void end_head(struct transfer *t)
{
    t->has_head = t->response->code >= 200;
    t->waited = 0;
    t->n_received = 0;
    if (t->has_head) {
        check_head(t);
    }
}

/* A new head: those of 1xx and of a proxy's tunnel come before it and are forgotten. */
static void parse_status_line(struct transfer *t, const char *line, size_t n)
{
    const char *space = memchr(line, ' ', n);
    char *url = t->response->url;
    t->response->url = NULL;
    ss_net_response_reset(t->response);
    t->response->url = url;
    for (const char *c = space; c != NULL && ++c < line + n && *c >= '0' && *c <= '9';) {
        t->response->code =
            t->response->code < 1000 ? 10 * t->response->code + (*c - '0') : 1000;
    }
}

static void take_header(struct transfer *t, const char *line, size_t n)
{
    const ss_status status = ss_net_response_add_header(t->response, line, n);
    if (status == SS_E_NOMEM) {
        t->status = ss__fail_nomem(t->err, "a header");
        t->exchange->fault = SS_NET_FAULT_PERMANENT;
    } else if (status != SS_OK) {
        fail_protocol(t, "a header of the response is malformed; try again later");
    }
}

/* libcurl gives whole lines. */
static size_t on_header(char *data, size_t size, size_t n_items, void *user)
{
    struct transfer *t = user;
    size_t n = size * n_items;
    t->n_header_bytes += n;
    if (t->n_header_bytes > SS_NET_HEADER_BYTES) {
        fail(t, SS_E_NETWORK, SS_NET_FAULT_PERMANENT,
             "the response's headers are larger than 64 KiB; this is not what was asked for");
        return 0;
    }
    while (n > 0 && (data[n - 1] == '\n' || data[n - 1] == '\r')) {
        n--;
    }
    if (t->has_head) { /* a trailer */
        return size * n_items;
    }
    if (n == 0) {
        end_head(t);
    } else if (n > 5 && strncmp(data, "HTTP/", 5) == 0) {
        parse_status_line(t, data, n);
    } else {
        take_header(t, data, n);
    }
    return t->status == SS_OK ? size * n_items : 0;
}

static bool is_good_code(long code)
{
    return code >= 200 && code < 300;
}

static void give_to_sink(struct transfer *t, const char *data, size_t n)
{
    const struct ss_net_sink *sink = t->request->sink;
    if (!t->exchange->delivered) {
        t->exchange->delivered = true;
        t->status = sink->begin == NULL ? SS_OK : sink->begin(sink->user, t->response, t->err);
    }
    if (t->status == SS_OK && n > 0) {
        t->status = sink->take(sink->user, data, n, &t->enough, t->err);
    }
    t->exchange->fault = t->status == SS_OK ? SS_NET_FAULT_NONE : SS_NET_FAULT_PERMANENT;
}

/* Of an error's page only the beginning is of use. */
static void append_to_body(struct transfer *t, const char *data, size_t n)
{
    struct ss__buf *body = &t->response->body;
    const size_t most = t->request->max_bytes == 0 ? SS_NET_BODY_BYTES : t->request->max_bytes;
    if (is_good_code(t->response->code)) {
        if (n > most - body->n_bytes) {
            fail(t, SS_E_LIMIT, SS_NET_FAULT_PERMANENT, "the response is larger than is read");
            return;
        }
    } else {
        n = ss__min_size(n, SS_NET_ERROR_BODY_BYTES - body->n_bytes);
    }
    ss__buf_add(body, data, n);
    t->status = ss__buf_check(body, t->err);
    t->exchange->fault = t->status == SS_OK ? SS_NET_FAULT_NONE : SS_NET_FAULT_PERMANENT;
}

static size_t on_body(char *data, size_t size, size_t n_items, void *user)
{
    struct transfer *t = user;
    const size_t n = size * n_items;
    t->n_received += n;
    if (t->request->sink != NULL && is_good_code(t->response->code)) {
        give_to_sink(t, data, n);
    } else {
        append_to_body(t, data, n);
    }
    return t->status == SS_OK && !t->enough ? n : 0;
}

/* ---- the request ---- */

/* The environment's HTTP_PROXY in capitals, which libcurl passes over because a web server sets
 * it for the programs it starts; those have REQUEST_METHOD. */
static const char *proxy_for(const char *url)
{
    const char *proxy = getenv("HTTP_PROXY");
    const bool applies = ss__begin_alike_ignoring_case(url, "http://", 7) &&
                         getenv("http_proxy") == NULL && getenv("REQUEST_METHOD") == NULL;
    return applies && proxy != NULL && proxy[0] != '\0' ? proxy : NULL;
}

/* Where distributions keep the certificates that all programs trust. */
static const char *const certificate_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* newer Fedora, RHEL */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/ssl/cert.pem",                                 /* Alpine */
};

/* A file of certificates that is there, or NULL where libcurl finds its own. A libcurl that
 * travels with the program (in a Python wheel) knows only the folders of the machine on which
 * it was built. */
static const char *installed_certificates(void)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    const bool says = curl->age >= CURLVERSION_SEVENTH;
    if (says && ((curl->cainfo != NULL && access(curl->cainfo, R_OK) == 0) ||
                 (curl->capath != NULL && access(curl->capath, R_OK) == 0))) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof certificate_files / sizeof certificate_files[0]; i++) {
        if (access(certificate_files[i], R_OK) == 0) {
            return certificate_files[i];
        }
    }
    return NULL;
}

static const char *certificates(void)
{
    static const char *const names[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE",
                                        "REQUESTS_CA_BUNDLE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *path = getenv(names[i]);
        if (path != NULL && path[0] != '\0') {
            return path;
        }
    }
    return installed_certificates();
}

/* A line break would be another header. */
static ss_status add_line(struct transfer *t, const char *name, const char *value)
{
    struct ss__buf line = {0};
    if (strpbrk(value, "\r\n") != NULL) {
        return ss__fail(t->err, SS_E_USAGE, "a value for the header %s holds a line break",
                        name);
    }
    ss__buf_printf(&line, "%s: %s", name, value);
    const char *text = ss__buf_text(&line);
    struct curl_slist *longer = text == NULL ? NULL : curl_slist_append(t->headers, text);
    ss__buf_release(&line);
    if (longer == NULL) {
        return ss__fail_nomem(t->err, "a request");
    }
    t->headers = longer;
    return SS_OK;
}

static ss_status add_lines(struct transfer *t)
{
    const struct ss_net_request *request = t->request;
    SS_RETURN_IF_ERROR(add_line(t, "Accept-Encoding", "identity"));
    SS_RETURN_IF_ERROR(add_line(t, "Expect", "")); /* no request before a body */
    if (request->authorization != NULL && t->exchange->send_authorization) {
        SS_RETURN_IF_ERROR(add_line(t, "Authorization", request->authorization));
    }
    for (size_t i = 0; i < request->n_headers; i++) {
        SS_RETURN_IF_ERROR(add_line(t, request->headers[i].name, request->headers[i].value));
    }
    return SS_OK;
}

static void set_method(CURL *easy, const struct ss_net_request *request)
{
    const char *method = request->method == NULL ? "GET" : request->method;
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->n_body_bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
    }
}

static double or_of_client(double of_request, double of_client)
{
    return of_request > 0 ? of_request : of_client;
}

static double connect_seconds(const struct transfer *t)
{
    return or_of_client(t->request->connect_seconds, t->net->options.connect_seconds);
}

/* libcurl's own redirects, retries and decoding stay off: they are ours. */
static void set_up(struct transfer *t)
{
    CURL *easy = t->net->easy;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_URL, t->exchange->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "saescope/" SS_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(1000 * connect_seconds(t)));
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    if (t->request->is_local && ss_net_url_is_loopback(t->exchange->url)) {
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    } else if (proxy_for(t->exchange->url) != NULL) {
        curl_easy_setopt(easy, CURLOPT_PROXY, proxy_for(t->exchange->url));
    }
    if (certificates() != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, certificates());
    }
    set_method(easy, t->request);
}

/* ---- timeouts ---- */

/* Called while waiting; the stop comes first, since it is asked for by somebody. */
static void check_timeouts(struct transfer *t)
{
    const struct ss_net_options *options = &t->net->options;
    const double response_seconds =
        or_of_client(t->request->response_seconds, options->response_seconds);
    const double stall_seconds =
        or_of_client(t->request->stall_seconds, options->stall_seconds);
    char message[128], shown[SS_NET_URL_SHOWN_BYTES];
    if (options->stop.fn != NULL && options->stop.fn(options->stop.user) != 0) {
        t->status = ss__fail(t->err, SS_E_STOPPED,
                             "stopped while reading %s; the same command goes on from there",
                             ss_net_url_show(t->exchange->url, shown));
        t->exchange->fault = SS_NET_FAULT_PERMANENT;
    } else if (t->request->whole_seconds > 0 &&
               ss__seconds_now() - t->started > t->request->whole_seconds) {
        ss__snprintf(message, sizeof message,
                     "the response was not complete within %.3g s; try again later",
                     t->request->whole_seconds);
        fail_protocol(t, message);
    } else if (!t->has_head && t->waited > connect_seconds(t) + response_seconds) {
        ss__snprintf(message, sizeof message, "no response within %.3g s; try again later",
                     response_seconds);
        fail_protocol(t, message);
    } else if (t->has_head && t->waited > stall_seconds) {
        if ((double)t->n_received < LEAST_BYTES_PER_SECOND * t->waited) {
            ss__snprintf(message, sizeof message,
                         "nearly nothing came for %.3g s; try again later", stall_seconds);
            fail_protocol(t, message);
        }
        t->waited = 0;
        t->n_received = 0;
    }
}

static CURLcode drive(struct transfer *t)
{
    CURLM *multi = t->net->multi;
    int n_running = 1, n_left = 0;
    CURLcode result = CURLE_OK;
    if (curl_multi_add_handle(multi, t->net->easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    while (t->status == SS_OK) {
        if (curl_multi_perform(multi, &n_running) != CURLM_OK || n_running == 0) {
            break;
        }
        const double before = ss__seconds_now();
        curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
        t->waited += ss__seconds_now() - before;
        check_timeouts(t);
    }
    for (const CURLMsg *message = NULL;
         (message = curl_multi_info_read(multi, &n_left)) != NULL;) {
        result = message->msg == CURLMSG_DONE ? message->data.result : result;
    }
    curl_multi_remove_handle(multi, t->net->easy);
    return result;
}

/* ---- errors ---- */

static const struct {
    CURLcode code;
    ss_net_fault fault;
    const char *message;
} faults[] = {
    {CURLE_COULDNT_RESOLVE_HOST, SS_NET_FAULT_CONNECT,
     "the host name is not known; check the network and the URL"},
    {CURLE_COULDNT_RESOLVE_PROXY, SS_NET_FAULT_CONNECT,
     "the proxy's host name is not known; check HTTPS_PROXY and HTTP_PROXY"},
    {CURLE_COULDNT_CONNECT, SS_NET_FAULT_CONNECT,
     "no connection; check the network, the URL and the proxy settings"},
    {CURLE_OPERATION_TIMEDOUT, SS_NET_FAULT_CONNECT,
     "the host did not take the connection in time; check the network"},
    {CURLE_PEER_FAILED_VERIFICATION, SS_NET_FAULT_PERMANENT,
     "the server's certificate is not trusted, so nothing was sent; behind a proxy that opens "
     "connections set SSL_CERT_FILE to its certificates"},
    {CURLE_SSL_CONNECT_ERROR, SS_NET_FAULT_RETRYABLE,
     "no secure connection could be made; check that the URL is served over https"},
    {CURLE_SSL_CACERT_BADFILE, SS_NET_FAULT_PERMANENT,
     "the file of trusted certificates cannot be read; check SSL_CERT_FILE"},
    {CURLE_PARTIAL_FILE, SS_NET_FAULT_RETRYABLE, "the connection closed before the end"},
    {CURLE_RECV_ERROR, SS_NET_FAULT_RETRYABLE, "the connection broke"},
    {CURLE_SEND_ERROR, SS_NET_FAULT_RETRYABLE, "the connection broke while asking"},
    {CURLE_GOT_NOTHING, SS_NET_FAULT_RETRYABLE, "the server closed without a response"},
    {CURLE_OUT_OF_MEMORY, SS_NET_FAULT_PERMANENT, "out of memory"},
    {CURLE_URL_MALFORMAT, SS_NET_FAULT_PERMANENT, "this is not a URL"},
    {CURLE_UNSUPPORTED_PROTOCOL, SS_NET_FAULT_RETRYABLE, "the response is not HTTP"},
};

static void explain(struct transfer *t, CURLcode result)
{
    char message[256];
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (faults[i].code == result) {
            fail(t, result == CURLE_OUT_OF_MEMORY ? SS_E_NOMEM : SS_E_NETWORK, faults[i].fault,
                 faults[i].message);
            return;
        }
    }
    snprintf(message, sizeof message, "the response is not sound: %s",
             curl_easy_strerror(result));
    fail_protocol(t, message);
}

/* A body without a byte never came to the sink. */
static void end_body(struct transfer *t)
{
    if (t->request->sink != NULL && is_good_code(t->response->code) &&
        !t->exchange->delivered) {
        give_to_sink(t, "", 0);
    }
}

ss_status ss_net_transfer(struct ss_net *net, const struct ss_net_request *request,
                          struct ss_net_exchange *exchange, struct ss_net_response *response,
                          ss_err *err)
{
    struct transfer t = {.net = net,
                         .request = request,
                         .exchange = exchange,
                         .response = response,
                         .started = ss__seconds_now(),
                         .err = err};
    exchange->fault = SS_NET_FAULT_NONE;
    exchange->delivered = false;
    ss_net_response_reset(response);
    response->url = ss__strdup(exchange->url);
    t.status = response->url == NULL ? ss__fail_nomem(err, "a URL") : add_lines(&t);
    if (t.status != SS_OK) {
        exchange->fault = SS_NET_FAULT_PERMANENT;
        goto out;
    }
    set_up(&t);
    const CURLcode result = drive(&t);
    if (t.status == SS_OK && result != CURLE_OK && !t.enough) {
        explain(&t, result);
    } else if (t.status == SS_OK && !t.has_head) {
        fail_protocol(&t, "the server closed without a response");
    } else if (t.status == SS_OK) {
        end_body(&t);
    }
out:
    curl_slist_free_all(t.headers);
    return t.status;
}
