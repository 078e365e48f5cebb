/* A server on the loopback that answers from a script: the n-th request gets the n-th reply,
 * byte for byte, and is kept for the test to look at. */
#ifndef SS_TESTS_NET_SCRIPT_H
#define SS_TESTS_NET_SCRIPT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NET_SCRIPT_REPLIES = 64, NET_SCRIPT_REQUEST_BYTES = 4096 };

struct net_reply {
    char *bytes;
    size_t n_bytes;
    bool keeps_open; /* the connection serves the next request too */
    int drip_ms;     /* pause between single bytes; 0: all at once */
    int hold_ms;     /* pause before closing */
    bool resets;     /* close with RST */
};

struct net_script {
    int listener;
    unsigned port;
    pthread_t thread;
    struct net_reply replies[NET_SCRIPT_REPLIES];
    size_t n_replies;
    char requests[NET_SCRIPT_REPLIES][NET_SCRIPT_REQUEST_BYTES];
    size_t n_requests; /* read it after net_script_stop */
};

static inline void net_script_pause(int ms)
{
    const struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&pause, NULL);
}

static inline bool net_script_read(int client, char *out)
{
    size_t n = 0;
    while (n + 1 < NET_SCRIPT_REQUEST_BYTES) {
        const ssize_t got = recv(client, out + n, 1, 0);
        if (got <= 0) {
            return false;
        }
        n += (size_t)got;
        out[n] = '\0';
        if (n >= 4 && strcmp(out + n - 4, "\r\n\r\n") == 0) {
            const char *length = strstr(out, "Content-Length: ");
            size_t rest = length == NULL ? 0 : strtoul(length + 16, NULL, 10);
            for (; rest > 0 && recv(client, out + n, 1, 0) == 1; rest--) {
                out[++n] = '\0';
            }
            return true;
        }
    }
    return false;
}

static inline void net_script_reply(int client, const struct net_reply *reply)
{
    const size_t step = reply->drip_ms > 0 ? 1 : reply->n_bytes;
    for (size_t at = 0; at < reply->n_bytes;) {
        const size_t part = reply->n_bytes - at < step ? reply->n_bytes - at : step;
        const ssize_t sent = send(client, reply->bytes + at, part, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += (size_t)sent;
        if (reply->drip_ms > 0) {
            net_script_pause(reply->drip_ms);
        }
    }
    net_script_pause(reply->hold_ms);
}

static inline void net_script_close(int client, const struct net_reply *reply)
{
    const struct linger hard = {1, 0};
    if (reply->resets) {
        setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
    close(client);
}

static inline void *net_script_run(void *argument)
{
    struct net_script *script = argument;
    for (int client; (client = accept(script->listener, NULL, NULL)) >= 0;) {
        const struct net_reply none = {0}, *reply = &none;
        while (script->n_requests < script->n_replies &&
               net_script_read(client, script->requests[script->n_requests])) {
            reply = &script->replies[script->n_requests++];
            net_script_reply(client, reply);
            if (!reply->keeps_open) {
                break;
            }
        }
        net_script_close(client, reply);
    }
    return NULL;
}

static inline void net_script_open(struct net_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t n = sizeof address;
    memset(script, 0, sizeof *script);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    script->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(script->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(script->listener, 16) != 0 ||
        getsockname(script->listener, (struct sockaddr *)&address, &n) != 0) {
        abort();
    }
    script->port = ntohs(address.sin_port);
}

/* Add a reply; Call before net_script_start. */
static inline struct net_reply *net_script_add(struct net_script *script, const char *format,
                                               ...) __attribute__((format(printf, 2, 3)));
static inline struct net_reply *net_script_add(struct net_script *script, const char *format,
                                               ...)
{
    struct net_reply *reply = &script->replies[script->n_replies++];
    va_list arguments;
    va_start(arguments, format);
    const int n = vasprintf(&reply->bytes, format, arguments);
    va_end(arguments);
    if (n < 0) {
        abort();
    }
    reply->n_bytes = (size_t)n;
    return reply;
}

static inline void net_script_start(struct net_script *script)
{
    if (pthread_create(&script->thread, NULL, net_script_run, script) != 0) {
        abort();
    }
}

static inline void net_script_stop(struct net_script *script)
{
    shutdown(script->listener, SHUT_RDWR);
    pthread_join(script->thread, NULL);
    close(script->listener);
    for (size_t i = 0; i < script->n_replies; i++) {
        free(script->replies[i].bytes);
    }
}

#endif
