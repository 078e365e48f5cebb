/* HTTP as this library speaks it: one client, requests with a policy, files read by range.
 *
 *   ss_net          a client: connections, timeouts, retries; what a user's environment asks
 *   ss_net_send     one request and its response, in memory or into a sink
 *   ss_net_remote   a file on a server, read by range; it resumes where a connection breaks
 *   ss_net_url_*        URLs: quoting, origins, joining
 *
 * Policy, the same for every request:
 *
 * - Schemes: http and https; a redirect never goes from https to http. Certificates are
 *   verified. Proxies of the environment are used.
 * - Secrets: `authorization` is sent to the origin (scheme, host, port) of the request's own
 *   URL and never to another one that a redirect names.
 * - Redirects: at most 20, of which at most 5 to another origin; a POST follows none.
 * - Retries: after 408, 429, 500, 502, 503, 504 and broken connections, n_tries in all, 1 s
 *   doubling to 8 s with jitter, or as Retry-After or RateLimit ask.
 * - Timeouts: connect_seconds to connect, response_seconds to the end of the headers, and then
 *   stall_seconds without at least 1 KiB/s; there is no limit on the whole.
 * - Limits: 64 KiB of headers; bodies in memory as the request says.
 * - Content comes as it is ("identity"): a response with another encoding is refused.
 *
 * A server is not trusted: every header is bounded, parsed strictly and checked by its user. */
#ifndef SS_NET_NET_H
#define SS_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

/* ---- client ---- */

struct ss_net;

/* Asked about ten times a second while a request runs or waits; other than 0 ends it with
 * SS_E_STOPPED. `fn` may be NULL. Called from the thread that uses the client. */
struct ss_net_stop {
    int (*fn)(void *user);
    void *user;
};

struct ss_net_options {
    bool offline;            /* every request fails with SS_E_NETWORK without a connection */
    size_t n_tries;          /* 0: 6 */
    double retry_seconds;    /* before the second try; 0: 1 */
    double connect_seconds;  /* 0: 10 */
    double response_seconds; /* 0: 30 */
    double stall_seconds;    /* 0: 30 */
    struct ss_log log;       /* is told about waits of more than a few seconds */
    struct ss_net_stop stop;
    struct ss_progress_callback progress; /* of downloaded files (download.h) */
};

/* Options from the environment: HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE or SAESCOPE_OFFLINE (no
 * network), HF_HUB_DOWNLOAD_TIMEOUT (stall and response), SAESCOPE_NET_TRIES,
 * SAESCOPE_NET_RETRY_SECONDS and SAESCOPE_NET_STALL_SECONDS (stall, response, and where it is
 * shorter, connect). Values that make no sense are passed over. Threads: any. */
struct ss_net_options ss_net_options_from_environment(void);

/* The environment's way to say yes: 1, ON, YES or TRUE in any case. False where it is unset. */
bool ss_net_env_is_true(const char *name);

/* Make a client. Gives *out. Errors: SS_E_NOMEM.
 * Threads: one thread at a time; a second thread takes a client of its own, made from the same
 * options. */
SS_MUST_USE ss_status ss_net_new(const struct ss_net_options *options, struct ss_net **out,
                                 ss_err *err);
void ss_net_free(struct ss_net *net);

/* What the client works by, defaults filled in; lives as long as it does. */
const struct ss_net_options *ss_net_options_of(const struct ss_net *net);

/* ---- requests ---- */

struct ss_net_header {
    const char *name, *value;
};

typedef enum ss_net_follow {
    SS_NET_FOLLOW_ALL,    /* any redirect that the policy allows */
    SS_NET_FOLLOW_ORIGIN, /* only to the same origin, or to one of `origins` */
    SS_NET_FOLLOW_NONE
} ss_net_follow;

struct ss_net_response;

/* Where the body of a 2xx response goes while it arrives. `begin` (may be NULL) is called once
 * before the first byte, also for an empty body; `take` with each part. What they return ends
 * the request, which then returns it, with their error. `take` may set *enough: the rest is
 * not read and the request succeeds. Time spent in them does not count towards any timeout.
 */
