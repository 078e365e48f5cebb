/* A file on a server, read by range.
 *
 * A range is read in one request as long as all goes well. When the connection breaks, the next
 * request asks for the rest; every response must tell the same size and the same ETag as the
 * first, or the file has changed and what came so far is worth nothing. A server that ignores
 * ranges sends the whole file; what was seen before is then passed over. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

enum { MAX_RELOCATIONS = 2 }; /* in a row, without a byte between them */

/* What was learnt of the file (etag, size) stays from request to request, to notice a
 * change. */
struct ss_net_remote {
    struct ss_net *net;
    char *name, *url, *authorization, *etag;
    bool is_located;
    ss_net_resolve_url locate;
    void *user;
    void (*release)(void *user);
    uint64_t n_bytes, n_bytes_told; /* as far as known; as its user said */
    bool needs_ranges;
};

typedef ss_status (*take_fn)(void *user, const void *data, size_t n_bytes, bool *enough,
                             ss_err *err);

/* A range while it is read. */
struct reading {
    struct ss_net_remote *remote;
    uint64_t at, end; /* the next byte; the end, SS_NOWHERE while it is not known */
    uint64_t n_skip;  /* bytes of this response that stand before `at` */
    bool is_done;
    take_fn take;
    void *user;
};

static ss_status keep_text(const char *text, char **out, ss_err *err)
{
    *out = text == NULL ? NULL : ss__strdup(text);
    return text != NULL && *out == NULL ? ss__fail_nomem(err, "a URL") : SS_OK;
}

ss_status ss_net_remote_new(struct ss_net *net, const struct ss_net_remote_options *options,
                            struct ss_net_remote **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_remote *remote = NULL;
    *out = NULL;
    SS_ALLOC(remote, 1);
    remote->net = net;
    remote->locate = options->locate;
    remote->user = options->user;
    remote->n_bytes = remote->n_bytes_told = options->n_bytes;
    remote->needs_ranges = options->needs_ranges;
    remote->is_located = options->url != NULL;
    SS_TRY(keep_text(options->name, &remote->name, err));
    SS_TRY(keep_text(options->url, &remote->url, err));
    SS_TRY(keep_text(options->authorization, &remote->authorization, err));
    remote->release = options->release;
    *out = remote;
    remote = NULL;
out:
    ss_net_remote_free(remote);
    return status;
}

/* The next request asks where the file is. */
static void forget_url(struct ss_net_remote *remote)
{
    ss__free(remote->url);
    ss__free(remote->authorization);
    remote->url = NULL;
    remote->authorization = NULL;
    remote->is_located = false;
}

void ss_net_remote_forget(struct ss_net_remote *remote)
{
    if (remote->locate != NULL) {
        forget_url(remote);
    }
    ss__free(remote->etag);
    remote->etag = NULL;
    remote->n_bytes = remote->n_bytes_told;
}

void ss_net_remote_free(struct ss_net_remote *remote)
{
    if (remote != NULL) {
        if (remote->release != NULL) {
            remote->release(remote->user);
        }
        forget_url(remote);
        ss__free(remote->name);
        ss__free(remote->etag);
        ss__free(remote);
    }
}

/* ---- the head of a response ---- */

static ss_status changed(const struct ss_net_remote *remote, ss_err *err)
{
    return ss__fail(err, SS_E_DATA, "%.400s changed on the server while it was read; run again",
                    remote->name);
}

/* The first that is told counts; another one later is another file. */
static ss_status learn_size(struct ss_net_remote *remote, uint64_t n_bytes, ss_err *err)
{
    if (n_bytes == SS_NOWHERE) {
        return SS_OK;
    }
    if (remote->n_bytes != SS_NOWHERE && remote->n_bytes != n_bytes) {
        return ss__fail(
            err, SS_E_DATA, "%.400s has %llu bytes on the server, %llu are expected; run again",
            remote->name, (unsigned long long)n_bytes, (unsigned long long)remote->n_bytes);
    }
    remote->n_bytes = n_bytes;
    return SS_OK;
}

static ss_status learn_etag(struct ss_net_remote *remote,
                            const struct ss_net_response *response, ss_err *err)
{
    const char *etag = ss_net_header(response, "ETag");
    if (etag == NULL) {
        return SS_OK;
    }
    if (remote->etag != NULL) {
        return strcmp(remote->etag, etag) == 0 ? SS_OK : changed(remote, err);
    }
    remote->etag = ss__strdup(etag);
    return remote->etag == NULL ? ss__fail_nomem(err, "a tag") : SS_OK;
}

/* A server may send less than was asked for, but not from elsewhere. */
static ss_status begin_part(struct reading *r, const struct ss_net_response *response,
                            ss_err *err)
{
    uint64_t first = 0, last = 0, total = SS_NOWHERE;
    if (!ss_net_content_range(response, &first, &last, &total) || first != r->at) {
        return ss__fail(err, SS_E_NETWORK,
                        "%.400s: the server sent another part of it than was asked for",
                        r->remote->name);
    }
    SS_RETURN_IF_ERROR(learn_size(r->remote, total, err));
    r->n_skip = 0;
    return SS_OK;
}

