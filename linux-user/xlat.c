/* Flag words, structs, error and ioctl look-ups by the tables of syscall-tables/. */
#include "linux-user/xlat.h"

#include <linux/ioctl.h>
#include <string.h>

#include "base/bits.h"

static uint64_t move_flags(const struct flag_set *s, uint64_t word, bool to_host)
{
    uint64_t from = 0, out = 0;
    for (unsigned i = 0; i < s->npairs; i++) {
        uint32_t a = to_host ? s->pairs[i].guest : s->pairs[i].host;
        uint32_t b = to_host ? s->pairs[i].host : s->pairs[i].guest;
        from |= a;
        if (word & a)
            out |= b;
    }
    return (word & ~from) | out;
}

uint64_t flags_to_host(const struct syscall_abi *abi, enum flag_set_id set, uint64_t word)
{
    return move_flags(&abi->sets[set], word, true);
}

uint64_t flags_to_guest(const struct syscall_abi *abi, enum flag_set_id set, uint64_t word)
{
    return move_flags(&abi->sets[set], word, false);
}

static void copy_field(void *to, unsigned to_size, const void *from, unsigned from_size, bool is_signed)
{
    unsigned char wide[8];
    if (to_size <= from_size || to_size > sizeof wide) {
        memcpy(to, from, to_size < from_size ? to_size : from_size);
        return;
    }
    /* Little-endian on both sides: extending appends bytes. */
    bool negative = is_signed && ((const unsigned char *)from)[from_size - 1] & 0x80;
    memset(wide, negative ? 0xff : 0, sizeof wide);
    memcpy(wide, from, from_size);
    memcpy(to, wide, to_size);
}

void struct_to_host(enum struct_id id, void *host, const void *guest)
{
    const struct struct_desc *d = &syscall_structs[id];
    memset(host, 0, d->host_size);
    for (unsigned i = 0; i < d->nfields; i++) {
        const struct field_desc *f = &d->fields[i];
        for (unsigned k = 0; f->host_size && k < f->count; k++)
            copy_field((char *)host + f->host_offset + k * f->host_size, f->host_size,
                       (const char *)guest + f->offset + k * f->size, f->size, f->is_signed);
    }
}

void struct_to_guest(enum struct_id id, void *guest, const void *host)
{
    const struct struct_desc *d = &syscall_structs[id];
    memset(guest, 0, d->size);
    for (unsigned i = 0; i < d->nfields; i++) {
        const struct field_desc *f = &d->fields[i];
        for (unsigned k = 0; f->host_size && k < f->count; k++)
            copy_field((char *)guest + f->offset + k * f->size, f->size,
                       (const char *)host + f->host_offset + k * f->host_size, f->host_size, f->is_signed);
    }
}

const struct errno_desc *errno_by_number(unsigned number)
{
    for (unsigned i = 0; i < syscall_nerrnos; i++)
        if (syscall_errnos[i].number == number)
            return &syscall_errnos[i];
    return NULL;
}

/* The rows of one command are sorted; the few others are tried one after the other. */
const struct ioctl_desc *ioctl_by_command(uint32_t command)
{
    const uint32_t size = (uint32_t)_IOC_SIZEMASK << _IOC_SIZESHIFT;
    unsigned lo = 0, hi = syscall_nioctls_exact;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (syscall_ioctls[mid].first == command)
            return &syscall_ioctls[mid];
        if (syscall_ioctls[mid].first < command)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (unsigned i = syscall_nioctls_exact; i < syscall_nioctls; i++) {
        const struct ioctl_desc *d = &syscall_ioctls[i];
        uint32_t number = d->any_size ? command & ~size : command;
        if (number >= d->first && number <= d->last)
            return d;
    }
    return NULL;
}

const struct ioctl_refusal *ioctl_refusal(uint32_t command)
{
    for (unsigned i = 0; i < syscall_nioctl_refusals; i++)
        if (syscall_ioctl_refusals[i].type == _IOC_TYPE(command))
            return &syscall_ioctl_refusals[i];
    return NULL;
}
