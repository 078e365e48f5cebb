/* Words that a text has to hold: as parts of its words too, whatever their case. */
#ifndef SS_RUN_TEXT_WORDS_H
#define SS_RUN_TEXT_WORDS_H

#include "base/buf.h"

enum { SS_RUN_MAX_WORDS = 64 };

/* A zeroed struct is valid to release, and is held by every text. */
struct ss_run_words {
    struct ss__buf words;                   /* in lower case */
    struct ss_text parts[SS_RUN_MAX_WORDS]; /* views into it */
    size_t n_parts;
    struct ss__buf text; /* the last one, in lower case */
};

/* Split at spaces. Errors: SS_E_USAGE (none, too many, not UTF-8), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_words_split(const char *text, struct ss_run_words *words,
                                         ss_err *err);
/* Whether valid UTF-8 holds all of them; memory that ran out shows in words->text. */
bool ss_run_words_hold(struct ss_run_words *words, struct ss_text text);
/* How often they occur in the text of the last call, together. */
size_t ss_run_words_count(const struct ss_run_words *words);
void ss_run_words_release(struct ss_run_words *words);

#endif
