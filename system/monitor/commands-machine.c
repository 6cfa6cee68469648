/* Commands about the protocol, the machine's state, processors and memory. See qmp.schema. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hw/boards/board.h"
#include "qmp-schema.h"
#include "system/monitor/monitor.h"

/* The version of the protocol and command line that clients find here; the program's own is in `package`. */
enum { PROTOCOL_MAJOR = 10, PROTOCOL_MINOR = 0, PROTOCOL_MICRO = 0 };

static struct machine *machine(struct monitor *m) { return &m->board->machine; }

/* --- the protocol --- */

struct json *qmp_qmp_capabilities(struct monitor *m, const struct qmp_qmp_capabilities_args *a, struct qmp_error *e)
{
    if (a->enable && a->enable->n)
        qmp_fail(e, "Capability '%s' is not offered", a->enable->item[0]->text);
    return NULL;
}

struct json *qmp_query_version(struct monitor *m, const struct qmp_query_version_args *a, struct qmp_error *e)
{
    struct json *triple = json_put_int(json_object(), "major", PROTOCOL_MAJOR);
    json_put_int(triple, "minor", PROTOCOL_MINOR);
    json_put_int(triple, "micro", PROTOCOL_MICRO);
    struct json *v = json_put(json_object(), "qemu", triple);
    return json_put_string(v, "package", "metic " METIC_VERSION);
}

struct json *qmp_query_commands(struct monitor *m, const struct qmp_query_commands_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    for (unsigned i = 0; i < qmp_ncommands; i++)
        json_add(list, json_put_string(json_object(), "name", qmp_commands[i].name));
    return list;
}

struct json *qmp_query_events(struct monitor *m, const struct qmp_query_events_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    for (unsigned i = 0; i < qmp_nevents; i++)
        json_add(list, json_put_string(json_object(), "name", qmp_events[i].name));
    return list;
}

struct json *qmp_query_qmp_schema(struct monitor *m, const struct qmp_query_qmp_schema_args *a, struct qmp_error *e)
{
    char *error;
    return json_parse(qmp_introspection, strlen(qmp_introspection), &error);
}

/* --- what it is --- */

struct json *qmp_query_status(struct monitor *m, const struct qmp_query_status_args *a, struct qmp_error *e)
{
    struct json *v = json_put_bool(json_object(), "running", machine(m)->running);
    return json_put_string(v, "status", run_state_name(machine(m)->state));
}

struct json *qmp_query_name(struct monitor *m, const struct qmp_query_name_args *a, struct qmp_error *e)
{
    struct json *v = json_object();
    return m->options->name ? json_put_string(v, "name", m->options->name) : v;
}

struct json *qmp_query_uuid(struct monitor *m, const struct qmp_query_uuid_args *a, struct qmp_error *e)
{
    const char *uuid = m->options->uuid;
    return json_put_string(json_object(), "UUID", uuid ? uuid : "00000000-0000-0000-0000-000000000000");
}

struct json *qmp_query_kvm(struct monitor *m, const struct qmp_query_kvm_args *a, struct qmp_error *e)
{
    return json_put_bool(json_put_bool(json_object(), "enabled", false), "present", false);
}

static const char *architecture(const struct monitor *m) { return m->board->class->target->name; }

struct json *qmp_query_target(struct monitor *m, const struct qmp_query_target_args *a, struct qmp_error *e)
{
    return json_put_string(json_object(), "arch", architecture(m));
}

static char *cpu_type(const struct monitor *m, const char *model)
{
    return g_strdup_printf("%s-%s-cpu", model, architecture(m));
}

struct json *qmp_query_machines(struct monitor *m, const struct qmp_query_machines_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    g_autofree char *type = cpu_type(m, system_cpu_models[0]);
    for (const struct board_class *const *c = board_classes; *c; c++) {
        struct json *v = json_put_string(json_object(), "name", (*c)->name);
        json_put_int(v, "cpu-max", (*c)->max_processors);
        if (c == board_classes)
            json_put_bool(v, "is-default", true);
        json_put_bool(v, "hotpluggable-cpus", false);
        json_put_bool(v, "numa-mem-supported", false);
        json_put_bool(v, "deprecated", false);
        json_put_bool(v, "acpi", false);
        json_put_string(v, "default-cpu-type", type);
        json_put_string(v, "default-ram-id", "ram");
        json_add(list, v);
    }
    return list;
}