struct ss_net_sink {
    ss_status (*begin)(void *user, const struct ss_net_response *response, ss_err *err);
    ss_status (*take)(void *user, const void *data, size_t n_bytes, bool *enough, ss_err *err);
    void *user;
};

struct ss_net_request {
    const char *method; /* NULL: GET; else "HEAD" or "POST" */
    const char *url;    /* absolute, quoted */
    const struct ss_net_header *headers;
    size_t n_headers;
    const char *authorization; /* value of that header; NULL: none */
    const void *body;          /* of a POST */
    size_t n_body_bytes;
    ss_net_follow follow;
    const char *const *origins; /* URLs, ends at NULL; NULL: none */
    double connect_seconds;     /* these four: 0: the client's */
    double response_seconds;    /* to the end of the headers */
    double stall_seconds;
    size_t n_tries;
    double whole_seconds; /* of all of it; 0: no limit */
    bool is_local;        /* where the URL's host is this machine, it is asked in offline
                                       mode, too, and never through a proxy */
    bool *can_retry;      /* nullable: set on errors, whether a later try may do better */
    size_t max_bytes;     /* of a body in memory; 0: 16 MiB */
    const struct ss_net_sink *sink; /* NULL: the body comes with the response */
};

/* A response, also one with an error status. A zeroed struct is valid to release. */
struct ss_net_response {
    long code;      /* 200, 404, ... */
    char *url;      /* the last that was asked, after redirects */
    char *location; /* absolute; of a redirect that was not followed, else NULL */
    struct ss_net_header *headers;
    size_t n_headers, headers_capacity;
    struct ss__buf body; /* without a sink; of an error response the first 64 KiB */
};

/* Send a request and receive its response.
 *
 * Success   a response came, whatever its code: see ss_net_check. With a sink, `begin` and
 *           `take` ran only if the code is 2xx.
 * Retries   as the policy says; with a sink never after its first byte (ss_net_remote
 *           resumes). A POST is repeated too: send queries only.
 * Errors    SS_E_NETWORK (offline, unreachable, certificate, stall, broken, against the
 *           protocol or the policy), SS_E_LIMIT (body larger than max_bytes), SS_E_STOPPED,
 *           SS_E_USAGE (not a URL), SS_E_NOMEM, and those of the sink; on error the
 *           response is empty
 * Threads   the client's */
SS_MUST_USE ss_status ss_net_send(struct ss_net *net, const struct ss_net_request *request,
                                  struct ss_net_response *response, ss_err *err);
void ss_net_response_release(struct ss_net_response *response);

/* Value of a header by its name in any case, or NULL. Of several the last. */
const char *ss_net_header(const struct ss_net_response *response, const char *name);

/* SS_OK for a 2xx response. Else SS_E_NOINPUT (401, 403, 404, 410, 451) or SS_E_NETWORK, with a
 * sentence that names `what` was asked for, the code, and the server's X-Request-Id. */
SS_MUST_USE ss_status ss_net_check(const struct ss_net_response *response, const char *what,
                                   ss_err *err);

/* Whether a code is one of those that a later try may not see again. */
bool ss_net_code_is_retryable(long code);

/* Seconds that a response asks to wait before the next try; `otherwise` where it asks nothing.
 */
double ss_net_retry_after(const struct ss_net_response *response, double otherwise);

/* Seconds that retry-after-ms or Retry-After (seconds, also with a fraction, or a date) say;
 * below 0 where there is neither. */
double ss_net_wait_asked(const struct ss_net_response *response);

/* The pause before try number n (1: after the first failure), with jitter. */
double ss_net_backoff(const struct ss_net *net, size_t n);

/* Sleep, awake for the client's stop. Errors: SS_E_STOPPED; SS_E_NETWORK when it is longer than
 * five minutes. */
