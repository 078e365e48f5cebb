/* The loop of the server: reads heads and bodies, has them judged and answered, writes, closes.
 *
 * A connection is read until its head and body are whole, answered, and closed: nothing that
 * comes behind a request is looked at. Who is slow is cut off at a deadline that bytes do not
 * move. At most MAX_CONNECTIONS wait at a time; others wait in the system's queue. */
#include "web/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/stop.h"
#include "web/server_priv.h"

enum { MAX_CONNECTIONS = 64, BACKLOG = 64, TICK_MS = 100 };

static const double read_seconds = 10, write_seconds = 60, drain_seconds = 1;

typedef enum connection_state { FREE, READING, WRITING, DRAINING } connection_state;

struct connection {
    connection_state state;
    int socket;
    double deadline;
    struct ss__buf in;
    size_t n_head; /* 0: not whole yet */
    struct ss_web_request request;
    struct ss_web_response response;
    struct ss__buf head; /* of the response */
    size_t n_sent;
    bool without_body; /* of HEAD, or 304 */
};

struct loop {
    struct ss_web_server *server;
    struct connection connections[MAX_CONNECTIONS];
    struct pollfd polled[MAX_CONNECTIONS + 1];
};

/* ---- opening ---- */

ss_status ss_web_server_open(struct ss_web_server *server, unsigned port, ss_err *err)
{
    ss_status status = SS_OK;
    const int yes = 1;
    char name[32];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t n_address = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ss__snprintf(name, sizeof name, "127.0.0.1:%u", port);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0) {
        SS_TRY(ss__fail_errno(err, name, "listen", errno));
    }
    server->listener = listener + 1;
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &n_address) != 0) {
        SS_TRY(ss__fail_errno(err, name, "listen", errno));
    }
    server->rules.port = ntohs(address.sin_port);
out:
    if (status != SS_OK) {
        ss_web_server_close(server);
    }
    return status;
}

void ss_web_server_close(struct ss_web_server *server)
{
    if (server->listener > 0) {
        (void)close(server->listener - 1);
    }
    server->listener = 0;
}

/* ---- a connection ---- */

static void free_connection(struct connection *connection)
{
    if (connection->state != FREE) {
        (void)close(connection->socket);
    }
    ss__buf_release(&connection->in);
    ss__buf_release(&connection->response.body);
    ss__buf_release(&connection->head);
    *connection = (struct connection){0};
}

static void begin_writing(struct connection *connection)
{
    struct ss_web_response *response = &connection->response;
    ss_web_add_response_head(&connection->head, response);
    if (response->body.failed || connection->head.failed) {
        free_connection(connection); /* no memory for an answer */
        return;
    }
    connection->without_body = connection->without_body || response->status == 304;
    connection->state = WRITING;
    connection->deadline = ss__seconds_now() + write_seconds;
}

static void refuse(struct connection *connection, int status, const char *why)
{
    ss_web_problem(&connection->response, status, why);
    begin_writing(connection);
}

static void answer(const struct loop *loop, struct connection *connection)
{
    const struct ss_web_handler *handler = &loop->server->handler;
    const struct ss_web_request *request = &connection->request;
    struct ss_web_response *response = &connection->response;
    handler->answer(handler->user, request,
                    (struct ss_text){connection->in.data + connection->n_head, request->n_body},
                    response);
    if (response->etag != NULL && request->method != SS_WEB_POST &&
        ss_web_matches(request->none_match, response->etag)) {
        response->status = 304;
    }
    connection->without_body = request->method == SS_WEB_HEAD;
    begin_writing(connection);
}

/* Look at what has come: is the head whole, the body? */
static void consider(const struct loop *loop, struct connection *connection)
{
    if (connection->n_head == 0) {
        const char *why = NULL;
        const size_t n_head = ss_web_head_bytes(connection->in.data, connection->in.n_bytes);
        if (n_head == 0 && connection->in.n_bytes <= SS_WEB_HEAD_BYTES) {
            return;
        }
        const int refused = n_head == 0 ? 431
                                        : ss_web_gate(&loop->server->rules, connection->in.data,
                                                      n_head, &connection->request, &why);
        if (refused != 0) {
            connection->without_body = connection->request.method == SS_WEB_HEAD;
            refuse(connection, refused, why == NULL ? "The head is longer than 8 KiB." : why);
            return;
        }
        connection->n_head = n_head;
    }
    const size_t n_whole = connection->n_head + connection->request.n_body;
    if (connection->in.n_bytes > n_whole) {
        refuse(connection, 400, "Something stands behind the request.");
    } else if (connection->in.n_bytes == n_whole) {
        answer(loop, connection);
    }
}

