/* `info NAME` of the human monitor: one table at the end. See human.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exec/dump.h"
#include "exec/registers.h"
#include "hw/pci/pci.h"
#include "softmmu/net.h"
#include "system/monitor/human.h"

static struct machine *machine(struct monitor *m) { return &m->board->machine; }

static struct json *query(struct monitor *m, const char *command, GString *out)
{
    return human_execute(m, command, NULL, out);
}

static int64_t number(const struct json *v, const char *key)
{
    int64_t n = 0;
    json_to_int(json_get(v, key), &n);
    return n;
}

static bool truth(const struct json *v, const char *key)
{
    const struct json *t = json_get(v, key);
    return t && t->truth;
}

/* --- the machine --- */

static void version(struct monitor *m, GString *out) { g_string_append(out, "metic " METIC_VERSION "\n"); }

static void status(struct monitor *m, GString *out)
{
    g_string_append_printf(out, "VM status: %s%s%s%s\n", machine(m)->running ? "running" : "paused",
                           machine(m)->running ? "" : " (",
                           machine(m)->running ? "" : run_state_name(machine(m)->state),
                           machine(m)->running ? "" : ")");
}

static void name(struct monitor *m, GString *out)
{
    g_string_append_printf(out, "%s\n", m->options->name ? m->options->name : "");
}

static void uuid(struct monitor *m, GString *out)
{
    AUTO_JSON v = query(m, "query-uuid", out);
    g_string_append_printf(out, "%s\n", json_get_string(v, "UUID"));
}

static void kvm(struct monitor *m, GString *out) { g_string_append(out, "kvm support: not compiled\n"); }

static void cpus(struct monitor *m, GString *out)
{
    for (unsigned i = 0; i < machine(m)->nprocessors; i++)
        g_string_append_printf(out, "%c CPU #%u: thread_id=%d\n", i == m->cpu ? '*' : ' ', i,
                               machine(m)->processor[i]->thread->tid);
}

/* While processors stand still; who was running goes on. */
static void stopped(struct monitor *m, GString *out, void (*look)(struct monitor *m, GString *out))
{
    bool running = machine(m)->running;
    if (running)
        machine_stop(machine(m));
    look(m, out);
    if (running)
        machine_run(machine(m));
}

static void list_registers(struct monitor *m, GString *out)
{
    struct cpu *cpu = machine(m)->processor[m->cpu]->cpu;
    struct target_reg r;
    unsigned n = 0;
    g_string_append_printf(out, "CPU#%u\n", m->cpu);
    for (const struct target_feature *f = cpu->target->features; f->name; f++)
        for (unsigned i = 0; !f->rare && register_row(f, i, &r); i++) {
            uint64_t v[TARGET_REG_MAX / sizeof(uint64_t)] = {0};
            register_read(cpu, &r, v);
            g_string_append_printf(out, " %-8s %016" PRIx64 "%s", r.name, v[0], n++ % 4 == 3 ? "\n" : "");
        }
    g_string_append_c(out, '\n');
}

static void registers(struct monitor *m, GString *out) { stopped(m, out, list_registers); }

static void mapping(void *opaque, const struct target_mapping *t)
{
    g_string_append_printf(opaque, "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %s\n", t->address, t->physical,
                           t->size, t->flags);
}

static void list_tlb(struct monitor *m, GString *out)
{
    struct cpu *cpu = machine(m)->processor[m->cpu]->cpu;
    if (cpu->target->system->mappings)
        cpu->target->system->mappings(cpu, mapping, out);
}

static void tlb(struct monitor *m, GString *out) { stopped(m, out, list_tlb); }

/* Neighbours that lie together and allow the same are one line. */
struct joined {
    GString *out;
    struct target_mapping now;
};

static void end_joined(struct joined *j)
{
    if (j->now.size)
        mapping(j->out, &j->now);
}

static void join(void *opaque, const struct target_mapping *t)
{
    struct joined *j = opaque;
    struct target_mapping *n = &j->now;
    if (n->size && n->address + n->size == t->address && n->physical + n->size == t->physical &&
        !strcmp(n->flags, t->flags)) {
        n->size += t->size;
        return;
    }
    end_joined(j);
    *n = *t;
}

static void list_mem(struct monitor *m, GString *out)
{
    struct cpu *cpu = machine(m)->processor[m->cpu]->cpu;
    struct joined j = {.out = out};
    g_string_append(out, "vaddr            paddr            size             attr\n");
    if (cpu->target->system->mappings)
        cpu->target->system->mappings(cpu, join, &j);
    end_joined(&j);
}

static void mem(struct monitor *m, GString *out) { stopped(m, out, list_mem); }

static void jit(struct monitor *m, GString *out)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    if (!f)
        return;
    dump_stats(f, machine(m)->exec);
    fclose(f);
    g_string_append(out, text);
    free(text);
}

