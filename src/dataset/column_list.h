/* Columns of a dataset in messages: their names and types, an example of each, the one that a
 * mistyped name most likely means. */
#ifndef SS_DATASET_COLUMN_LIST_H
#define SS_DATASET_COLUMN_LIST_H

#include "dataset/dataset_state_priv.h"

/* Fail with SS_E_DATA: the message, the name in quotes if it is not "", what it may mean, the
 * columns, and values of them. The current file's rows are used up where they can be read. */
SS_MUST_USE ss_status ss_dataset_fail_column(ss_dataset *dataset, const char *message,
                                             const char *name, ss_err *err);

/* Append "'id' (int64), 'title' (string)", cut where it grows long. */
void ss_dataset_list_columns(const ss_dataset *dataset, struct ss__buf *out);

#endif
