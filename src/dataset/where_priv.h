/* An expression over columns as its parser makes it: comparisons, and a program that joins
 * them, operators behind their operands. */
#ifndef SS_DATASET_WHERE_PRIV_H
#define SS_DATASET_WHERE_PRIV_H

#include "base/arena.h"
#include "base/buf.h"
#include "dataset/where.h"

typedef enum ss_dataset_where_operator {
    SS_DATASET_WHERE_EQUAL,
    SS_DATASET_WHERE_NOT_EQUAL,
    SS_DATASET_WHERE_LESS,
    SS_DATASET_WHERE_LESS_EQUAL,
    SS_DATASET_WHERE_GREATER,
    SS_DATASET_WHERE_GREATER_EQUAL,
    SS_DATASET_WHERE_IN,
    SS_DATASET_WHERE_NOT_IN,
    SS_DATASET_WHERE_IS_NULL,
    SS_DATASET_WHERE_IS_NOT_NULL
} ss_dataset_where_operator;

typedef enum ss_dataset_where_type {
    SS_DATASET_WHERE_NULL,
    SS_DATASET_WHERE_NUMBER,
    SS_DATASET_WHERE_TEXT,
    SS_DATASET_WHERE_BOOL,
    SS_DATASET_WHERE_OTHER /* a list or an object */
} ss_dataset_where_type;

struct ss_dataset_where_literal {
    ss_dataset_where_type type;
    struct ss_text text; /* of a number its digits */
    bool is_true;
};

struct ss_dataset_where_comparison {
    size_t column;
    ss_dataset_where_operator how;
    struct ss_dataset_where_literal *values; /* [n_values] */
    size_t n_values, values_capacity;
};

/* Steps of the program beside the index of a comparison. */
enum { SS_DATASET_WHERE_AND = -1, SS_DATASET_WHERE_OR = -2, SS_DATASET_WHERE_NOT = -3 };

enum { SS_DATASET_WHERE_MAX_STEPS = 1000, SS_DATASET_WHERE_MAX_DEPTH = 100 };

struct ss_dataset_where {
    struct ss__arena arena; /* texts */
    char **columns;         /* [n_columns] */
    size_t n_columns, columns_capacity;
    struct ss_dataset_where_comparison *comparisons; /* [n_comparisons] */
    size_t n_comparisons, comparisons_capacity;
    int *steps; /* [n_steps] */
    size_t n_steps, steps_capacity;
    struct ss__buf text; /* of a string whose escapes were resolved */
    uint64_t n_mismatched;
    uint64_t mismatched_row; /* of the first of them */
    char mismatch[256];      /* what it was */
};

/* The order of two numbers written in decimal, exact: below, equal or above 0. False where one
 * of them is no such number. */
bool ss_dataset_where_compare_numbers(struct ss_text a, struct ss_text b, int *order);

#endif