/* --- memory --- */

static void list_region(const struct mem_region *r, uint64_t at, unsigned depth, GString *out)
{
    static const char *const kinds[] = {
        [MEM_CONTAINER] = "container", [MEM_RAM] = "ram", [MEM_ROM] = "rom", [MEM_IO] = "i/o", [MEM_ALIAS] = "alias"};
    uint64_t last = r->size > UINT64_MAX - at ? UINT64_MAX : at + r->size - 1;
    g_string_append_printf(out, "%*s%016" PRIx64 "-%016" PRIx64 " (prio %d, %s): %s", (int)(2 * depth), "", at, last,
                           r->priority, kinds[r->kind], r->name);
    if (r->kind == MEM_ALIAS)
        g_string_append_printf(out, " @%s %016" PRIx64, r->target->name, r->target_offset);
    g_string_append_printf(out, "%s\n", r->disabled ? " [disabled]" : "");
    GSList *children = NULL;
    for (const struct mem_region *c = r->first_child; c; c = c->next)
        children = g_slist_prepend(children, (gpointer)c);
    while (children) { /* by address */
        const struct mem_region *first = children->data;
        for (GSList *c = children; c; c = c->next)
            if (((const struct mem_region *)c->data)->at < first->at)
                first = c->data;
        children = g_slist_remove(children, first);
        list_region(first, at + first->at, depth + 1, out);
    }
}

static void mtree(struct monitor *m, GString *out)
{
    list_region(machine(m)->memory.root, 0, 0, out);
    if (m->board->pci) {
        list_region(&m->board->pci->memory, 0, 0, out);
        list_region(&m->board->pci->ports, 0, 0, out);
    }
}

/* --- devices --- */

static void list_properties(struct monitor *m, const struct device *d, unsigned depth, GString *out)
{
    g_autofree char *path = monitor_device_path(m, d);
    for (const struct device_class *c = d->class; c; c = c->part)
        for (unsigned i = 0; i < c->nprops; i++) {
            struct json *args =
                json_put_string(json_put_string(json_object(), "path", path), "property", c->props[i].name);
            AUTO_JSON v = human_execute(m, "qom-get", args, out);
            g_string_append_printf(out, "%*s%s = ", (int)depth, "", c->props[i].name);
            if (v)
                json_write(out, v, false);
            g_string_append_c(out, '\n');
        }
}

static void list_function(struct monitor *m, const struct pci_bus *b, unsigned depth, GString *out)
{
    for (unsigned i = 0; i < PCI_FUNCTIONS; i++) {
        const struct pci_function *f = b->function[i];
        if (!f)
            continue;
        g_string_append_printf(out, "%*sdev: %s, id \"%s\"\n%*saddr = %02x.%x\n", (int)depth, "", f->device.class->name,
                               f->device.id ? f->device.id : "", (int)depth + 2, "", i >> 3, i & 7);
        list_properties(m, &f->device, depth + 2, out);
        if (b->below[i])
            list_function(m, b->below[i], depth + 4, out);
    }
}

static void qtree(struct monitor *m, GString *out)
{
    g_string_append(out, "bus: main-system-bus\n");
    for (unsigned i = 0; i < m->board->ndevices; i++) {
        const struct device *d = m->board->device[i];
        if (d->class->bus == BUS_PCI)
            continue;
        g_string_append_printf(out, "  dev: %s, id \"%s\"\n", d->class->name, d->id ? d->id : "");
        list_properties(m, d, 4, out);
    }
    if (m->board->pci) {
        g_string_append(out, "  bus: pcie.0\n");
        list_function(m, m->board->pci, 4, out);
    }
}

static void list_object(struct monitor *m, const char *path, const char *what, unsigned depth, GString *out)
{
    AUTO_JSON list = human_execute(m, "qom-list", json_put_string(json_object(), "path", path), out);
    g_string_append_printf(out, "%*s/%s\n", (int)depth, "", what);
    for (unsigned i = 0; list && i < list->n; i++) {
        const char *type = json_get_string(list->item[i], "type"), *child = json_get_string(list->item[i], "name");
        g_autofree char *below = g_strdup_printf("%s/%s", path, child),
                        *label = g_strdup_printf("%s (%s)", child, type + 6);
        if (!strncmp(type, "child<", 6)) {
            label[strlen(label) - 2] = ')';
            label[strlen(label) - 1] = 0;
            list_object(m, below, label, depth + 2, out);
        }
    }
}

static void qom_tree(struct monitor *m, GString *out) { list_object(m, "/machine", "machine (machine)", 0, out); }

