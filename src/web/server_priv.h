/* What the files of the server share. */
#ifndef SS_WEB_SERVER_PRIV_H
#define SS_WEB_SERVER_PRIV_H

#include "web/server.h"

/* The bytes of a response's body. */
struct ss_text ss_web_response_body(const struct ss_web_response *response);

/* Append the status line and the headers. */
void ss_web_add_response_head(struct ss__buf *out, const struct ss_web_response *response);

#endif
