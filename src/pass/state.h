/* The state of a pass: what its reducers hold, and the facts beside them. One form of bytes
 * (docs/formats.md) is the part of a run, what a run that was stopped goes on from, and what the
 * files of a run are written from. States of other rows merge to that of all rows, in any order. */
#ifndef SS_PASS_STATE_H
#define SS_PASS_STATE_H

#include "pass/facts.h"
#include "pass/gather.h"

/* A zeroed struct is valid to release. */
struct ss_pass_state {
    struct ss_pass_gathered gathered;
    struct ss_pass_facts facts;
    struct ss__json *identity; /* what it was made of, and how: equal for all parts of a run */
};

void ss_pass_state_release(struct ss_pass_state *state);

/* Write a state whose reducers are in order. A part that has no id yet (facts.parts[0].id is "")
 * gets one, and, where it has none, a number after it. Errors: SS_E_IO, SS_E_EXISTS, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_state_write(struct ss_pass_state *state, const char *path,
                                          ss_err *err);
/* The same into a file that the user named, or in a folder of theirs, as ss__out_open_named. */
SS_MUST_USE ss_status ss_pass_state_write_named(struct ss_pass_state *state, const char *path,
                                                bool force, ss_err *err);

/* The same into memory. Errors: SS_E_NOMEM, SS_E_IO. */
SS_MUST_USE ss_status ss_pass_state_write_bytes(struct ss_pass_state *state,
                                                struct ss__buf *bytes, ss_err *err);

/* Read one, which is not trusted; its reducers are in order. `pairs_bytes`: memory for pairs; 0:
 * the usual. Release after failure too. Errors: SS_E_NOINPUT, SS_E_DATA (damaged, or no state),
 * SS_E_UNSUPPORTED (of a later version), SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_state_read(const char *path, uint64_t pairs_bytes,
                                         struct ss_pass_state *state, ss_err *err);

/* The same of bytes in memory, which are called `name` in messages. */
SS_MUST_USE ss_status ss_pass_state_read_bytes(const char *name, struct ss_text bytes,
                                               uint64_t pairs_bytes,
                                               struct ss_pass_state *state, ss_err *err);

/* The first place where two documents of identity differ, and both values, such as
 * "gathers.top_k (4 and 5)", in *text, which is of `place`; NULL where there is none. Errors:
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_state_difference(const struct ss__json *a,
                                               const struct ss__json *b, struct ss__buf *place,
                                               const char **text, ss_err *err);

/* An identity as all who did the same have it, in however many parts it was done: as the item
 * `key` of a document. */
void ss_pass_state_put_identity(struct ss__json_writer *writer, const char *key,
                                const struct ss__json *identity);

/* Refuse what was made of other things, or in another way, naming the first that differs. Errors:
 * SS_E_DATA. */
SS_MUST_USE ss_status ss_pass_state_check_same(const struct ss__json *a,
                                               const struct ss__json *b,
                                               const char *const names[2], ss_err *err);

/* Take over a state of other rows, which is in order; when all are in, ss_pass_gather_order is to
 * follow. `names` of both are for messages. A part that is there
 * already, with the same content, is left out: *is_known (nullable). Errors: SS_E_DATA (another
 * analysis, with what differs; a part twice that is not the same; parts of both beside others),
 * those of the reducers. */
SS_MUST_USE ss_status ss_pass_state_merge(struct ss_pass_state *state,
                                          const struct ss_pass_state *other,
                                          const char *const names[2], bool *is_known,
                                          ss_err *err);

#endif