/* The server ignored the range: its whole file comes from byte 0 on. */
static ss_status begin_whole(struct reading *r, const struct ss_net_response *response,
                             ss_err *err)
{
    SS_RETURN_IF_ERROR(learn_size(r->remote, ss_net_content_length(response), err));
    if (r->remote->needs_ranges && (r->at > 0 || r->end != r->remote->n_bytes)) {
        return ss__fail(
            err, SS_E_UNSUPPORTED,
            "%.400s: the server sends only whole files, and this one is read in parts; "
            "download it first",
            r->remote->name);
    }
    r->n_skip = r->at;
    return SS_OK;
}

static ss_status begin(void *user, const struct ss_net_response *response, ss_err *err)
{
    struct reading *r = user;
    SS_RETURN_IF_ERROR(learn_etag(r->remote, response, err));
    SS_RETURN_IF_ERROR(response->code == 206 ? begin_part(r, response, err)
                                             : begin_whole(r, response, err));
    r->end = r->end == SS_NOWHERE ? r->remote->n_bytes : r->end;
    return SS_OK;
}

/* What a server sends beyond the range is dropped. */
static ss_status take(void *user, const void *data, size_t n_bytes, bool *enough, ss_err *err)
{
    struct reading *r = user;
    const char *bytes = data;
    bool wants_no_more = false;
    const size_t n_skip = r->n_skip < n_bytes ? (size_t)r->n_skip : n_bytes;
    r->n_skip -= n_skip;
    bytes += n_skip;
    n_bytes -= n_skip;
    if (r->end != SS_NOWHERE && n_bytes > r->end - r->at) {
        n_bytes = (size_t)(r->end - r->at);
    }
    if (n_bytes > 0) {
        r->at += n_bytes;
        const ss_status status = r->take(r->user, bytes, n_bytes, &wants_no_more, err);
        if (status != SS_OK) {
            return status;
        }
    }
    r->is_done = wants_no_more || r->at == r->end;
    *enough = r->is_done;
    return SS_OK;
}

/* ---- one request, and what comes of it ---- */

typedef enum outcome { GO_ON, TRY_LATER, RESOLVE_AGAIN, LOCATE_LATER, GIVE_UP } outcome;

static outcome judge_code(const struct ss_net_remote *remote,
                          const struct ss_net_response *response)
{
    const bool may_be_expired = response->code == 401 || response->code == 403;
    return response->code >= 200 && response->code < 300 ? GO_ON
           : ss_net_code_is_retryable(response->code)    ? TRY_LATER
           : may_be_expired && remote->locate != NULL    ? RESOLVE_AGAIN
                                                         : GIVE_UP;
}

/* 416: the range is not in the file, so it has become shorter. */
static ss_status check_code(const struct ss_net_remote *remote,
                            const struct ss_net_response *response, ss_err *err)
{
    return response->code == 416 ? changed(remote, err)
                                 : ss_net_check(response, remote->name, err);
}

/* Only where the URL is not known, or was given up. */
static ss_status locate(struct ss_net_remote *remote, ss_err *err)
{
    ss_status status = SS_OK;
    if (!remote->is_located) {
        status = remote->locate(remote->user, &remote->url, &remote->authorization, err);
        remote->is_located = status == SS_OK;
    }
    return status;
}

static void format_range(const struct reading *r, char out[64])
{
    if (r->end == SS_NOWHERE) {
        snprintf(out, 64, "bytes=%llu-", (unsigned long long)r->at);
    } else {
        snprintf(out, 64, "bytes=%llu-%llu", (unsigned long long)r->at,
                 (unsigned long long)r->end - 1);
    }
}

/* Ask for what is missing; n_tries counts the failures in a row. */
static ss_status ask(struct reading *r, size_t n_tries, outcome *next, double *wait,
                     ss_err *err)
{
    char range[64];
    struct ss_net_response response = {0};
    struct ss_net_exchange exchange = {0};
    const struct ss_net_sink sink = {begin, take, r};
    const struct ss_net_header header = {"Range", range};
    const struct ss_net_request request = {
        .url = r->remote->url,
        .headers = &header,
        .n_headers = r->at > 0 || r->end != r->remote->n_bytes,
        .authorization = r->remote->authorization,
        .sink = &sink,
    };
    const uint64_t before = r->at;
    format_range(r, range);
    ss_status status = ss_net_try(r->remote->net, &request, &exchange, &response, err);
    if (status == SS_OK) {
        *next = judge_code(r->remote, &response);
        *wait = ss_net_retry_after(&response, *wait);
        status = check_code(r->remote, &response, err);
    } else {
        const bool another_part = status == SS_E_NETWORK && exchange.delivered;
        const bool is_retryable = ss_net_fault_is_retryable(exchange.fault, n_tries);
        const bool is_dangling =
            exchange.fault == SS_NET_FAULT_CONNECT && r->remote->locate != NULL;
        *next = is_dangling && is_retryable ? LOCATE_LATER
                : is_retryable || another_part || (status == SS_E_NETWORK && r->at > before)
                    ? TRY_LATER
                    : GIVE_UP;
    }
    ss_net_response_release(&response);
    return status;
}

