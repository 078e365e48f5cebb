/* What the files of the viewer's answers share. */
#ifndef SS_WEB_VIEWER_PRIV_H
#define SS_WEB_VIEWER_PRIV_H

#include "web/viewer_api.h"

/* A request that fits a route. Whoever answers it writes members into the open object of `writer`,
 * or refuses it, after which nothing that was written counts. */
struct ss_web_call {
    struct ss_web_api *api;
    struct ss_text body;
    uint64_t id;                                            /* the number that ends the path */
    char values[SS_WEB_MAX_PARAMETERS][SS_WEB_VALUE_BYTES]; /* of the route's parameters */
    struct ss__json_writer writer;
    struct ss_web_response *response;
};

/* Refuse it: ss_web_problem. */
void ss_web_refuse(struct ss_web_call *call, int status, const char *detail);
/* Refuse it for what failed: 400 where the request was wrong, 404 where the run does not have it, else
 * 503. */
void ss_web_refuse_error(struct ss_web_call *call, const ss_err *err);

/* ---- routes: each reads the parameters that viewer_api.c lists for it ---- */

void ss_web_answer_feature(struct ss_web_call *call);
void ss_web_answer_features(struct ss_web_call *call);
void ss_web_answer_row(struct ss_web_call *call);
void ss_web_answer_search(struct ss_web_call *call);
void ss_web_answer_diff(struct ss_web_call *call);
void ss_web_answer_encode(struct ss_web_call *call);
void ss_web_answer_influence(struct ss_web_call *call);
void ss_web_answer_steer(struct ss_web_call *call);

extern const char *const ss_web_features_parameters[], *const ss_web_row_parameters[],
                                                           *const ss_web_search_parameters[],
                                                               *const ss_web_diff_parameters[];

/* ---- parameters and bodies (viewer_body.c) ---- */

/* A whole number up to `most`; `otherwise` where there is none. */
bool ss_web_read_count(const char *text, size_t otherwise, size_t most, size_t *value);

/* A member that the object of a body may have. */
struct ss_web_member {
    const char *key;
    const char *wrong; /* a sentence for a value of another kind or out of range */
    size_t *count;     /* a whole number from `least` to `most`, or: */
    struct ss_text *text;
    bool *flag;
    const struct ss__json **list;
    size_t least, most; /* of the count, or of the list's length */
    bool *is_there;     /* nullable: set where it is */
};

/* Read a body into its members; those that are not there keep what they have. `document` owns
 * texts and lists (ss__json_free, on failure, too). NULL, or why not. */
const char *ss_web_read_body(struct ss_text body, const struct ss_web_member *members,
                             size_t n_members, struct ss__json **document);

/* ---- differences (viewer_diff.c) ---- */

/* Compare with the other run ("") or groups by a column, unless that was done. Errors: those of
 * ss_diff_run. */
SS_MUST_USE ss_status ss_web_compare(struct ss_web_api *api, const char *by, ss_err *err);

/* ---- the run's models (viewer_models.c) ---- */

/* Open what is not yet. Errors: those of ss_run_models_open. */
SS_MUST_USE ss_status ss_web_need_sae(struct ss_web_api *api, ss_err *err);
SS_MUST_USE ss_status ss_web_need_encoder(struct ss_web_api *api, ss_err *err);
/* Errors: SS_E_UNSUPPORTED (the run has no evidence), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_web_need_texts(struct ss_web_api *api, ss_err *err);
SS_MUST_USE ss_status ss_web_need_cosines(struct ss_web_api *api, ss_err *err);

/* Embed texts into x [n, width] and encode them into api->codes. Errors: those of both. */
SS_MUST_USE ss_status ss_web_encode_texts(struct ss_web_api *api, const struct ss_text *texts,
                                          size_t n, float *x, ss_err *err);

/* Whether the SAE gives embeddings back. */
bool ss_web_can_decode(const struct ss_web_api *api);
/* y [n, width]: what the SAE makes of activations of rows x [n, width]. Errors: SS_E_UNSUPPORTED
 * (it gives none back), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_web_decode(const struct ss_web_api *api, const float *x,
                                    const struct ss_sparse *codes, float *y, ss_err *err);
double ss_web_cosine(const float *a, const float *b, size_t n);

/* The codes of rows of the evidence, as a view. */
struct ss_sparse ss_web_codes_of(const struct ss_folder_evidence *evidence, size_t first,
                                 size_t n);

/* ---- texts of the run (viewer_rows.c) ---- */

/* The text of the evidence that has a row of the dataset first; n_texts: none. */
size_t ss_web_find_row(const struct ss_folder_evidence *evidence, uint64_t row);
/* nearest: the n texts nearest to x [width]; none where the run kept no texts. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_web_put_near(struct ss_web_api *api, const float *x, size_t n,
                                      struct ss__json_writer *writer, ss_err *err);

/* ---- what is usual (viewer_usual.c) ---- */

/* Measure it, where the run kept texts and nobody did. The SAE is open. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_web_need_usual(struct ss_web_api *api, ss_err *err);
/* usual_low and usual_high, null where they are not known. */
void ss_web_put_usual(struct ss__json_writer *writer, const struct ss_web_usual *usual);

/* ---- parts of answers (viewer_parts.c) ---- */

void ss_web_put_float(struct ss__json_writer *writer, const char *key, float value);
/* null where it is not finite. */
void ss_web_put_finite(struct ss__json_writer *writer, const char *key, double value);
/* n_active, and the `most` strongest features of a row of codes. */
SS_MUST_USE ss_status ss_web_put_active(struct ss__json_writer *writer,
                                        const struct ss_sparse *codes, size_t row, size_t most,
                                        ss_err *err);
/* row, file and text of a text of the evidence, into an open object. */
void ss_web_put_where(struct ss__json_writer *writer, const struct ss_folder_evidence *evidence,
                      size_t text);

#endif
