/* Where the files that a run recorded are now. */
#ifndef SS_RUN_PATHS_H
#define SS_RUN_PATHS_H

/* A path of run.json, as it leads to the file or folder now. One that was relative counts from
 * where we are, or else from the folder of run.json or one above it: a run moves with what lies
 * beside it, and is looked at from elsewhere.
 *
 * manifest  run.json of the run
 * recorded  the path in it
 *
 * Returns a copy, to be released with ss__free: the recorded path where nothing is there in any
 * of these places; NULL when memory ran out. */
char *ss_run_path_find(const char *manifest, const char *recorded);

#endif
