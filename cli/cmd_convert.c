/* saescope convert: an SAE in another format. */
#include "commands.h"

static void report(const struct cli_values *values, const struct ss_convert_result *done)
{
    const char *to = values->text[OPT_TO];
    const unsigned long long n_rounded = done->n_rounded_thresholds;
    if (cli_given(values, OPT_JSON)) {
        printf("{\"schema\": 1, \"out\": ");
        cli_print_json(stdout, cli_text_of(values->text[OPT_OUT]));
        printf(", \"from\": \"%s\", \"to\": \"%s\", \"kind\": \"%s\", "
               "\"rounded_thresholds\": %llu}\n",
               done->from, to, done->kind, n_rounded);
    } else if (!cli_given(values, OPT_QUIET)) {
        char rounded[96] = "";
        if (n_rounded > 0) {
            snprintf(rounded, sizeof rounded,
                     " (%llu thresholds moved to the nearest that can be stored)", n_rounded);
        }
        cli_say(stderr, "%s written as %s, kind %s: %s%s", done->from, to, done->kind,
                values->text[OPT_OUT], rounded);
    }
}

static int convert(const struct cli_command *command, const struct cli_values *values)
{
    if (cli_check_out_folder(command, values) != CLI_OK) {
        return CLI_USAGE;
    }
    ss_err err;
    struct ss_convert_result done = {.struct_size = sizeof done};
    struct ss_fetch_result place = {.struct_size = sizeof place};
    const struct ss_sae_options sae = cli_sae_options(values);
    const struct ss_convert_options options = {
        .struct_size = sizeof options,
        .force = cli_given(values, OPT_FORCE),
        .allow_rounding = cli_given(values, OPT_ALLOW_ROUNDING),
        .sae = &sae,
    };
    ss_status status = cli_fetch(values, SS_FETCH_SAE, values->text[OPT_SAE], &place, &err);
    if (status == SS_OK) {
        status = ss_sae_convert(place.path, values->text[OPT_TO], values->text[OPT_OUT],
                                &options, &done, &err);
    }
    ss_fetch_result_release(&place);
    if (status != SS_OK) {
        return cli_fail_before(&err, values->text[OPT_OUT]);
    }
    report(values, &done);
    return CLI_OK;
}

const struct cli_command cli_convert = {
    .name = "convert",
    .summary = "an SAE in another format",
    .about =
        "Writes an SAE of any format that is read in the format of SAEs-for-Sentence-BERT "
        "(seed) or of SAELens. What it writes gives the same activations, bit for bit; where "
        "the other format cannot say what the SAE does, it is refused with the reason.\n\nA "
        "batch-top-k SAE keeps the k*N largest activations of N rows and may store no "
        "threshold. In seed it stays one; SAELens has none such, so --batchtopk has to say "
        "what its copy does: threshold keeps what is above --batchtopk-threshold, row-topk "
        "the k largest of each row.",
    .examples = {{"saescope convert --sae my-sae --to saelens --out my-sae-lens",
                  "a folder that SAE.load_from_disk of SAELens reads"},
                 {"saescope convert --sae ae.pt --to seed --allow-rounding --out seed",
                  "thresholds as logarithms, rounded where no float32 fits"}},
    .uses = {{OPT_SAE, true, NULL, NULL},
             {OPT_TO, true, NULL, NULL},
             {OPT_OUT, true, NULL, "folder for the files"},
             {OPT_SAE_FORMAT, false, NULL, NULL},
             {OPT_SAE_TOP_K, false, NULL, NULL},
             {OPT_BATCHTOPK, false, "refuse", NULL},
             {OPT_BATCHTOPK_THRESHOLD, false, NULL, "the threshold of the rule \"threshold\""},
             {OPT_ALLOW_ROUNDING, false, NULL, NULL},
             {OPT_FORCE, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = convert,
};
