/* saescope fill-mask: the likeliest words for the masks of a text. */
#include "commands.h"

static void print_plain(const struct ss_mask_result *result)
{
    for (size_t mask = 0; mask < result->n_masks; mask++) {
        if (result->n_masks > 1) {
            printf("%sMask %zu\n", mask > 0 ? "\n" : "", mask + 1);
        }
        for (size_t i = 0; i < result->n_candidates; i++) {
            const struct ss_mask_candidate *candidate =
                &result->candidates[mask * result->n_candidates + i];
            printf("%8.4f  %6d  ", (double)candidate->score, candidate->token);
            cli_print_safely(stdout, cli_text_of(candidate->token_str), 24);
            printf("  ");
            cli_print_safely(stdout, cli_text_of(candidate->sequence), 0);
            putchar('\n');
        }
    }
}

/* The shape of the usual pipeline: a list for one mask, a list of lists for several. */
static void print_json(const struct ss_mask_result *result)
{
    printf("%s", result->n_masks > 1 ? "[" : "");
    for (size_t mask = 0; mask < result->n_masks; mask++) {
        printf("%s[", mask > 0 ? ", " : "");
        for (size_t i = 0; i < result->n_candidates; i++) {
            const struct ss_mask_candidate *candidate =
                &result->candidates[mask * result->n_candidates + i];
            printf("%s{\"score\": %.16g, \"token\": %d, \"token_str\": ", i > 0 ? ", " : "",
                   (double)candidate->score, candidate->token);
            cli_print_json(stdout, cli_text_of(candidate->token_str));
            printf(", \"sequence\": ");
            cli_print_json(stdout, cli_text_of(candidate->sequence));
            putchar('}');
        }
        putchar(']');
    }
    puts(result->n_masks > 1 ? "]" : "");
}

static int fill_mask(const struct cli_command *command, const struct cli_values *values)
{
    (void)command;
    ss_encoder *encoder = NULL;
    ss_work *work = NULL;
    struct ss_mask_result result = {0};
    ss_err err;
    struct ss_encoder_options options = cli_encoder_options(values);
    options.with_mask_head = true;
    ss_status status = cli_open_encoder(values, options, &encoder, &err);
    if (status == SS_OK) {
        status = ss_work_new(values->count[OPT_THREADS], &work, &err);
    }
    if (status == SS_OK) {
        ss_work_set_progress(work, cli_stop());
        status = ss_fill_mask(encoder, work, cli_text_of(values->arguments[0]),
                              values->count[OPT_TOP_K], &result, &err);
    }
    const int code = status == SS_OK ? CLI_OK : cli_fail(&err);
    if (status == SS_OK) {
        (cli_given(values, OPT_JSON) ? print_json : print_plain)(&result);
    }
    ss_mask_result_release(&result);
    ss_work_free(work);
    ss_encoder_free(encoder);
    return code;
}

const struct cli_command cli_fill_mask = {
    .name = "fill-mask",
    .summary = "the likeliest words for the masks of a text",
    .argument = "TEXT",
    .n_least = 1,
    .n_most = 1,
    .about = "Prints, for every mask token of the text, the likeliest tokens with their "
             "probability over the whole vocabulary and the text with the mask filled. The "
             "mask token is the model's own, such as [MASK] or <mask>.",
    .examples = {{"saescope fill-mask -m distilbert/distilbert-base-cased 'A [MASK] star.'",
                  "score, token id, token and sentence of the five best"},
                 {"saescope fill-mask -m MODEL -k 10 --json 'A [MASK] and a [MASK].'",
                  "ten for each of two masks, as JSON"}},
    .uses = {{OPT_MODEL, true, NULL,
              "a model with a language-model head: a folder, or ORG/NAME[@REVISION] of the "
              "model hub"},
             {OPT_TOP_K, false, "5", "how many candidates per mask"},
             {OPT_PRECISION, false, "highest", NULL},
             {OPT_THREADS, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = fill_mask,
};
