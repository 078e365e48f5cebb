/* A small server on this machine: one thread, one request a connection, every request through
 * the gate (gate.h), every connection with a deadline, whatever the other side does. */
#ifndef SS_WEB_SERVER_H
#define SS_WEB_SERVER_H

#include "base/buf.h"
#include "base/stop.h"
#include "web/gate.h"

/* An answer. A zeroed one is 200 without a body. */
struct ss_web_response {
    int status;            /* 0: 200 */
    const char *type;      /* media type; constants and what lives as long as the server */
    struct ss__buf body;   /* or: */
    struct ss_text shared; /* a body that lives as long as the server */
    const char *etag;      /* "\"…\"", NULL: none */
    bool is_busy;          /* with 503: try again */
};

/* Turn a response into a problem (RFC 9457): `detail` is a sentence, escaped here. */
void ss_web_problem(struct ss_web_response *response, int status, const char *detail);

struct ss_web_handler {
    /* Answer a request that passed the gate; its body is n_body bytes. */
    void (*answer)(void *user, const struct ss_web_request *request, struct ss_text body,
                   struct ss_web_response *response);
    void *user;
};

struct ss_web_server {
    int listener; /* + 1; 0: none */
    struct ss_web_gate_rules rules;
    struct ss_web_handler handler;
};

/* Listen on 127.0.0.1; port 0: one that is free. rules.port is set. Errors: SS_E_IO. */
SS_MUST_USE ss_status ss_web_server_open(struct ss_web_server *server, unsigned port,
                                         ss_err *err);

/* Serve until `tick`, called about ten times a second, returns false. Errors: SS_E_IO,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_web_server_run(struct ss_web_server *server, bool (*tick)(void *user),
                                        void *user, ss_err *err);
void ss_web_server_close(struct ss_web_server *server);

/* Whether an If-None-Match, a list of tags or "*", names this one. */
bool ss_web_matches(struct ss_text none_match, const char *etag);

#endif