SS_MUST_USE ss_status ss_net_sleep(struct ss_net *net, double seconds, ss_err *err);

/* ---- files by range ---- */

struct ss_net_remote;

/* How to find the URL of a file: called before the first request and again when a signed
 * URL has expired (401, 403). Gives *url and *authorization (NULL: none). */
typedef ss_status (*ss_net_resolve_url)(void *user, char **url, char **authorization,
                                        ss_err *err);

struct ss_net_remote_options {
    const char *name;            /* for messages; copied */
    const char *url;             /* where it is now; NULL: locate tells. Copied */
    const char *authorization;   /* for that URL, NULL: none. Copied */
    ss_net_resolve_url locate;   /* NULL: the URL is good for ever */
    void *user;                  /* of locate */
    void (*release)(void *user); /* called with `user` when the file is freed; may be NULL */
    uint64_t n_bytes;            /* known size; SS_NOWHERE: the first response tells */
    bool needs_ranges; /* fail with SS_E_UNSUPPORTED where the server sends only whole files,
                          rather than read and drop what stands before the range */
};

/* Make a remote file. No request is sent yet. Gives *out. Errors: SS_E_NOMEM (`user` then stays
 * the caller's). The client is borrowed until the file is freed. Threads: the client's. */
SS_MUST_USE ss_status ss_net_remote_new(struct ss_net *net,
                                        const struct ss_net_remote_options *options,
                                        struct ss_net_remote **out, ss_err *err);
void ss_net_remote_free(struct ss_net_remote *remote);

/* Begin anew: what was learnt of the file is forgotten, and its URL asked for again, for a
 * reader that starts over from its first byte. */
void ss_net_remote_forget(struct ss_net_remote *remote);

/* Size of the file, asking the server if it is not known yet; SS_NOWHERE where the server does
 * not tell. Errors: as ss_net_remote_read. */
SS_MUST_USE ss_status ss_net_remote_size(struct ss_net_remote *remote, uint64_t *n_bytes,
                                         ss_err *err);

/* Read bytes in order.
 *
 * offset     within the file
 * n_bytes    exactly so many are delivered; SS_NOWHERE: up to the end of the file
 * take       as in ss_net_sink; never sees a byte twice
 * Retries    a broken connection goes on where it broke; n_tries in a row without a new byte
 *            end it
 * Errors     SS_E_DATA (the file changed on the server, or ends before the range does),
 *            SS_E_UNSUPPORTED (needs_ranges), SS_E_NOINPUT, SS_E_NETWORK, SS_E_STOPPED,
 *            SS_E_NOMEM, and those of `take` */
SS_MUST_USE ss_status ss_net_remote_read(
    struct ss_net_remote *remote, uint64_t offset, uint64_t n_bytes,
    ss_status (*take)(void *user, const void *data, size_t n_bytes, bool *enough, ss_err *err),
    void *user, ss_err *err);

/* The same into memory: out [n_bytes]. */
SS_MUST_USE ss_status ss_net_remote_read_into(struct ss_net_remote *remote, uint64_t offset,
                                              size_t n_bytes, void *out, ss_err *err);

/* ---- URLs ---- */

/* Append text with every byte quoted (%2F) but letters, digits, "-_.~" and those in `safe`. */
void ss_net_url_quote(struct ss__buf *out, const char *text, const char *safe);

/* "https://host:443" of an absolute http or https URL, in lower case; false if it is none.
 * A URL with a user name in it is none. */
enum { SS_NET_URL_ORIGIN_BYTES = 320 };
bool ss_net_url_origin(const char *url, char out[SS_NET_URL_ORIGIN_BYTES]);

/* Whether the URL's host is this machine: localhost, 127.0.0.0/8 or ::1, as it is written. */
bool ss_net_url_is_loopback(const char *url);

/* The URL that `reference` means on a page at `base`. Gives *out (ss__free), NULL if it is not
 * http or https. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_net_url_join(const char *base, const char *reference, char **out,
                                      ss_err *err);

#endif
