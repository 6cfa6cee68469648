/* Streams of saved state: see state.h. */
#include "softmmu/state.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zlib.h>

#include "base/log.h"

enum { KIND_ITEM = 1, KIND_MEMORY, KIND_END };
enum {
    PAGE = 1 << MEM_PAGE_SHIFT,
    RUN = 1 << 20 /* bytes of memory in a record at most */,
    BUFFER = 1 << 20,
    MAX_ITEMS = 16384
};

static const char magic[16] = "metic machine";

struct header {
    char magic[16];
    uint32_t version, crc;
};

struct record {
    uint32_t kind;
    uint16_t device_size, name_size;
    uint64_t size;
    uint32_t crc, head_crc;
};
_Static_assert(sizeof(struct header) == 24 && sizeof(struct record) == 24, "as written");

static uint32_t crc(uint32_t before, const void *bytes, size_t n) { return (uint32_t)crc32_z(before, bytes, n); }

static bool is_zero(const uint8_t *p, size_t n) { return !*p && !memcmp(p, p + 1, n - 1); }

/* --- writing --- */

struct state_writer {
    int (*write)(void *opaque, const void *bytes, size_t n);
    void *opaque;
    int error;
    uint64_t length, records;
    size_t used;
    uint8_t buffer[BUFFER];
};

static void flush(struct state_writer *w)
{
    if (!w->error && w->used)
        w->error = w->write(w->opaque, w->buffer, w->used);
    w->used = 0;
}

static void put(struct state_writer *w, const void *bytes, size_t n)
{
    w->length += n;
    for (const uint8_t *p = bytes; n;) {
        size_t part = n < BUFFER - w->used ? n : BUFFER - w->used;
        memcpy(w->buffer + w->used, p, part);
        w->used += part;
        p += part;
        n -= part;
        if (w->used == BUFFER)
            flush(w);
    }
}

struct state_writer *state_writer_new(int (*write)(void *opaque, const void *bytes, size_t n), void *opaque)
{
    struct state_writer *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    w->write = write;
    w->opaque = opaque;
    w->error = 0;
    w->length = w->records = w->used = 0;
    struct header h = {.version = htole32(STATE_VERSION)};
    memcpy(h.magic, magic, sizeof magic);
    h.crc = htole32(crc(0, &h, offsetof(struct header, crc)));
    put(w, &h, sizeof h);
    return w;
}

/* A record whose content is `head`, then `bytes`. */
static void put_record(struct state_writer *w, uint32_t kind, const char *device, const char *name, const void *head,
                       size_t nhead, const void *bytes, size_t n)
{
    size_t ndevice = strlen(device), nname = strlen(name);
    CHECK(ndevice <= STATE_MAX_NAME && nname <= STATE_MAX_NAME && n <= STATE_MAX_ITEM);
    uint32_t sum = crc(crc(crc(crc(0, device, ndevice), name, nname), head, nhead), bytes, n);
    struct record r = {
        htole32(kind), htole16((uint16_t)ndevice), htole16((uint16_t)nname), htole64(nhead + n), htole32(sum), 0};
    r.head_crc = htole32(crc(0, &r, offsetof(struct record, head_crc)));
    put(w, &r, sizeof r);
    put(w, device, ndevice);
    put(w, name, nname);
    put(w, head, nhead);
    put(w, bytes, n);
    w->records++;
}

void state_put(struct state_writer *w, const char *device, const char *name, const void *bytes, size_t n)
{
    put_record(w, KIND_ITEM, device, name, "", 0, bytes, n);
}

void state_put_memory(struct state_writer *w, const char *device, const char *name, const uint8_t *bytes, uint64_t n)
{
    for (uint64_t at = 0, end; at < n; at = end) {
        uint64_t page = n - at < PAGE ? n - at : PAGE;
        end = at + page;
        if (is_zero(bytes + at, page))
            continue;
        while (end < n && end - at < RUN && !is_zero(bytes + end, n - end < PAGE ? n - end : PAGE))
            end += n - end < PAGE ? n - end : PAGE;
        uint64_t offset = htole64(at);
        put_record(w, KIND_MEMORY, device, name, &offset, sizeof offset, bytes + at, end - at);
    }
}

int state_writer_end(struct state_writer *w, uint64_t *length)
{
    uint64_t records = htole64(w->records);
    put_record(w, KIND_END, "", "", &records, sizeof records, "", 0);
    flush(w);
    int error = w->error;
    *length = w->length;
    free(w);
    return error;
}

/* --- reading --- */

/* A record that has been checked. Names are in the reader's text. */
struct entry {
    uint32_t name; /* place of both names, each with a zero behind it */
    uint64_t content, size;
    uint64_t offset; /* memory: where it belongs */
    bool used;
};

struct list {
    struct entry *entry;
    size_t n, room;
};

