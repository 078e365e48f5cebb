/* Files that a browser is given, embedded in the library. */
#ifndef SS_WEB_ASSETS_H
#define SS_WEB_ASSETS_H

#include "base/buf.h"

struct ss_web_asset {
    const char *name; /* "app.js" */
    const char *type; /* its media type */
    const char *data, *end;
};

extern const struct ss_web_asset ss_web_assets[];
extern const size_t ss_web_n_assets;

/* NULL where there is none of that name. */
const struct ss_web_asset *ss_web_asset_find(const char *name);

/* Append all modules as one script: without their lines that begin "import ", and without
 * "export " before what they define. */
void ss_web_add_script(struct ss__buf *buf);

#endif