struct json *qmp_query_current_machine(struct monitor *m, const struct qmp_query_current_machine_args *a,
                                       struct qmp_error *e)
{
    return json_put_bool(json_object(), "wakeup-suspend-support", false);
}

struct json *qmp_query_cpu_definitions(struct monitor *m, const struct qmp_query_cpu_definitions_args *a,
                                       struct qmp_error *e)
{
    struct json *list = json_array();
    for (unsigned i = 0; system_cpu_models[i]; i++) {
        g_autofree char *type = cpu_type(m, system_cpu_models[i]);
        struct json *v = json_put_string(json_object(), "name", system_cpu_models[i]);
        json_put_string(v, "typename", type);
        json_put_bool(v, "static", false);
        json_put_bool(v, "deprecated", false);
        json_put(v, "unavailable-features", json_array());
        json_add(list, v);
    }
    return list;
}

struct json *qmp_query_command_line_options(struct monitor *m, const struct qmp_query_command_line_options_args *a,
                                            struct qmp_error *e)
{
    struct json *list = json_array();
    for (unsigned i = 0; system_option_word(i); i++) {
        const char *name = system_option_word(i) + 1;
        if (!a->option || !strcmp(a->option, name))
            json_add(list, json_put(json_put_string(json_object(), "option", name), "parameters", json_array()));
    }
    if (!list->n) {
        qmp_fail(e, "there is no option -%s", a->option);
        json_free(list);
        return NULL;
    }
    return list;
}

struct json *qmp_query_memory_devices(struct monitor *m, const struct qmp_query_memory_devices_args *a,
                                      struct qmp_error *e)
{
    return json_array();
}

struct json *qmp_query_cpus_fast(struct monitor *m, const struct qmp_query_cpus_fast_args *a, struct qmp_error *e)
{
    struct json *list = json_array();
    for (unsigned i = 0; i < machine(m)->nprocessors; i++) {
        struct json *v = json_put_int(json_object(), "cpu-index", i);
        json_put(v, "qom-path", json_printf("/machine/unattached/cpu[%u]", i));
        json_put_int(v, "thread-id", machine(m)->processor[i]->thread->tid);
        json_put(v, "props", json_put_int(json_object(), "core-id", i));
        json_put_string(v, "target", architecture(m));
        json_add(list, v);
    }
    return list;
}

struct json *qmp_query_hotpluggable_cpus(struct monitor *m, const struct qmp_query_hotpluggable_cpus_args *a,
                                         struct qmp_error *e)
{
    qmp_fail(e,
             "The feature 'query-hotpluggable-cpus' is not enabled: machine %s has all its processors from the start",
             m->board->class->name);
    return NULL;
}

struct json *qmp_query_memory_size_summary(struct monitor *m, const struct qmp_query_memory_size_summary_args *a,
                                           struct qmp_error *e)
{
    struct json *v = json_put(json_object(), "base-memory", json_uint(m->board->options.ram_size));
    return json_put_int(v, "plugged-memory", 0);
}

struct json *qmp_query_iothreads(struct monitor *m, const struct qmp_query_iothreads_args *a, struct qmp_error *e)
{
    return json_array();
}

/* --- what it does --- */

struct json *qmp_stop(struct monitor *m, const struct qmp_stop_args *a, struct qmp_error *e)
{
    if (machine(m)->running)
        machine_pause(machine(m), RUN_STATE_PAUSED);
    return NULL;
}

struct json *qmp_cont(struct monitor *m, const struct qmp_cont_args *a, struct qmp_error *e)
{
    if (!machine_resume(machine(m)))
        qmp_fail(e, "Resetting the Virtual Machine is required");
    return NULL;
}

struct json *qmp_system_reset(struct monitor *m, const struct qmp_system_reset_args *a, struct qmp_error *e)
{
    machine_ask_reset(machine(m), CAUSE_HOST_QMP_SYSTEM_RESET);
    return NULL;
}

struct json *qmp_system_powerdown(struct monitor *m, const struct qmp_system_powerdown_args *a, struct qmp_error *e)
{
    machine_ask_powerdown(machine(m));
    return NULL;
}

