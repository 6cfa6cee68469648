/* See fdt.h. */
#include "hw/boards/fdt.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROOM = 256 * 1024, MAX_CELLS = 512, MAX_NAME = 128 };

static void keep(struct fdt *f, int result)
{
    if (result < 0 && !f->error)
        f->error = result;
}

bool fdt_start_tree(struct fdt *f)
{
    *f = (struct fdt){.tree = malloc(ROOM)};
    if (f->tree)
        keep(f, fdt_create_empty_tree(f->tree, ROOM));
    return f->tree;
}

void fdt_at(struct fdt *f, const char *path, const char *name, ...)
{
    char text[MAX_NAME];
    va_list args;
    va_start(args, name);
    vsnprintf(text, sizeof text, name, args);
    va_end(args);
    int parent = fdt_path_offset(f->tree, path);
    keep(f, parent);
    f->node = *text ? fdt_subnode_offset(f->tree, parent, text) : parent;
    if (f->node == -FDT_ERR_NOTFOUND)
        f->node = fdt_add_subnode(f->tree, parent, text);
    keep(f, f->node);
}

void fdt_bytes(struct fdt *f, const char *property, const void *bytes, size_t n)
{
    if (!f->error)
        keep(f, fdt_setprop(f->tree, f->node, property, bytes, (int)n));
}

void fdt_text(struct fdt *f, const char *property, const char *text)
{
    fdt_bytes(f, property, text, strlen(text) + 1);
}

void fdt_flag(struct fdt *f, const char *property)
{
    fdt_bytes(f, property, NULL, 0);
}

void fdt_cells_of(struct fdt *f, const char *property, unsigned n, const uint32_t *cells)
{
    fdt32_t out[MAX_CELLS];
    if (n > MAX_CELLS) {
        keep(f, -FDT_ERR_NOSPACE);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        out[i] = cpu_to_fdt32(cells[i]);
    fdt_bytes(f, property, out, n * sizeof out[0]);
}

void fdt_wide_of(struct fdt *f, const char *property, unsigned n, const uint64_t *values)
{
    uint32_t cells[MAX_CELLS];
    if (n > MAX_CELLS / 2) {
        keep(f, -FDT_ERR_NOSPACE);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        cells[2 * i] = (uint32_t)(values[i] >> 32);
        cells[2 * i + 1] = (uint32_t)values[i];
    }
    fdt_cells_of(f, property, 2 * n, cells);
}

size_t fdt_finish_tree(struct fdt *f, const char **error)
{
    if (!f->error)
        keep(f, fdt_pack(f->tree));
    *error = f->error ? fdt_strerror(f->error) : NULL;
    return f->error ? 0 : fdt_totalsize(f->tree);
}

void fdt_free_tree(struct fdt *f)
{
    free(f->tree);
    f->tree = NULL;
}
