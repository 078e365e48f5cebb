/* The names of files that hold the weights of an SAE, in every format that names them so. Folders
 * are told by them before anything is opened: by the hub, from its lists of files, and by the
 * room of SAEs, from folders on this machine. Both must find the same SAEs, so the names stand
 * here, left of both. */
#ifndef SS_BASE_SAE_FILES_H
#define SS_BASE_SAE_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* [n] ended by NULL. */
extern const char *const ss__sae_weights_names[];

/* Whether a file's name, without its folder, is one of them. */
bool ss__is_sae_weights(const char *name);

#endif
