/* A run's folder read back, beginning with its run.json. */
#ifndef SS_FOLDER_MANIFEST_READ_H
#define SS_FOLDER_MANIFEST_READ_H

#include "base/json.h"
#include "folder/results.h"

enum { SS_FOLDER_MANIFEST_SCHEMA = 1 };

/* Read the numbers and names of run->info; with `check`, compare the hashes of the files.
 * Errors: SS_E_NOINPUT, SS_E_DATA, SS_E_UNSUPPORTED (a later schema). */
SS_MUST_USE ss_status ss_folder_manifest_read(struct ss_run *run, const char *folder,
                                              bool check, struct ss__asking *asking,
                                              ss_err *err);

/* Whether the files that run.json (`root`, at `file`) names, those of its steps too, are there with
 * the hashes that it has, and the pictures whole (manifest_check.c). Errors: SS_E_DATA, those of
 * hashing. */
SS_MUST_USE ss_status ss_folder_manifest_check(const char *file, const char *folder,
                                               const struct ss__json *root,
                                               struct ss__asking *asking, ss_err *err);

/* As ss_run_open, with the hashes compared too. */
SS_MUST_USE ss_status ss_folder_run_open_checked(const char *dir, bool check,
                                                 struct ss__asking *asking, ss_run **out,
                                                 ss_err *err);

/* As ss_run_open, but top texts are not read, which take as much memory as their file: every
 * feature has none. */
SS_MUST_USE ss_status ss_folder_run_open_features(const char *dir, ss_run **out, ss_err *err);

#endif
