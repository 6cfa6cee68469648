/*
 * Files that a machine starts with: firmware, kernels, initial RAM disks. Every function returns NULL, or one line for
 * the user, to be freed.
 */
#ifndef HW_BOARDS_LOAD_H
#define HW_BOARDS_LOAD_H

#include "softmmu/memory.h"

struct image {
    uint8_t *bytes;
    uint64_t size;
};

enum image_form { IMAGE_AS_IT_IS, IMAGE_UNPACKED };

/* The file's content, of at most `max` bytes; free() its bytes. */
char *image_read(const char *path, enum image_form form, uint64_t max, struct image *out);
/* Copies it into memory at the address. */
char *image_place(const struct image *im, struct mem_space *s, uint64_t address, const char *path);
bool image_is_elf(const struct image *im);
/* Places an ELF file's segments at their physical addresses. [*first, *end): where they lie. machine: EM_…. */
char *image_place_elf(const struct image *im, struct mem_space *s, uint16_t machine, const char *path, uint64_t *entry,
                      uint64_t *first, uint64_t *end);

#endif
