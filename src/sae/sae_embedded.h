/* SAEs in the library itself, as the files of a folder (embedded/; docs/saes.md). */
#ifndef SS_SAE_EMBEDDED_H
#define SS_SAE_EMBEDDED_H

#include <stddef.h>

struct ss_sae_embedded_file {
    const char *name; /* in the folder */
    const char *data, *end;
};

enum { SS_SAE_EMBEDDED_FILES = 2 };

struct ss_sae_embedded {
    const char *name;                                         /* behind "embedded:" */
    struct ss_sae_embedded_file files[SS_SAE_EMBEDDED_FILES]; /* config.json first */
};

extern const struct ss_sae_embedded ss_sae_embedded[];
extern const size_t ss_sae_n_embedded;

#endif
