/* The files of embedded/ as they are, in the library. */
#define EMBED(id, name)                                                                        \
    .balign 64;                                                                                \
    .global id;                                                                                \
    .hidden id;                                                                                \
    .global id##_end;                                                                          \
    .hidden id##_end;                                                                          \
    id : .incbin name;                                                                         \
    id##_end : .byte 0;

    .section .rodata
EMBED(ss_sae_minilm_config, "all-MiniLM-L6-v2.json")
EMBED(ss_sae_minilm_weights, "all-MiniLM-L6-v2.safetensors")
    .section .note.GNU-stack,"",%progbits
