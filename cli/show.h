/* What the files of `show` share. */
#ifndef SS_CLI_SHOW_H
#define SS_CLI_SHOW_H

#include "commands.h"

struct showing {
    const struct cli_command *command;
    const struct cli_values *values;
    const char *path;
    ss_run *run;
    ss_descriptions *descriptions; /* NULL: the run has none */
    ss_samples *samples;           /* NULL: it keeps no evidence */
    ss_families *families;         /* with --family */
    struct ss_run_info info;
    size_t columns; /* of the terminal */
    bool colours;
};

/* One feature: label, scores, rate, histogram, texts of each kind (show_feature.c). */
void cli_show_feature(const struct showing *showing, size_t feature);
void cli_show_json_feature(const struct showing *showing, size_t feature);
/* Its family (show_family.c). */
void cli_show_family(const struct showing *showing, size_t feature);
void cli_show_json_family(const struct showing *showing, size_t feature);
/* What features.csv says of it, as members of a JSON object. */
void cli_show_json_facts(const struct showing *showing, size_t feature);

#endif
