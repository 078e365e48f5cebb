/* The run that a viewer shows, as it is now: whole, or what a pass has found so far. */
#ifndef SS_WEB_VIEWER_LIVE_H
#define SS_WEB_VIEWER_LIVE_H

#include "folder/snapshot.h"
#include "web/viewer_api.h"

enum { SS_WEB_ETAG_BYTES = 20 };

/* By what a file is known to be another one. */
struct ss_web_identity {
    uint64_t device, inode, n_bytes;
    int64_t seconds, nanoseconds; /* of its last change */
};

struct ss_web_live {
    const char *folder; /* borrowed, as the next two */
    struct ss__asking *asking;
    const struct ss_view_options *options;
    ss_folder_state state;
    bool has_run; /* `api` and `pages` are there */
    struct ss_web_api api;
    struct ss_web_zip pages;
    char etag[SS_WEB_ETAG_BYTES], live_etag[SS_WEB_ETAG_BYTES];
    struct ss_web_identity identity; /* of the file that they are made of */
    double looked;                   /* when, monotonic */
};

/* Errors: where there is neither a run nor one that is being written, those of
 * ss_web_source_open. */
SS_MUST_USE ss_status ss_web_live_open(struct ss_web_live *live, const char *folder,
                                       struct ss__asking *asking,
                                       const struct ss_view_options *options, ss_err *err);

/* Look once a second whether there are newer numbers, and take them; what cannot be read yet is left
 * for the next time, and what was shown stays. */
void ss_web_live_look(struct ss_web_live *live);
void ss_web_live_close(struct ss_web_live *live);

/* GET /api/v1/live. */
void ss_web_live_answer(struct ss_web_live *live, struct ss_web_response *response);
/* 503: there are no numbers yet. */
void ss_web_live_refuse(struct ss_web_response *response);

void ss_web_make_etag(char etag[SS_WEB_ETAG_BYTES], struct ss_text bytes);

#endif