/* The request has views into `in`, so that no more is read into it than it has space for. */
static void read_some(const struct loop *loop, struct connection *connection)
{
    enum { MOST = SS_WEB_HEAD_BYTES + SS_WEB_BODY_BYTES + 1 };
    const bool is_new = connection->in.capacity == 0;
    if (is_new && ss__buf_reserve(&connection->in, MOST) == NULL) {
        free_connection(connection);
        return;
    }
    const ssize_t n = recv(connection->socket, connection->in.data + connection->in.n_bytes,
                           MOST - connection->in.n_bytes, 0);
    if (n > 0) {
        connection->in.n_bytes += (size_t)n;
        consider(loop, connection);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        free_connection(connection);
    }
}

static void write_some(struct connection *connection)
{
    const struct ss_text body = ss_web_response_body(&connection->response);
    const size_t n_body = connection->without_body ? 0 : body.n_bytes;
    const size_t n_head = connection->head.n_bytes;
    const bool is_head = connection->n_sent < n_head;
    const size_t at = is_head ? connection->n_sent : connection->n_sent - n_head;
    const char *data = is_head ? connection->head.data : body.data;
    const size_t n_part = is_head ? n_head : n_body;
    if (at < n_part) {
        const ssize_t n = send(connection->socket, data + at, n_part - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            free_connection(connection);
            return;
        }
        connection->n_sent += n > 0 ? (size_t)n : 0;
    }
    if (connection->n_sent == n_head + n_body) {
        (void)shutdown(connection->socket, SHUT_WR);
        connection->state = DRAINING;
        connection->deadline = ss__seconds_now() + drain_seconds;
    }
}

/* What still comes is thrown away for a moment, so that the answer is not lost by a reset. */
static void drain(struct connection *connection)
{
    char dropped[4096];
    const ssize_t n = recv(connection->socket, dropped, sizeof dropped, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        free_connection(connection);
    }
}

static void serve(const struct loop *loop, struct connection *connection)
{
    switch (connection->state) {
    case READING:
        read_some(loop, connection);
        break;
    case WRITING:
        write_some(connection);
        break;
    case DRAINING:
        drain(connection);
        break;
    case FREE:
        break;
    }
}

/* ---- the loop ---- */

static struct connection *find_free(struct loop *loop)
{
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        if (loop->connections[i].state == FREE) {
            return &loop->connections[i];
        }
    }
    return NULL;
}

static void accept_all(struct loop *loop)
{
    struct connection *connection = NULL;
    while ((connection = find_free(loop)) != NULL) {
        const int accepted =
            accept4(loop->server->listener - 1, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0) {
            return;
        }
        connection->state = READING;
        connection->socket = accepted;
        connection->deadline = ss__seconds_now() + read_seconds;
    }
}

static void prepare(struct loop *loop)
{
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        const struct connection *connection = &loop->connections[i];
        loop->polled[i] =
            (struct pollfd){.fd = connection->state == FREE ? -1 : connection->socket,
                            .events = connection->state == WRITING ? POLLOUT : POLLIN};
    }
    loop->polled[MAX_CONNECTIONS] = (struct pollfd){
        .fd = find_free(loop) == NULL ? -1 : loop->server->listener - 1, .events = POLLIN};
}

static void cut_off_late(struct loop *loop, double now)
{
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        struct connection *connection = &loop->connections[i];
        if (connection->state == READING && now > connection->deadline) {
            refuse(connection, 408, "The request did not come in ten seconds.");
        } else if (connection->state != FREE && now > connection->deadline) {
            free_connection(connection);
        }
    }
}

static void turn(struct loop *loop)
{
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        if (loop->polled[i].revents != 0) {
            serve(loop, &loop->connections[i]);
        }
    }
    if (loop->polled[MAX_CONNECTIONS].revents != 0) {
        accept_all(loop);
    }
}

ss_status ss_web_server_run(struct ss_web_server *server, bool (*tick)(void *user), void *user,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct loop *loop = NULL;
    double ticked = 0;
    SS_ALLOC(loop, 1);
    loop->server = server;
    for (;;) {
        prepare(loop);
        if (poll(loop->polled, MAX_CONNECTIONS + 1, TICK_MS) < 0 && errno != EINTR) {
            SS_TRY(ss__fail_errno(err, "pages", "wait", errno));
        }
        turn(loop);
        const double now = ss__seconds_now();
        cut_off_late(loop, now);
        if (now - ticked >= TICK_MS / 1000.0) {
            ticked = now;
            if (!tick(user)) {
                break;
            }
        }
    }
out:
    for (size_t i = 0; loop != NULL && i < MAX_CONNECTIONS; i++) {
        free_connection(&loop->connections[i]);
    }
    ss__free(loop);
    return status;
}
