/* A text cut into sentences, or words. */
#ifndef SS_WEB_TEXT_PARTS_H
#define SS_WEB_TEXT_PARTS_H

#include "base/error.h"

/* Bytes [start, end) of a text. */
struct ss_web_part {
    size_t start, end;
};

typedef enum ss_web_unit { SS_WEB_SENTENCES, SS_WEB_WORDS } ss_web_unit;

/* Cut valid UTF-8 into parts that, one behind the other, are the text: each with the white space
 * behind it. A sentence ends behind . ! ? (with quotes and brackets) that white space and no
 * lower-case letter of a–z follow, behind 。！？ and behind an empty line; a word at white space,
 * and each ideograph and kana is one. At most n_most into `parts`; gives how many there are, more
 * than n_most where some have no place. A blank text has none. */
size_t ss_web_split(struct ss_text text, ss_web_unit unit, struct ss_web_part *parts,
                    size_t n_most);

#endif
