/* Options of describe that ask a language model, and what came of it. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

/* ---- options ---- */

static bool was_typed(const struct cli_values *values, cli_option_id id)
{
    return values->origin[id] != NULL && strcmp(values->origin[id], "command line") == 0;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* Of the command line, or the environment; a model alone is asked for on the command line. */
static const char *url_of(const struct cli_values *values)
{
    const char *url = values->text[OPT_LLM];
    url = url == NULL ? variable("SAESCOPE_LLM_URL") : url;
    return url == NULL ? variable("OPENAI_BASE_URL") : url;
}

static int read_prices(const struct cli_command *command, const struct cli_values *values,
                       struct ss_llm_options *llm)
{
    const char *text = values->text[OPT_LLM_PRICE];
    char *end = NULL;
    if (text == NULL) {
        return CLI_OK;
    }
    llm->price_in = strtod(text, &end);
    bool is_good = end != text && *end == ',' && text[0] >= '.' && text[0] <= '9';
    if (is_good) {
        const char *second = end + 1;
        llm->price_out = strtod(second, &end);
        is_good = end != second && *end == '\0' && second[0] >= '.' && second[0] <= '9';
    }
    return is_good ? CLI_OK
                   : cli_usage_error(command,
                                     "--llm-price: '%s' is not two prices with a comma "
                                     "between, such as 0.15,0.60",
                                     text);
}

static int read_scores(const struct cli_command *command, const struct cli_values *values,
                       struct ss_llm_options *llm)
{
    const char *text = values->text[OPT_LLM_SCORE];
    while (*text != '\0') {
        const size_t n = strcspn(text, ",");
        if (n == 9 && strncmp(text, "detection", n) == 0) {
            llm->detection = true;
        } else if (n == 8 && strncmp(text, "logprobs", n) == 0) {
            llm->detection = llm->logprobs = true;
        } else if (n == 7 && strncmp(text, "fuzzing", n) == 0) {
            llm->fuzzing = true;
        } else if (n == 10 && strncmp(text, "simulation", n) == 0) {
            llm->simulation = true;
        } else if (n != 4 || strncmp(text, "none", n) != 0) {
            return cli_usage_error(command,
                                   "--llm-score: '%.*s' is none of detection, logprobs, "
                                   "fuzzing, simulation, none",
                                   (int)n, text);
        }
        text += n + (text[n] == ',');
    }
    return CLI_OK;
}

int cli_llm_options(const struct cli_command *command, const struct cli_values *values,
                    struct ss_llm_options *llm, const struct ss_llm_options **out)
{
    *out = NULL;
    if (!was_typed(values, OPT_LLM) && !was_typed(values, OPT_LLM_MODEL)) {
        return cli_given(values, OPT_DRY_RUN)
                   ? cli_usage_error(command, "--dry-run is for --llm")
                   : CLI_OK;
    }
    const char *api = values->text[OPT_LLM_API];
    *llm = (struct ss_llm_options){
        .struct_size = sizeof *llm,
        .url = url_of(values),
        .model = values->text[OPT_LLM_MODEL],
        .api = strcmp(api, "openai") == 0      ? SS_LLM_API_OPENAI
               : strcmp(api, "anthropic") == 0 ? SS_LLM_API_ANTHROPIC
                                               : SS_LLM_API_GUESSED,
        .reasoning_effort = values->text[OPT_LLM_EFFORT],
        .cache_dir = values->text[OPT_LLM_CACHE],
        .n_jobs = values->count[OPT_LLM_JOBS],
        .n_candidates = values->count[OPT_LLM_CANDIDATES],
        .hints = cli_given(values, OPT_LLM_HINTS),
        .ask_again = cli_given(values, OPT_LLM_AGAIN),
        .log_prompts = cli_given(values, OPT_LLM_LOG_PROMPTS),
        .offline = cli_given(values, OPT_OFFLINE),
        .dry_run = cli_given(values, OPT_DRY_RUN),
        .answer_seconds = values->real[OPT_LLM_TIMEOUT],
        .max_cost = values->real[OPT_MAX_COST],
        .max_calls = values->count[OPT_MAX_CALLS],
        .max_tokens = values->count[OPT_MAX_LLM_TOKENS],
    };
    if (llm->url == NULL) {
        return cli_usage_error(command, "--llm-model needs --llm URL");
    }
    const int code = read_prices(command, values, llm);
    *out = llm;
    return code == CLI_OK ? read_scores(command, values, llm) : code;
}

/* ---- results ---- */

static struct ss_llm_report report_of(const ss_descriptions *descriptions)
{
    struct ss_llm_report report = {.struct_size = sizeof report};
    (void)ss_descriptions_llm(descriptions, &report);
    return report;
}

static void print_cost(double cost)
{
    if (cost > 0) {
        printf(cost < 1 ? ", cost %.4f" : ", cost %.2f", cost);
    }
}

void cli_print_llm(const ss_descriptions *descriptions)
{
    const struct ss_llm_report report = report_of(descriptions);
    char described[32], all[32], calls[64], in[32], out[32], kept[32];
    if (report.host[0] == '\0') {
        return;
    }
    printf("Language model %s of %s features described",
           cli_thousands(report.n_described, described),
           cli_thousands(report.n_described + report.n_missing, all));
    printf("; %s, %s tokens in, %s out", cli_plural(report.n_calls, "request", calls),
           cli_thousands(report.n_tokens_in, in), cli_thousands(report.n_tokens_out, out));
    print_cost(report.cost);
    putchar('\n');
    if (report.n_answers_kept > 0) {
        printf("               %s answers were there from before\n",
               cli_thousands(report.n_answers_kept, kept));
    }
    if (report.failures[0] != '\0') {
        printf("               without an answer: %s\n", report.failures);
    }
}

void cli_print_json_llm(const ss_descriptions *descriptions)
{
    const struct ss_llm_report report = report_of(descriptions);
    char cost[CLI_NUMBER_BYTES];
    if (report.host[0] == '\0') {
        return;
    }
    printf(", \"llm\": {\"host\": ");
    cli_print_json(stdout, cli_text_of(report.host));
    printf(", \"texts\": %llu, \"described\": %llu, \"missing\": %llu, \"requests\": %llu, "
           "\"kept\": %llu, \"tokens_in\": %llu, \"tokens_out\": %llu, \"cost\": %s, "
           "\"failures\": ",
           (unsigned long long)report.n_texts, (unsigned long long)report.n_described,
           (unsigned long long)report.n_missing, (unsigned long long)report.n_calls,
           (unsigned long long)report.n_answers_kept, (unsigned long long)report.n_tokens_in,
           (unsigned long long)report.n_tokens_out, cli_number(report.cost, cost));
    cli_print_json(stdout, cli_text_of(report.failures));
    putchar('}');
}

void cli_print_llm_plan(const ss_descriptions *descriptions, bool as_json)
{
    const struct ss_llm_report report = report_of(descriptions);
    char texts[64], calls[64], in[32], out[32], kept[32];
    if (as_json) {
        printf("{\"schema\": 1, \"dry_run\": true");
        cli_print_json_llm(descriptions);
        printf(", \"prompt\": ");
        cli_print_json(stdout, cli_text_of(report.prompt));
        puts("}");
        return;
    }
    cli_say(stdout, "Host           %s", report.host);
    printf("Texts          %s of the dataset\n", cli_plural(report.n_texts, "text", texts));
    printf("Requests       %s, at most %s tokens in, %s out",
           cli_plural(report.n_calls, "request", calls), cli_thousands(report.n_tokens_in, in),
           cli_thousands(report.n_tokens_out, out));
    print_cost(report.cost);
    printf("\nAnswers kept   %s\n\nOne prompt in full:\n\n",
           cli_thousands(report.n_answers_kept, kept));
    for (const char *line = report.prompt; *line != '\0';) {
        const size_t n = strcspn(line, "\n");
        cli_print_safely(stdout, (struct ss_text){line, n}, 0);
        putchar('\n');
        line += n + (line[n] == '\n');
    }
}