/* A sound response came to its end: is the range complete? */
static ss_status check_end(struct reading *r, bool grew, outcome *next, ss_err *err)
{
    if (r->is_done || r->end == SS_NOWHERE || r->at == r->end) {
        r->is_done = true;
        return SS_OK;
    }
    if (r->remote->n_bytes != SS_NOWHERE && r->at >= r->remote->n_bytes) {
        return ss__fail(err, SS_E_DATA,
                        "%.400s ends at byte %llu, before the part that is read",
                        r->remote->name, (unsigned long long)r->at);
    }
    *next = grew ? GO_ON : TRY_LATER;
    return ss__fail(err, SS_E_NETWORK, "%.400s: the server sent less than it said",
                    r->remote->name);
}

/* Progress resets the count of failures: a long file over a bad line comes through, a server
 * that gives nothing does not hold us. An expired URL is asked for anew without a pause, but
 * not for ever. */
static ss_status read_all_of(struct reading *r, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_remote *remote = r->remote;
    size_t n_tries = 0, n_relocations = 0;
    while (!r->is_done) {
        const uint64_t before = r->at;
        outcome next = GIVE_UP;
        double wait = ss_net_backoff(remote->net, n_tries + 1);
        SS_TRY(locate(remote, err));
        status = ask(r, n_tries + 1, &next, &wait, err);
        if (status == SS_OK) {
            status = check_end(r, r->at > before, &next, err);
        }
        n_tries = r->at > before ? 0 : n_tries + 1;
        n_relocations = r->at > before ? 0 : n_relocations + (next == RESOLVE_AGAIN);
        if (status == SS_OK || next == GO_ON) {
            continue;
        }
        if (next == GIVE_UP || n_tries >= remote->net->options.n_tries ||
            n_relocations > MAX_RELOCATIONS) {
            break;
        }
        if (next == RESOLVE_AGAIN || next == LOCATE_LATER) {
            forget_url(remote);
        }
        if (next != RESOLVE_AGAIN) {
            SS_TRY(ss_net_sleep(remote->net, wait, err));
        }
    }
out:
    return r->is_done ? SS_OK : status;
}

ss_status ss_net_remote_read(struct ss_net_remote *remote, uint64_t offset, uint64_t n_bytes,
                             take_fn take_bytes, void *user, ss_err *err)
{
    struct reading r = {.remote = remote,
                        .at = offset,
                        .end = remote->n_bytes,
                        .take = take_bytes,
                        .user = user};
    if (n_bytes != SS_NOWHERE && !ss__add_u64(offset, n_bytes, &r.end)) {
        r.end = SS_NOWHERE - 1;
    }
    if (remote->n_bytes != SS_NOWHERE &&
        (offset > remote->n_bytes || (n_bytes != SS_NOWHERE && r.end > remote->n_bytes))) {
        return ss__fail(err, SS_E_DATA,
                        "%.400s has %llu bytes; bytes %llu to %llu of it are asked for",
                        remote->name, (unsigned long long)remote->n_bytes,
                        (unsigned long long)offset, (unsigned long long)r.end);
    }
    SS_RETURN_IF_ERROR(ss_net_need_online(remote->net, remote->name, err));
    if (n_bytes != 0 && r.at != r.end) {
        SS_RETURN_IF_ERROR(read_all_of(&r, err));
    }
    return SS_OK;
}

/* ---- small reads ---- */

static ss_status take_to_memory(void *user, const void *data, size_t n_bytes, bool *enough,
                                ss_err *err)
{
    char **at = user;
    (void)enough;
    (void)err;
    memcpy(*at, data, n_bytes);
    *at += n_bytes;
    return SS_OK;
}

ss_status ss_net_remote_read_into(struct ss_net_remote *remote, uint64_t offset, size_t n_bytes,
                                  void *out, ss_err *err)
{
    char *at = out;
    return ss_net_remote_read(remote, offset, n_bytes, take_to_memory, &at, err);
}

static ss_status take_nothing(void *user, const void *data, size_t n_bytes, bool *enough,
                              ss_err *err)
{
    (void)user;
    (void)data;
    (void)n_bytes;
    (void)err;
    *enough = true;
    return SS_OK;
}

ss_status ss_net_remote_size(struct ss_net_remote *remote, uint64_t *n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    const bool needs_ranges = remote->needs_ranges;
    if (remote->n_bytes ==
        SS_NOWHERE) { /* the head of any response tells; its body is not read */
        remote->needs_ranges = false;
        status = ss_net_remote_read(remote, 0, 1, take_nothing, NULL, err);
        remote->needs_ranges = needs_ranges;
    }
    *n_bytes = remote->n_bytes;
    return status;
}
