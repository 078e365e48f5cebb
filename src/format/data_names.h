/* Names of files that hold no rows, whatever their extension: hidden ones, documents about a
 * dataset or project, caches. */
#ifndef SS_FORMAT_DATA_NAMES_H
#define SS_FORMAT_DATA_NAMES_H

#include <stdbool.h>

/* Whether a component of a path hides what is below it. */
bool ss_format_name_is_hidden(const char *name);

/* Whether a path has a hidden component. */
bool ss_format_path_is_hidden(const char *path);

/* Whether a file of that name tells of data, or of a project, and holds none. */
bool ss_format_name_is_about_data(const char *name);

/* Whether that is what the library `datasets` calls the files of its cache. */
bool ss_format_name_is_cache(const char *name);

#endif
