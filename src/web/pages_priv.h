/* What the files that make the data of the pages share. */
#ifndef SS_WEB_PAGES_PRIV_H
#define SS_WEB_PAGES_PRIV_H

#include "base/arena.h"
#include "web/pages.h"

/* ---- distinct texts, in the order in which features ask for them ---- */

struct ss_web_text {
    struct ss_text text, kept; /* borrowed; kept is a JSON object or empty */
    uint64_t row;              /* SS_NOWHERE: not known */
    uint64_t count;            /* rows that have it; 0: not known */
    struct ss_text file;
};

struct ss_web_texts {
    struct ss_web_text *items; /* [n] */
    size_t n, capacity;
    uint32_t *slots; /* [n_slots] 1-based; a power of two */
    size_t n_slots;
};

/* The number of a text, which is added where it is new; what is known of it better now is
 * taken over. Errors: SS_E_NOMEM, SS_E_LIMIT. */
SS_MUST_USE ss_status ss_web_texts_add(struct ss_web_texts *texts,
                                       const struct ss_web_text *text, uint32_t *number,
                                       ss_err *err);
/* Whether a text is there, and its number. */
bool ss_web_texts_find(const struct ss_web_texts *texts, struct ss_text text, uint32_t *number);
void ss_web_texts_release(struct ss_web_texts *texts);

/* What the evidence knows of one of its texts. */
struct ss_web_text ss_web_text_of_evidence(const struct ss_folder_evidence *evidence,
                                           size_t row);

/* Bytes of the first n_chars code points of valid UTF-8; 0: of all. */
size_t ss_web_excerpt_bytes(struct ss_text text, size_t n_chars);

/* Add the arrays of texts. */
SS_MUST_USE ss_status ss_web_texts_put(const struct ss_web_texts *texts, size_t n_chars,
                                       bool no_texts, struct ss_web_zip *zip, ss_err *err);

/* ---- the parts of the archive ---- */

/* Collect the lists of all features, with their texts, and add their arrays: top, firing,
 * miss. `arena` has names of rows that have no text. */
struct ss_web_lists;
SS_MUST_USE ss_status ss_web_lists_new(const struct ss_web_source *source,
                                       const struct ss_web_level *level,
                                       struct ss_web_texts *texts, struct ss__arena *arena,
                                       struct ss_web_lists **out, ss_err *err);
void ss_web_lists_free(struct ss_web_lists *lists);
SS_MUST_USE ss_status ss_web_lists_put(const struct ss_web_lists *lists, struct ss_web_zip *zip,
                                       ss_err *err);

SS_MUST_USE ss_status ss_web_columns_put(const struct ss_web_source *source,
                                         struct ss_web_zip *zip, ss_err *err);
SS_MUST_USE ss_status ss_web_histograms_put(const struct ss_web_source *source,
                                            struct ss_web_zip *zip, ss_err *err);

/* Read the map of a run, where it has one, with its texts, of which level->n_map_texts are added
 * to those of the pages; and its arrays. Errors: SS_E_DATA (damaged), SS_E_NOMEM. */
struct ss_web_map;
SS_MUST_USE ss_status ss_web_map_new(const struct ss_web_source *source,
                                     const struct ss_web_level *level,
                                     struct ss_web_texts *texts, struct ss_web_map **out,
                                     ss_err *err);
void ss_web_map_free(struct ss_web_map *map);
SS_MUST_USE ss_status ss_web_map_put(const struct ss_web_map *map, struct ss_web_zip *zip,
                                     ss_err *err);

/* Texts drawn at random, and what fires in them (pages_random.c). */
struct ss_web_random;
SS_MUST_USE ss_status ss_web_random_new(const struct ss_web_source *source,
                                        const struct ss_web_level *level,
                                        struct ss_web_texts *texts, struct ss_web_random **out,
                                        ss_err *err);
void ss_web_random_free(struct ss_web_random *random);
SS_MUST_USE ss_status ss_web_random_put(const struct ss_web_random *random,
                                        struct ss_web_zip *zip, ss_err *err);

/* A text on a line of its own. */
void ss_web_add_line(struct ss__buf *lines, const char *text);

SS_MUST_USE ss_status ss_web_compare_put(const struct ss_web_source *source,
                                         struct ss_web_zip *zip, ss_err *err);
SS_MUST_USE ss_status ss_web_neighbours_put(const struct ss_web_source *source,
                                            struct ss_web_zip *zip, ss_err *err);
SS_MUST_USE ss_status ss_web_pairs_put(const struct ss_web_source *source,
                                       struct ss_web_zip *zip, ss_err *err);
SS_MUST_USE ss_status ss_web_labels_put(const struct ss_web_source *source,
                                        struct ss_web_zip *zip, ss_err *err);
/* What meta.json says of a run, into an open object; and the file. */
struct ss__json_writer;
void ss_web_meta_put_members(struct ss__json_writer *writer,
                             const struct ss_web_source *source);
SS_MUST_USE ss_status ss_web_meta_put(const struct ss_web_source *source,
                                      const struct ss_web_level *level,
                                      const struct ss_web_counts *counts,
                                      struct ss_web_zip *zip, ss_err *err);

#endif
