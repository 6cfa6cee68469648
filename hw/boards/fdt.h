/*
 * Building a flattened device tree (Devicetree Specification 0.4) with libfdt, one call per property. Errors are kept:
 * the first one fails fdt_finish_tree().
 */
#ifndef HW_BOARDS_FDT_H
#define HW_BOARDS_FDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fdt {
    void *tree;
    int node;  /* where properties go */
    int error; /* libfdt's, of the first call that failed; 0: none */
};

/* An empty tree; false without memory. */
bool fdt_start_tree(struct fdt *f);
/* The node of the path's child `name` (printf) becomes the current one, made if it is not there. */
void fdt_at(struct fdt *f, const char *path, const char *name, ...) __attribute__((format(printf, 3, 4)));
void fdt_text(struct fdt *f, const char *property, const char *text);
/* Several texts, one after the other, each with its 0: n bytes. */
void fdt_bytes(struct fdt *f, const char *property, const void *bytes, size_t n);
void fdt_flag(struct fdt *f, const char *property);
/* 32-bit cells. */
void fdt_cells_of(struct fdt *f, const char *property, unsigned n, const uint32_t *cells);
#define fdt_cells(f, property, ...) \
    fdt_cells_of((f), (property), sizeof((uint32_t[]){__VA_ARGS__}) / 4, (const uint32_t[]){__VA_ARGS__})
/* Addresses and sizes, two cells each. */
void fdt_wide_of(struct fdt *f, const char *property, unsigned n, const uint64_t *values);
#define fdt_wide(f, property, ...) \
    fdt_wide_of((f), (property), sizeof((uint64_t[]){__VA_ARGS__}) / 8, (const uint64_t[]){__VA_ARGS__})
/* Packs the tree; returns its size, or 0 with the reason in *error. fdt_free_tree() in both cases. */
size_t fdt_finish_tree(struct fdt *f, const char **error);
void fdt_free_tree(struct fdt *f);

#endif