struct json *qmp_system_wakeup(struct monitor *m, const struct qmp_system_wakeup_args *a, struct qmp_error *e)
{
    qmp_fail(e, "wake-up from suspend is not supported by this guest");
    return NULL;
}

struct json *qmp_quit(struct monitor *m, const struct qmp_quit_args *a, struct qmp_error *e)
{
    machine_ask_shutdown(machine(m), CAUSE_HOST_QMP_QUIT, 0);
    return NULL;
}

struct json *qmp_inject_nmi(struct monitor *m, const struct qmp_inject_nmi_args *a, struct qmp_error *e)
{
    qmp_fail(e, "machine %s does not provide NMIs", m->board->class->name);
    return NULL;
}

struct json *qmp_set_action(struct monitor *m, const struct qmp_set_action_args *a, struct qmp_error *e)
{
    if (a->has_reboot)
        m->loop->no_reboot = a->reboot == QMP_REBOOT_ACTION_SHUTDOWN;
    if (a->has_shutdown)
        m->loop->no_shutdown = a->shutdown == QMP_SHUTDOWN_ACTION_PAUSE;
    return NULL;
}

struct json *qmp_human_monitor_command(struct monitor *m, const struct qmp_human_monitor_command_args *a,
                                       struct qmp_error *e)
{
    unsigned before = m->cpu;
    if (a->has_cpu_index) {
        if (!monitor_processor(m, a->cpu_index, e))
            return NULL;
        m->cpu = (unsigned)a->cpu_index;
    }
    GString *out = g_string_new(NULL);
    monitor_human_command(m, a->command_line, out);
    if (a->has_cpu_index)
        m->cpu = before;
    struct json *v = json_string(out->str);
    g_string_free(out, TRUE);
    return v;
}

/* --- memory --- */

/* Reads at most a page; NULL: done, else one line for the user, g_free(). */
typedef char *(*page_reader)(void *opaque, uint64_t address, uint8_t *buf, unsigned n);

static char *read_physical(void *opaque, uint64_t address, uint8_t *buf, unsigned n)
{
    struct monitor *m = opaque;
    if (mem_read(&machine(m)->memory, address, buf, n) == MEM_OK)
        return NULL;
    return g_strdup_printf("there is no memory at 0x%" PRIx64, address);
}

static char *read_virtual(void *opaque, uint64_t address, uint8_t *buf, unsigned n)
{
    struct processor *p = opaque;
    uint64_t physical;
    if (processor_translate(p, address, &physical) && mem_read(&p->machine->memory, physical, buf, n) == MEM_OK)
        return NULL;
    return g_strdup_printf("Invalid addr 0x%016" PRIx64 " specified", address);
}

static void save(const char *filename, uint64_t address, uint64_t size, page_reader read, void *opaque,
                 struct qmp_error *e)
{
    enum { PAGE = 4096 };
    uint8_t page[PAGE];
    FILE *f = fopen(filename, "wb");
    g_autofree char *line = f ? NULL : g_strdup_printf("Could not open '%s': %s", filename, strerror(errno));
    while (size && !line) {
        unsigned n = PAGE - (unsigned)(address % PAGE);
        n = n < size ? n : (unsigned)size;
        line = read(opaque, address, page, n);
        if (!line && fwrite(page, 1, n, f) != n)
            line = g_strdup_printf("writing '%s': %s", filename, strerror(errno));
        address += n;
        size -= n;
    }
    if (f && fclose(f) && !line)
        line = g_strdup_printf("writing '%s': %s", filename, strerror(errno));
    if (line)
        qmp_fail(e, "%s", line);
}

struct json *qmp_memsave(struct monitor *m, const struct qmp_memsave_args *a, struct qmp_error *e)
{
    struct processor *p = monitor_processor(m, a->has_cpu_index ? a->cpu_index : 0, e);
    if (!p)
        return NULL;
    enum run_state before = machine(m)->state;
    if (machine(m)->running) /* page tables are walked with its registers */
        machine_stop(machine(m));
    save(a->filename, a->val, a->size, read_virtual, p, e);
    if (before == RUN_STATE_RUNNING)
        machine_run(machine(m));
    return NULL;
}

struct json *qmp_pmemsave(struct monitor *m, const struct qmp_pmemsave_args *a, struct qmp_error *e)
{
    save(a->filename, a->val, a->size, read_physical, m, e);
    return NULL;
}
