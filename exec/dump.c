/* What `-d` prints about translations and processors. */
#include "exec/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "exec/disassemble.h"
#include "exec/exec-internal.h"
#include "exec/registers.h"

void dump_guest(const struct target *t, const struct code_reader *code, uint64_t pc, size_t bytes)
{
    fprintf(log_stream(), "in: 0x%" PRIx64 "\n", pc);
    while (bytes) {
        size_t avail;
        const uint8_t *p = code->window(code->opaque, pc, &avail);
        if (!p)
            return;
        if (avail > bytes)
            avail = bytes;
        disassemble(log_stream(), t->isa, p, avail, pc);
        pc += avail;
        bytes -= avail;
    }
}

void dump_unit(const char *title, const struct ir_unit *u)
{
    FILE *f = log_stream();
    fprintf(f, "%s: 0x%" PRIx64 " mode %x, %u instructions, %u bytes\n", title, u->pc, u->flags, u->ninsns, u->bytes);
    ir_print(f, u);
}

void dump_host(const struct tcg_host *host, const struct code_block *b)
{
    fprintf(log_stream(), "out: 0x%" PRIx64 ", %u bytes\n", b->pc, b->c.size);
    disassemble(log_stream(), host->isa, b->c.code, b->c.size, (uintptr_t)b->c.code);
}

static void perf_line(FILE *f, const struct code_block *b)
{
    fprintf(f, "%" PRIxPTR " %x %s_%" PRIx64 "\n", (uintptr_t)b->c.code, b->c.size, b->quick ? "quick" : "hot", b->pc);
}

/* Opened for each unit: a descriptor that stayed would be one that the guest could close. */
void dump_perf(struct exec *x, const struct code_block *b)
{
    char name[64];
    bool first = x->perf_owner != getpid();
    x->perf_owner = getpid();
    snprintf(name, sizeof name, "/tmp/perf-%d.map", (int)x->perf_owner);
    /* The folder is everybody's: what another user has put there is not followed. */
    int fd = open(name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (first ? O_TRUNC : O_APPEND), 0644);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "a");
    if (!f) {
        if (first)
            report_error("-d perf: cannot write %s: %s", name, strerror(errno));
        return;
    }
    for (size_t i = 0; first && i < x->nblocks; i++)
        if (x->blocks[i] != b)
            perf_line(f, x->blocks[i]);
    perf_line(f, b);
    fclose(f);
}

void dump_cpu(const struct cpu *cpu)
{
    FILE *f = log_stream();
    fprintf(f, "pc %016" PRIx64, cpu->pc);
    unsigned n = 0;
    struct target_reg r;
    for (const struct target_feature *feature = cpu->target->features; feature->name; feature++)
        for (unsigned i = 0; !feature->rare && register_row(feature, i, &r); i++) {
            uint64_t v[2] = {0};
            if (r.offset == offsetof(struct cpu, pc))
                continue;
            register_read((struct cpu *)cpu, &r, v);
            fprintf(f, "%s%s ", n++ % 4 == 3 ? "\n" : " ", r.name);
            if (r.size > 8)
                fprintf(f, "%016" PRIx64, v[1]);
            fprintf(f, "%0*" PRIx64, r.size < 8 ? r.size * 2 : 16, v[0]);
        }
    fputc('\n', f);
}

void dump_stats(FILE *f, const struct exec *x)
{
    static const struct {
        const char *name;
        size_t offset;
    } row[] = {
        {"units translated", offsetof(struct exec, stats.units)},
        {"instructions interpreted", offsetof(struct exec, stats.interpreted)},
        {"guest instructions translated", offsetof(struct exec, stats.guest_insns)},
        {"guest bytes", offsetof(struct exec, stats.guest_bytes)},
        {"host bytes", offsetof(struct exec, stats.host_bytes)},
        {"helper calls in them", offsetof(struct exec, stats.helper_calls)},
        {"run loop look-ups", offsetof(struct exec, stats.lookups)},
        {"look-ups that found a unit", offsetof(struct exec, stats.found)},
#define X(NAME, text) {text, offsetof(struct exec, stats.exits[EXIT_KIND_##NAME])},
        EXITS(X)
#undef X
        {"exits linked", offsetof(struct exec, stats.links)},
        {"units invalidated", offsetof(struct exec, stats.invalidations)},
        {"units made hot", offsetof(struct exec, stats.promotions)},
        {"files of the disk cache", offsetof(struct exec, stats.disk_files)},
        {"units found on disk", offsetof(struct exec, stats.disk_units)},
        {"units stored on disk", offsetof(struct exec, stats.disk_stored)},
        {"cache flushes", offsetof(struct exec, stats.flushes)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(row); i++)
        fprintf(f, "%-32s %" PRIu64 "\n", row[i].name, *(const uint64_t *)((const char *)x + row[i].offset));
    static const char *const tier[] = {"hot: cycles per guest insn", "quick: cycles per guest insn"};
    for (unsigned i = 0; i < 2; i++)
        if (x->stats.insns[i])
            fprintf(f, "%-32s %" PRIu64 " (%" PRIu64 " insns)\n", tier[i], x->stats.cycles[i] / x->stats.insns[i],
                    x->stats.insns[i]);
    if (x->stats.guest_bytes)
        fprintf(f, "%-32s %.2f\n", "host bytes per guest byte", (double)x->stats.host_bytes / x->stats.guest_bytes);
}
