/* Parquet files: what other rooms may use of this one. Source of the format: the specification
 * of Apache Parquet (parquet.thrift, Encodings.md, LogicalTypes.md); its parts are described
 * where they are read. */
#ifndef SS_PARQUET_H
#define SS_PARQUET_H

#include "format/format.h"
#include "source/source.h"

extern const struct ss_format_reader ss_parquet_reader;

/* The planner of Parquet (struct ss_source_planner): the hint is the name of a column, whose
 * chunks are planned if it is one of texts; the footer is there afterwards in any case. */
SS_MUST_USE ss_status ss_parquet_planner(struct ss_source_partial *file, const char *column,
                                         struct ss_source_ranges *ranges, bool *is_planned,
                                         ss_err *err);

#endif
