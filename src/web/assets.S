/* The files of assets/, as they are, in the library: no build step, no tool. */
#define ASSET(id, name, type)                                                                  \
    .global ss_web_asset_##id;                                                                 \
    .hidden ss_web_asset_##id;                                                                 \
    .global ss_web_asset_end_##id;                                                             \
    .hidden ss_web_asset_end_##id;                                                             \
    ss_web_asset_##id : .incbin name;                                                          \
    ss_web_asset_end_##id : .byte 0;

    .section .rodata
#include "web/asset_list.h"
    .section .note.GNU-stack,"",%progbits
