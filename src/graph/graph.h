/* How features hang together: what other rooms use of this one. Everything is computed from
 * numbers that are handed in; the answer depends neither on threads nor on the order of rows.
 * A feature is named by its number in the SAE; where two are equally good, the smaller number
 * comes first. */
#ifndef SS_GRAPH_H
#define SS_GRAPH_H

#include "graph/clusters.h"
#include "graph/families.h"
#include "graph/families_held_out.h"
#include "graph/pairs.h"
#include "graph/significance.h"
#include "graph/umap.h"

#endif
