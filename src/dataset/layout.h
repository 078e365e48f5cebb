/* Which files of a folder hold rows. A folder, an archive and a folder of the hub are treated
 * alike: as a list of names and a way to read the small ones.
 *
 *   names     what begins with "." or "_" is bookkeeping of programs (but not "_x=1", a
 *             partition), and so are licences, readmes and the like (format/data_names.h)
 *   saved     a dataset of save_to_disk: state.json lists its files, dataset_dict.json its
 *             splits; what else lies there is left over from work (layout_saved.c)
 *   tables    Delta: its log says which files are live; Iceberg, Hudi: read if all files are
 *             live, else refused (layout_tables.c)
 *   kinds     of files of several kinds those of one are read: that of most files, as the
 *             reference library counts (layout.c)
 *
 * What is left out and might be missed is said to the log. */
#ifndef SS_DATASET_LAYOUT_H
#define SS_DATASET_LAYOUT_H

#include "base/json.h"

#include "base/buf.h"
#include "base/error.h"

struct ss_dataset_layout {
    const char *name;         /* for messages */
    const char *const *paths; /* [n] relative, with "/"; sorted by bytes */
    size_t n;
    /* Append a file's content; a longer one than max_bytes is SS_E_LIMIT. */
    ss_status (*read)(void *user, size_t index, size_t max_bytes, struct ss__buf *out,
                      ss_err *err);
    void *user;
    const struct ss_log *log; /* nullable */
    bool enters_archives;     /* where there is nothing else */
};

/* Which files hold rows: is_data [n] is set. Errors: SS_E_DATA (a log or list is damaged),
 * SS_E_NOINPUT (it names a file that is missing), SS_E_UNSUPPORTED (a table of which it cannot
 * be told), those of `read`. */
SS_MUST_USE ss_status ss_dataset_layout_choose(const struct ss_dataset_layout *layout,
                                               bool *is_data, ss_err *err);

/* The rules of saved datasets and tables alone: clear is_data of files that hold no live rows.
 * Errors: as above. */
SS_MUST_USE ss_status ss_dataset_layout_drop_dead(const struct ss_dataset_layout *layout,
                                                  bool *is_data, ss_err *err);

/* If the whole layout is a saved dataset, fill the empty card with its splits, whose files are
 * those of is_data, and set *is_saved. The card borrows paths. Errors: as above. */
struct ss_repo_card;
SS_MUST_USE ss_status ss_dataset_layout_saved_card(const struct ss_dataset_layout *layout,
                                                   const bool *is_data,
                                                   struct ss_repo_card *card, bool *is_saved,
                                                   ss_err *err);

/* ---- parts of it ---- */

SS_MUST_USE ss_status ss_dataset_layout_apply_saved(const struct ss_dataset_layout *layout,
                                                    bool *is_data, ss_err *err);
SS_MUST_USE ss_status ss_dataset_layout_apply_tables(const struct ss_dataset_layout *layout,
                                                     bool *is_data, ss_err *err);

/* Read a JSON document of the layout; gives *out (ss__json_free). */
SS_MUST_USE ss_status ss_dataset_layout_read_json(const struct ss_dataset_layout *layout,
                                                  size_t index, struct ss__json **out,
                                                  ss_err *err);

/* "name/path", for messages; the buffer is overwritten. */
const char *ss_dataset_layout_file(const struct ss_dataset_layout *layout, size_t index,
                                   struct ss__buf *text);

/* The index of the path "folder" + "name", or n. `folder` is the beginning of a path. */
size_t ss_dataset_layout_find(const struct ss_dataset_layout *layout, const char *folder,
                              size_t n_folder, const char *name);

#endif
