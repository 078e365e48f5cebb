/* From options of the command line to options of the library. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct ss_encoder_options cli_encoder_options(const struct cli_values *values)
{
    ss_precision precision = SS_PRECISION_HIGH;
    (void)ss_precision_parse(values->text[OPT_PRECISION], &precision);
    return (struct ss_encoder_options){
        .struct_size = sizeof(struct ss_encoder_options),
        .prompt = values->text[OPT_PROMPT],
        .prompt_name = values->text[OPT_PROMPT_NAME],
        .max_tokens = values->count[OPT_MAX_TOKENS],
        .precision = precision,
        .truncate_dim = values->count[OPT_TRUNCATE_DIM],
        .progress = cli_stop(),
        .log = cli_log(values),
    };
}

struct ss_sae_options cli_sae_options(const struct cli_values *values)
{
    struct ss_sae_options options = {
        .struct_size = sizeof options,
        .format = values->text[OPT_SAE_FORMAT],
        .top_k = values->count[OPT_SAE_TOP_K],
        .batchtopk_threshold = values->real[OPT_BATCHTOPK_THRESHOLD],
        .calibration_rows = values->count[OPT_CALIBRATION_ROWS],
        .batch_rows = values->count[OPT_BATCH_ROWS],
        .progress = cli_stop(),
        .log = cli_log(values),
    };
    (void)ss_batchtopk_rule_parse(values->text[OPT_BATCHTOPK], &options.batchtopk_rule);
    return options;
}

struct ss_dataset_options cli_dataset_options(const struct cli_values *values)
{
    struct ss_dataset_options options = {
        .struct_size = sizeof options,
        .text_column = values->text[OPT_TEXT_COLUMN],
        .format = values->text[OPT_FORMAT],
        .split = values->text[OPT_SPLIT],
        .config = values->text[OPT_CONFIG],
        .cache_dataset = cli_given(values, OPT_CACHE_DATASET),
        .offline = cli_given(values, OPT_OFFLINE),
        .keep = values->text[OPT_KEEP],
        .csv = values->text[OPT_CSV],
        .encoding = values->text[OPT_ENCODING],
        .field = values->text[OPT_FIELD],
        .where = values->text[OPT_WHERE],
        .sample = values->count[OPT_SAMPLE],
        .seed = values->count[OPT_SEED],
        .progress = cli_stop(),
        .log = cli_log(values),
    };
    (void)ss_text_unit_parse(values->text[OPT_TEXT_UNIT], &options.text_unit);
    (void)ss_bad_rows_parse(values->text[OPT_ON_BAD_ROW], &options.on_bad_row);
    return options;
}

struct ss_embeddings_options cli_embeddings_options(const struct cli_values *values)
{
    return (struct ss_embeddings_options){
        .struct_size = sizeof(struct ss_embeddings_options),
        .column = values->text[OPT_EMBEDDING_COLUMN],
        .progress = cli_stop(),
    };
}

struct ss_run_options cli_run_options(const struct cli_values *values)
{
    return (struct ss_run_options){
        .struct_size = sizeof(struct ss_run_options),
        .log = cli_log(values),
        .progress = cli_stop(),
    };
}

int cli_null_rule(const struct cli_command *command, const struct cli_values *values,
                  ss_null_rule *rule)
{
    const char *given = values->text[OPT_NULL];
    *rule = SS_NULL_DEFAULT;
    (void)ss_null_rule_parse(given, rule);
    if (!cli_given(values, OPT_SKIP_EMPTY)) {
        return CLI_OK;
    }
    if (*rule != SS_NULL_SKIP && strcmp(values->origin[OPT_NULL], "default") != 0) {
        return cli_usage_error(command, "--skip-empty is --null skip; --null %s contradicts it",
                               given);
    }
    *rule = SS_NULL_SKIP;
    return CLI_OK;
}

struct ss_option_record *cli_records(const struct cli_command *command,
                                     const struct cli_values *values, size_t *n)
{
    struct ss_option_record *records =
        calloc(cli_n_uses(command) + values->n_list + 1, sizeof *records);
    *n = 0;
    for (size_t i = 0; records != NULL && i < cli_n_uses(command); i++) {
        const cli_option_id id = command->uses[i].id;
        if (!cli_given(values, id)) {
            continue;
        }
        const bool is_list = cli_options[id].kind == CLI_LIST;
        const bool is_flag = cli_options[id].kind == CLI_FLAG;
        const bool is_number = values->number[id][0] != '\0';
        for (size_t j = 0; j < (is_list ? values->n_list : 1); j++) {
            records[(*n)++] = (struct ss_option_record){
                .name = cli_options[id].name,
                .value = is_list     ? values->list[j]
                         : is_flag   ? "true"
                         : is_number ? values->number[id]
                                     : values->text[id],
                .origin = values->origin[id],
                .kind = is_flag     ? SS_VALUE_BOOL
                        : is_number ? SS_VALUE_NUMBER
                                    : SS_VALUE_TEXT,
            };
        }
    }
    return records;
}
