/* Tables that the writer and the reader of the evidence share (docs/formats.md). */
#include "folder/evidence_files.h"

const struct ss_arrow_output_column ss_folder_text_columns[SS_FOLDER_N_TEXT_COLUMNS] = {
    [SS_FOLDER_TEXT_KEY] = {.name = "key", .value = SS_ARROW_VALUE_U64},
    [SS_FOLDER_TEXT_HALF] = {.name = "half", .value = SS_ARROW_VALUE_U8},
    [SS_FOLDER_TEXT_IN_POOL] = {.name = "in_pool", .value = SS_ARROW_VALUE_BOOL},
    [SS_FOLDER_TEXT_COUNT] = {.name = "count",
                              .value = SS_ARROW_VALUE_U64,
                              .is_nullable = true},
    [SS_FOLDER_TEXT_POSITION] = {.name = "position", .value = SS_ARROW_VALUE_I64},
    [SS_FOLDER_TEXT_FILE] = {.name = "file", .value = SS_ARROW_VALUE_UTF8},
    [SS_FOLDER_TEXT_TEXT] = {.name = "text", .value = SS_ARROW_VALUE_UTF8, .is_nullable = true},
    [SS_FOLDER_TEXT_KEPT] = {.name = "kept", .value = SS_ARROW_VALUE_UTF8, .is_nullable = true},
    [SS_FOLDER_TEXT_FEATURES] = {.name = "features",
                                 .value = SS_ARROW_VALUE_U32,
                                 .is_list = true},
    [SS_FOLDER_TEXT_VALUES] = {.name = "activations",
                               .value = SS_ARROW_VALUE_F32,
                               .is_list = true},
};

const struct ss_arrow_output_column ss_folder_sample_columns[SS_FOLDER_N_SAMPLE_COLUMNS] = {
    [SS_FOLDER_SAMPLE_FEATURE] = {.name = "feature", .value = SS_ARROW_VALUE_U32},
    [SS_FOLDER_SAMPLE_KIND] = {.name = "kind", .value = SS_ARROW_VALUE_UTF8},
    [SS_FOLDER_SAMPLE_HALF] = {.name = "half", .value = SS_ARROW_VALUE_U8},
    [SS_FOLDER_SAMPLE_RANK] = {.name = "rank", .value = SS_ARROW_VALUE_U32},
    [SS_FOLDER_SAMPLE_ACTIVATION] = {.name = "activation", .value = SS_ARROW_VALUE_F32},
    [SS_FOLDER_SAMPLE_TEXT] = {.name = "text", .value = SS_ARROW_VALUE_U32},
};

const struct ss_folder_sample_list ss_folder_sample_lists[SS_STATS_N_SAMPLES] = {
    [SS_STATS_SAMPLE_TOP] = {"top", -1},
    [SS_STATS_SAMPLE_STRONGEST] = {"strongest", SS_STATS_DESCRIBE},
    [SS_STATS_SAMPLE_FIRING_DESCRIBE] = {"firing", SS_STATS_DESCRIBE},
    [SS_STATS_SAMPLE_FIRING_SCORE] = {"firing", SS_STATS_SCORE},
    [SS_STATS_SAMPLE_MISS_DESCRIBE] = {"miss", SS_STATS_DESCRIBE},
    [SS_STATS_SAMPLE_MISS_SCORE] = {"miss", SS_STATS_SCORE},
};