struct state_reader {
    int (*read)(void *opaque, uint64_t at, void *bytes, uint64_t n);
    void *opaque;
    struct list items, memory;
    char *text;
    size_t ntext, text_room;
    uint8_t *buffer; /* STATE_MAX_ITEM */
};

static bool grow(void **list, size_t *room, size_t wanted, size_t size)
{
    if (wanted <= *room)
        return true;
    size_t more = *room ? 2 * *room : 1024;
    if (more < wanted)
        more = wanted;
    void *bigger = realloc(*list, more * size);
    if (!bigger)
        return false;
    *list = bigger;
    *room = more;
    return true;
}

static char *line(const char *fmt, const char *what, const char *detail)
{
    char *text = NULL;
    int n = snprintf(NULL, 0, fmt, what, detail);
    if (n >= 0 && (text = malloc((size_t)n + 1)))
        snprintf(text, (size_t)n + 1, fmt, what, detail);
    CHECK(text);
    return text;
}

static char *damaged(const char *what, const char *how)
{
    return line("the saved state in %s is damaged: %s", what, how);
}

/* The names of a record, of which `text` has both; NULL: they are none. */
static const char *store_names(struct state_reader *r, const char *text, size_t ndevice, size_t nname)
{
    if (memchr(text, 0, ndevice + nname) || r->ntext > UINT32_MAX / 2)
        return NULL;
    if (!grow((void **)&r->text, &r->text_room, r->ntext + ndevice + nname + 2, 1))
        return NULL;
    char *to = r->text + r->ntext;
    memcpy(to, text, ndevice);
    to[ndevice] = 0;
    memcpy(to + ndevice + 1, text + ndevice, nname);
    to[ndevice + 1 + nname] = 0;
    return to;
}

static bool is_named(const struct state_reader *r, const struct entry *e, const char *device, const char *name)
{
    const char *at = r->text + e->name;
    return !strcmp(at, device) && !strcmp(at + strlen(at) + 1, name);
}

static struct entry *find(const struct state_reader *r, const char *device, const char *name)
{
    for (size_t i = 0; i < r->items.n; i++)
        if (is_named(r, &r->items.entry[i], device, name))
            return &r->items.entry[i];
    return NULL;
}

/* Takes the record at *at, which moves on; *last: it was the end. An error line; NULL: done. */
static char *take_record(struct state_reader *r, const char *what, uint64_t size, uint64_t *at, bool *last)
{
    struct record head;
    uint64_t number, offset = 0;
    int error = size - *at < sizeof head ? ENODATA : r->read(r->opaque, *at, &head, sizeof head);
    if (error)
        return error == ENODATA ? damaged(what, "it ends in the middle")
                                : line("can't read %s: %s", what, strerror(error));
    if (le32toh(head.head_crc) != crc(0, &head, offsetof(struct record, head_crc)))
        return damaged(what, "a record's checksum is wrong");
    uint32_t kind = le32toh(head.kind);
    size_t ndevice = le16toh(head.device_size), nname = le16toh(head.name_size), names = ndevice + nname;
    uint64_t n = le64toh(head.size);
    *at += sizeof head;
    if (ndevice > STATE_MAX_NAME || nname > STATE_MAX_NAME || n > STATE_MAX_ITEM || kind < KIND_ITEM ||
        kind > KIND_END || (kind != KIND_ITEM && n < sizeof number))
        return damaged(what, "a record is of no known kind or size");
    if (size - *at < names + n)
        return damaged(what, "it ends in the middle");
    if ((error = r->read(r->opaque, *at, r->buffer, names + n)))
        return line("can't read %s: %s", what, strerror(error));
    if (le32toh(head.crc) != crc(0, r->buffer, names + n))
        return damaged(what, "a record's checksum is wrong");
    if (kind != KIND_ITEM) {
        memcpy(&number, r->buffer + names, sizeof number);
        offset = le64toh(number);
    }
    if (kind == KIND_END) {
        *last = true;
        return offset == r->items.n + r->memory.n ? NULL : damaged(what, "records are missing");
    }
    if (kind == KIND_MEMORY && (offset % PAGE || offset > UINT64_MAX - RUN - PAGE || n - sizeof number > RUN))
        return damaged(what, "memory is not made of pages");
    const char *name = store_names(r, (char *)r->buffer, ndevice, nname);
    struct list *to = kind == KIND_ITEM ? &r->items : &r->memory;
    if (!name || !grow((void **)&to->entry, &to->room, to->n + 1, sizeof *to->entry))
        return damaged(what, "a name is wrong");
    if (kind == KIND_ITEM && (to->n == MAX_ITEMS || find(r, name, name + ndevice + 1)))
        return damaged(what, "an item is there twice, or there are too many");
    size_t skip = kind == KIND_MEMORY ? sizeof number : 0;
    to->entry[to->n++] = (struct entry){(uint32_t)r->ntext, *at + names + skip, n - skip, offset, false};
    r->ntext += names + 2;
    *at += names + n;
    return NULL;
}

