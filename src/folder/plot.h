/* Names that a picture carries. */
#ifndef SS_FOLDER_PLOT_H
#define SS_FOLDER_PLOT_H

#include "base/arena.h"
#include "base/error.h"

/* A short name of a dataset: its file without extensions, the folder that holds all of its
 * files, or "stdin". In the arena; NULL when memory ran out. */
const char *ss_folder_dataset_name(const struct ss_dataset_info *info, struct ss__arena *arena);

/* "Log Feature Fire Rate Distribution (NAME)", in the arena; NULL when memory ran out. */
const char *ss_folder_density_title(struct ss__arena *arena, const char *dataset_name);

#endif
