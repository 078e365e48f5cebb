/* Rows out of bytes: the interface of a format and the text formats; what other rooms may use
 * of this one. */
#ifndef SS_FORMAT_H
#define SS_FORMAT_H

#include "format/bad_rows.h"
#include "format/data_names.h"
#include "format/json_items.h"
#include "format/json_scan.h"
#include "format/listing.h"
#include "format/numbers.h"
#include "format/reader.h"
#include "format/row_options.h"
#include "format/samples.h"
#include "format/scalar_json.h"

#endif
