/* Which columns of a dataset are embeddings. */
#ifndef SS_PASS_EMBEDDINGS_COLUMNS_H
#define SS_PASS_EMBEDDINGS_COLUMNS_H

#include "dataset/dataset.h"

struct ss_pass_embedding_columns {
    const char **names; /* [n], borrowed from the columns; the array is to be freed */
    size_t n;
    bool are_single; /* of one number each, not one of lists */
};

/* Choose by a name or pattern that was given (nullable), else by the names and types there are.
 * Errors: SS_E_DATA with what there is, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_embedding_columns_choose(const char *path, const char *given,
                                                       const struct ss_format_column *columns,
                                                       size_t n_columns,
                                                       struct ss_pass_embedding_columns *out,
                                                       ss_err *err);

#endif
