/* Arrow files, read and written: what other rooms may use of this one. Source of the format:
 * the Arrow columnar format and its IPC encapsulation (Columnar.rst, Message.fbs, Schema.fbs,
 * File.fbs). */
#ifndef SS_ARROW_H
#define SS_ARROW_H

#include "arrow/arrow_table.h"
#include "arrow/arrow_write.h"
#include "format/format.h"

extern const struct ss_format_reader ss_arrow_reader;

#endif
