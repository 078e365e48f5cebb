/* Archives of samples: tars in which members with the same name before the first dot stand side
 * by side and are one row, with their extensions as columns.
 *
 *     00000.json  00000.txt  00001.json  00001.txt      ->  {"json": {…}, "txt": "…", …}
 *
 * As the reference library's reader has it (its module webdataset): the key of a sample is its
 * members' path up to that dot, a field what follows it; "txt.gz" is a field that is
 * decompressed. The last extension says what a value is: txt, text, transcript are texts, cls,
 * cls2, index, inx, id whole numbers, json, jsn JSON. Other members are texts where they are
 * UTF-8, else objects that tell their path and size. "__key__" and "__url__" come last. The
 * first five samples must have the same fields; one that lacks a field later has none.
 *
 * The rows are given as JSON Lines, a sample at a time. */
#ifndef SS_FORMAT_SAMPLES_H
#define SS_FORMAT_SAMPLES_H

#include "source/source.h"

/* Whether an archive is one: most names before the first dot have several kinds of members. */
SS_MUST_USE ss_status ss_format_samples_are_in(const struct ss_source_tar *tar, bool *are,
                                               ss_err *err);

/* The rows of an archive as lines; `file` and the tar are borrowed. Errors: SS_E_DATA (the
 * first samples differ, a sample has a field twice), SS_E_UNSUPPORTED (links, sparse members),
 * SS_E_NOMEM. When it is read: SS_E_DATA (a value is not what its extension says, damaged
 * compression), SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_format_samples_open(const char *file, const struct ss_source_tar *tar,
                                             struct ss_source_input *out, ss_err *err);

#endif
