/* saescope fetch: download a model, SAE or dataset in advance, print its path. */
#include <string.h>
#include <unistd.h>

#include "commands.h"

static ss_fetch_kind kind_of(const struct cli_values *values)
{
    ss_fetch_kind kind = SS_FETCH_MODEL;
    (void)ss_fetch_kind_parse(values->text[OPT_FETCH_AS], &kind);
    return kind;
}

static void print_place(const struct ss_fetch_result *place, bool as_json)
{
    if (!as_json) {
        if (isatty(STDOUT_FILENO)) {
            cli_say(stdout, "%s", place->path);
        } else {
            puts(place->path); /* for $(…): the bytes that it has */
        }
        return;
    }
    printf("{\"schema\": 1, \"path\": ");
    cli_print_json(stdout, cli_text_of(place->path));
    printf(", \"source\": ");
    cli_print_json(stdout, cli_text_of(place->source));
    printf(", \"commit\": ");
    cli_print_json(stdout, cli_text_of(place->commit));
    puts("}");
}

static int fetch(const struct cli_command *command, const struct cli_values *values)
{
    (void)command;
    struct ss_fetch_result place = {.struct_size = sizeof place};
    ss_err err;
    ss_status status = SS_OK;
    for (size_t i = 0; i < values->n_arguments && status == SS_OK; i++) {
        status = cli_fetch(values, kind_of(values), values->arguments[i], &place, &err);
        if (status == SS_OK) {
            print_place(&place, cli_given(values, OPT_JSON));
        }
        ss_fetch_result_release(&place);
    }
    return status == SS_OK ? CLI_OK : cli_fail(&err);
}

const struct cli_command cli_fetch_command = {
    .name = "fetch",
    .summary = "download a model, SAE or dataset in advance, print its path",
    .argument = "NAME",
    .n_least = 1,
    .n_most = 64,
    .about =
        "Downloads what is not there yet and prints where it lies, a line per name. A name is "
        "ORG/NAME of the model hub, with @REVISION or not; hf:ORG/NAME/PATH or "
        "hf:datasets/ORG/NAME; or an artifact, wandb:ENTITY/PROJECT/NAME:ALIAS. What exists "
        "as a path is taken as a path.\n\nFiles of the hub lie in the cache that its Python "
        "client uses too (HF_HUB_CACHE, HF_HOME), each checked by its hash. An interrupted "
        "download goes on where it stopped. HF_TOKEN opens private things.",
    .examples = {{"saescope fetch sentence-transformers/all-MiniLM-L6-v2",
                  "the files of a model that are needed"},
                 {"saescope fetch --as dataset hf:datasets/ORG/NAME", "a whole dataset"},
                 {"saescope fetch --as sae wandb:ENTITY/PROJECT/NAME:v0", "an artifact"}},
    .uses = {{OPT_FETCH_AS, false, "model", NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = fetch,
};
