/* Pictures of a run's families: trees of the largest, heat maps of the pairs inside them, and
 * one of all that have a family. */
#ifndef SS_RUN_FAMILIES_PICTURES_H
#define SS_RUN_FAMILIES_PICTURES_H

#include "folder/families_file.h"

/* The format follows the name. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_run_family_trees_draw(const struct ss_folder_families *families,
                                               const char *path, ss_err *err);
SS_MUST_USE ss_status ss_run_family_maps_draw(const struct ss_folder_families *families,
                                              const char *path, ss_err *err);
SS_MUST_USE ss_status ss_run_coactivation_map_draw(const struct ss_folder_families *families,
                                                   const char *path, ss_err *err);
/* The same features in the order of Ward's tree; no file where the run has no centroids. */
SS_MUST_USE ss_status ss_run_ward_map_draw(const struct ss_folder_families *families,
                                           const char *path, ss_err *err);

#endif
