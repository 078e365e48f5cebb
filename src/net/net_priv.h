/* What the files of the HTTP client share. */
#ifndef SS_NET_NET_PRIV_H
#define SS_NET_NET_PRIV_H

#include <curl/curl.h>

#include "base/stop.h"
#include "net/net.h"

enum {
    SS_NET_HEADER_BYTES = 64 << 10,     /* of all headers of an exchange */
    SS_NET_ERROR_BODY_BYTES = 64 << 10, /* kept of a body that comes with an error response */
    SS_NET_BODY_BYTES = 16 << 20,       /* default of ss_net_request.max_bytes */
    SS_NET_MAX_REDIRECTS = 20,
    SS_NET_MAX_FOREIGN_REDIRECTS = 5
};

struct ss_net {
    struct ss_net_options options;
    CURLM *multi; /* keeps the connections */
    CURL *easy;
};

/* What a failed exchange means for another try. */
typedef enum ss_net_fault {
    SS_NET_FAULT_NONE,
    SS_NET_FAULT_CONNECT,   /* no connection: tried again less often */
    SS_NET_FAULT_RETRYABLE, /* broken on the way */
    SS_NET_FAULT_PERMANENT  /* certificate, protocol, sink, limit, stop */
} ss_net_fault;

/* One request to one server and its response: no redirects, no retries.
 * `send_authorization` is false behind a redirect to another origin. *fault tells the kind of
 * an error, *delivered whether the sink was called. */
struct ss_net_exchange {
    const char *url;
    bool send_authorization;
    ss_net_fault fault;
    bool delivered;
};
SS_MUST_USE ss_status ss_net_transfer(struct ss_net *net, const struct ss_net_request *request,
                                      struct ss_net_exchange *exchange,
                                      struct ss_net_response *response, ss_err *err);

/* One try of a request, with the redirects it leads to. */
SS_MUST_USE ss_status ss_net_try(struct ss_net *net, const struct ss_net_request *request,
                                 struct ss_net_exchange *exchange,
                                 struct ss_net_response *response, ss_err *err);

/* Whether a fault is worth another try after n_tries of them. */
bool ss_net_fault_is_retryable(ss_net_fault fault, size_t n_tries);

/* Fails with SS_E_NETWORK in offline mode. */
SS_MUST_USE ss_status ss_net_need_online(const struct ss_net *net, const char *what,
                                         ss_err *err);

/* Empty a response but keep its memory. */
void ss_net_response_reset(struct ss_net_response *response);

/* Add a header line "Name: value" (without its end). Errors: SS_E_DATA (it is none), SS_E_NOMEM; no
 * message. */
SS_MUST_USE ss_status ss_net_response_add_header(struct ss_net_response *response,
                                                 const char *line, size_t n_bytes);

/* Content-Range "bytes first-last/total" of a response; *total is SS_NOWHERE for "*". False if
 * there is none or it makes no sense. */
bool ss_net_content_range(const struct ss_net_response *response, uint64_t *first,
                          uint64_t *last, uint64_t *total);

/* Content-Length, or SS_NOWHERE. */
uint64_t ss_net_content_length(const struct ss_net_response *response);

/* A URL for messages, without what follows '?': a signed URL is a secret while it is
 * good. Returns `out`. */
enum { SS_NET_URL_SHOWN_BYTES = 400 };
const char *ss_net_url_show(const char *url, char out[SS_NET_URL_SHOWN_BYTES]);

/* Seconds of a clock that only goes forward. */

#endif
