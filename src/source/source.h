/* Bytes from wherever they are: what other rooms may use of this one. */
#ifndef SS_SOURCE_H
#define SS_SOURCE_H

#include "source/archive.h"
#include "source/codec.h"
#include "source/decode.h"
#include "source/input.h"
#include "source/input_view.h"
#include "source/names.h"
#include "source/prefetch.h"
#include "source/stream.h"
#include "source/tar.h"
#include "source/zip.h"

#endif