static char *read_all(struct state_reader *r, const char *what, uint64_t size)
{
    struct header h;
    uint64_t at = sizeof h;
    bool last = false;
    int error = size < sizeof h ? 0 : r->read(r->opaque, 0, &h, sizeof h);
    if (error)
        return line("can't read %s: %s", what, strerror(error));
    if (size < sizeof h || memcmp(h.magic, magic, sizeof magic))
        return line("%s is not the saved state of a machine%s", what, "");
    if (le32toh(h.crc) != crc(0, &h, offsetof(struct header, crc)))
        return damaged(what, "its header's checksum is wrong");
    if (le32toh(h.version) != STATE_VERSION)
        return line("the saved state in %s is of another version of metic; load it with that one%s", what, "");
    char *wrong = NULL;
    while (!last && !wrong)
        wrong = take_record(r, what, size, &at, &last);
    return wrong;
}

struct state_reader *state_reader_new(const char *what, uint64_t size,
                                      int (*read)(void *opaque, uint64_t at, void *bytes, uint64_t n), void *opaque,
                                      char **error)
{
    struct state_reader *r = calloc(1, sizeof *r);
    CHECK(r);
    r->read = read;
    r->opaque = opaque;
    r->buffer = malloc(STATE_MAX_ITEM + 2 * STATE_MAX_NAME);
    CHECK(r->buffer);
    if (!(*error = read_all(r, what, size)))
        return r;
    state_reader_free(r);
    return NULL;
}

void state_reader_free(struct state_reader *r)
{
    free(r->items.entry);
    free(r->memory.entry);
    free(r->text);
    free(r->buffer);
    free(r);
}

bool state_get(struct state_reader *r, const char *device, const char *name, void *bytes, size_t n)
{
    struct entry *e = find(r, device, name);
    if (!e || e->size != n)
        return false;
    e->used = true;
    return !bytes || !r->read(r->opaque, e->content, bytes, n);
}

uint64_t state_size(struct state_reader *r, const char *device, const char *name)
{
    const struct entry *e = find(r, device, name);
    return e ? e->size : UINT64_MAX;
}

bool state_memory_fits(struct state_reader *r, const char *device, const char *name, uint64_t n)
{
    bool fits = true;
    for (size_t i = 0; i < r->memory.n; i++) {
        struct entry *e = &r->memory.entry[i];
        if (is_named(r, e, device, name)) {
            e->used = true;
            fits &= e->offset <= n && e->size <= n - e->offset;
        }
    }
    return fits;
}

/* What the region has at the offset becomes `bytes`; NULL: zeros. */
static void set_pages(struct mem_space *s, struct mem_region *to, uint64_t at, const uint8_t *bytes, uint64_t n)
{
    for (uint64_t end = at + n; at < end; at += PAGE) {
        uint64_t part = end - at < PAGE ? end - at : PAGE;
        bool same = bytes ? !memcmp(to->host + at, bytes, part) : is_zero(to->host + at, part);
        if (!same && bytes)
            memcpy(to->host + at, bytes, part);
        else if (!same && (part < PAGE || madvise(to->host + at, part, MADV_DONTNEED))) /* gives its room back */
            memset(to->host + at, 0, part);
        if (!same && to->dirty)
            mem_wrote(s, to, at, part);
        bytes = bytes ? bytes + part : NULL;
    }
}

int state_get_memory(struct state_reader *r, const char *device, const char *name, struct mem_space *s,
                     struct mem_region *to)
{
    uint64_t done = 0; /* records are in order as they are written; what comes before it is as it was saved */
    for (size_t i = 0; i < r->memory.n; i++) {
        const struct entry *e = &r->memory.entry[i];
        if (!is_named(r, e, device, name))
            continue;
        if (e->offset < done || e->offset > to->size || e->size > to->size - e->offset)
            return EINVAL;
        int error = r->read(r->opaque, e->content, r->buffer, e->size);
        if (error)
            return error;
        set_pages(s, to, done, NULL, e->offset - done);
        set_pages(s, to, e->offset, r->buffer, e->size);
        done = e->offset + e->size;
    }
    set_pages(s, to, done, NULL, to->size - done);
    return 0;
}

const char *state_unused(const struct state_reader *r)
{
    const struct list *const lists[] = {&r->items, &r->memory};
    for (unsigned k = 0; k < ARRAY_SIZE(lists); k++)
        for (size_t i = 0; i < lists[k]->n; i++)
            if (!lists[k]->entry[i].used)
                return r->text + lists[k]->entry[i].name;
    return NULL;
}