static void list_pci(const struct json *devices, GString *out)
{
    for (unsigned i = 0; devices && i < devices->n; i++) {
        const struct json *d = devices->item[i], *class = json_get(d, "class_info"), *id = json_get(d, "id");
        const struct json *regions = json_get(d, "regions"), *bridge = json_get(d, "pci_bridge");
        const char *desc = json_get_string(class, "desc");
        g_autofree char *other = g_strdup_printf("Class %04" PRIx64, number(class, "class"));
        g_string_append_printf(out,
                               "  Bus %2" PRId64 ", device %3" PRId64 ", function %" PRId64
                               ":\n    %s: PCI device %04" PRIx64 ":%04" PRIx64 "\n",
                               number(d, "bus"), number(d, "slot"), number(d, "function"), desc ? desc : other,
                               number(id, "vendor"), number(id, "device"));
        for (unsigned k = 0; k < regions->n; k++)
            g_string_append_printf(out, "      BAR%" PRId64 ": memory at 0x%" PRIx64 ", %" PRId64 " bytes\n",
                                   number(regions->item[k], "bar"), number(regions->item[k], "address"),
                                   number(regions->item[k], "size"));
        g_string_append_printf(out, "      id \"%s\"\n", json_get_string(d, "qdev_id"));
        list_pci(json_get(bridge, "devices"), out);
    }
}

static void pci(struct monitor *m, GString *out)
{
    AUTO_JSON buses = query(m, "query-pci", out);
    for (unsigned i = 0; buses && i < buses->n; i++)
        list_pci(json_get(buses->item[i], "devices"), out);
}

/* --- back ends --- */

static void block(struct monitor *m, GString *out)
{
    AUTO_JSON disks = query(m, "query-block", out);
    for (unsigned i = 0; disks && i < disks->n; i++) {
        const struct json *in = json_get(disks->item[i], "inserted");
        const char *qdev = json_get_string(disks->item[i], "qdev"), *backing = json_get_string(in, "backing_file");
        g_string_append_printf(out, "%s: %s (%s%s)\n    Attached to:      %s\n",
                               json_get_string(disks->item[i], "device"), json_get_string(in, "file"),
                               json_get_string(in, "drv"), truth(in, "ro") ? ", read-only" : "",
                               qdev ? qdev : "nothing");
        if (backing)
            g_string_append_printf(out, "    Backing file:     %s\n", backing);
    }
}

static void blockstats(struct monitor *m, GString *out)
{
    AUTO_JSON disks = query(m, "query-blockstats", out);
    for (unsigned i = 0; disks && i < disks->n; i++) {
        const struct json *s = json_get(disks->item[i], "stats");
        g_string_append_printf(out, "%s:", json_get_string(disks->item[i], "device"));
        for (unsigned k = 0; k < s->n; k++)
            if (s->item[k]->type == JSON_INT)
                g_string_append_printf(out, " %s=%" PRIu64, s->key[k], s->item[k]->integer);
        g_string_append_c(out, '\n');
    }
}

static void network(struct monitor *m, GString *out)
{
    GList *ids = g_list_sort(g_hash_table_get_keys(m->backends->netdevs), (GCompareFunc)strcmp);
    for (GList *at = ids; at; at = at->next) {
        const struct net *n = g_hash_table_lookup(m->backends->netdevs, at->data);
        struct device *user = monitor_user_of(m, n);
        g_string_append_printf(out, "%s: %s%s%s\n", (char *)at->data, user ? user->class->name : "used by no device",
                               user && user->id ? " " : "", user && user->id ? user->id : "");
        if (n->unplugged)
            g_string_append(out, "  link is down\n");
    }
    g_list_free(ids);
}

static void chardev(struct monitor *m, GString *out)
{
    AUTO_JSON list = query(m, "query-chardev", out);
    for (unsigned i = 0; list && i < list->n; i++)
        g_string_append_printf(out, "%s: filename=%s\n", json_get_string(list->item[i], "label"),
                               json_get_string(list->item[i], "filename"));
}

const struct human_info human_infos[] = {
    {"version", "the program's version", version},
    {"status", "what the machine is doing", status},
    {"name", "the machine's name", name},
    {"uuid", "the machine's UUID", uuid},
    {"kvm", "whether the host's hypervisor is used", kvm},
    {"cpus", "the processors; * is the one that x and info registers are about", cpus},
    {"registers", "the processor's registers", registers},
    {"mem", "what the processor's page tables map, neighbours joined", mem},
    {"tlb", "every page that they map", tlb},
    {"mtree", "the memory map as a tree", mtree},
    {"qtree", "the devices by their buses", qtree},
    {"qom-tree", "the objects", qom_tree},
    {"pci", "the PCI devices", pci},
    {"block", "the disks", block},
    {"blockstats", "what the disks have done", blockstats},
    {"network", "the networks", network},
    {"chardev", "the character devices", chardev},
    {"jit", "counts of the code generator", jit},
    {"snapshots", "snapshots that can be loaded", human_info_snapshots},
    {"migrate", "how migrate went", human_info_migrate},
    {NULL},
};
