/* The command line of system mode: see options.h. */
#define _GNU_SOURCE
#include "system/options.h"

#include <ctype.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cmdline.h"
#include "base/log.h"
#include "softmmu/options.h"
#include "system/devices.h"
#include "system/monitor/monitor.h"

/* X(NAME, word, argument, help) */
#define OPTIONS(X)                                                                                               \
    X(MACHINE, "-M", "machine,...", "machine type (\"help\" lists them) and its properties (\"NAME,help\")")         \
    X(MACHINE_LONG, "-machine", "machine", "the same")                                                           \
    X(MEMORY, "-m", "size", "RAM in MiB, or with K, M, G")                                                       \
    X(SMP, "-smp", "n,...", "number of processors (sockets=, cores=, threads= and others may say how they come to that)")                                                                  \
    X(CPU, "-cpu", "model", "processor model (\"help\" lists them)")                                             \
    X(BIOS, "-bios", "file", "firmware: raw or ELF; \"none\": the kernel starts by itself")                      \
    X(KERNEL, "-kernel", "file", "kernel: Image, also with gzip, or ELF")                                        \
    X(INITRD, "-initrd", "file", "initial RAM disk")                                                             \
    X(APPEND, "-append", "text", "the kernel's command line")                                                    \
    X(FW_CFG, "-fw_cfg", "name,...", "a file for firmware and kernel: file=F or string=S")                       \
    X(DTB, "-dtb", "file", "device tree instead of the machine's own")                                           \
    X(SERIAL, "-serial", "chardev", "what the serial line is connected to: stdio, null, pty, file,path=F …")     \
    X(CHARDEV, "-chardev", "kind,id=N,...", "a character device: stdio, file, socket, pty, ringbuf, null")      \
    X(MONITOR, "-monitor", "chardev", "the human monitor there: stdio, none, unix:PATH,server=on,wait=off ...")  \
    X(QMP, "-qmp", "chardev", "the monitor protocol there: unix:PATH,server=on,wait=off, tcp:HOST:PORT, stdio")  \
    X(QMP_PRETTY, "-qmp-pretty", "chardev", "the same, in lines that people can read")                           \
    X(MON, "-mon", "chardev=ID,mode=M,...", "a monitor on a character device: mode control (QMP) or readline")   \
    X(DRIVE, "-drive", "file=F,...", "a disk: raw or qcow2 (format=, readonly=, id=, if=none|virtio|pflash, unit=, cache=, discard=, snapshot=)") \
    X(BLOCKDEV, "-blockdev", "driver=D,...", "a node: file (filename=), raw or qcow2 (file=NODE or file.filename=), node-name= for drive=; or as JSON") \
    X(SNAPSHOT, "-snapshot", NULL, "what is written to drives is forgotten at the end (snapshot=off of one: not to this one); not with -blockdev") \
    X(NETDEV, "-netdev", "kind,id=N,...", "a network: user (hostfwd=...), tap, socket")                          \
    X(NIC, "-nic", "kind,...", "a network and its device at once (model=, mac=): user,hostfwd=...; none")       \
    X(VIRTFS, "-virtfs", "local,...", "a folder of the host at once: path=, mount_tag=, readonly=on")            \
    X(OBJECT, "-object", "kind,id=N,...", "rng-builtin, rng-random (random numbers are the host's in any case), memory-backend-ram of the size of -m") \
    X(AUDIODEV, "-audiodev", "none,id=N", "accepted: there is no sound")                                         \
    X(OVERCOMMIT, "-overcommit", "mem-lock=off,...", "accepted: memory is not locked")                           \
    X(BOOT, "-boot", "strict=on", "accepted: firmware looks for what it starts by itself")                        \
    X(MSG, "-msg", "timestamp=on|off", "on: metic's messages begin with the date and time (UTC)")                                       \
    X(ACCEL, "-accel", "tcg,...", "accepted: code is always translated; thread=multi, or single with -icount, which is what there is")                                             \
    X(DEVICE, "-device", "name,...", "plug a device in (\"help\", \"NAME,help\")")                              \
    X(NOGRAPHIC, "-nographic", NULL, "the serial line and Ctrl-a commands on the terminal")                      \
    X(DISPLAY, "-display", "none", "there are no displays: only \"none\" is accepted")                           \
    X(NODEFAULTS, "-nodefaults", NULL, "connect nothing to the terminal that is not asked for")                          \
    X(NO_USER_CONFIG, "-no-user-config", NULL, "accepted: there are no configuration files")                     \
    X(NAME, "-name", "name", "the machine's name, for the monitor")                                              \
    X(UUID, "-uuid", "uuid", "the machine's UUID, for the monitor; the guest does not see it")                                              \
    X(PIDFILE, "-pidfile", "file", "write the process's number there")                                           \
    X(DAEMONIZE, "-daemonize", NULL, "go into the background once the machine is there")                         \
    X(NO_REBOOT, "-no-reboot", NULL, "end instead of resetting")                                                 \
    X(NO_SHUTDOWN, "-no-shutdown", NULL, "keep a machine that powers itself off, stopped")                       \
    X(ACTION, "-action", "event=action,...", "reboot=reset|shutdown, shutdown=poweroff|pause")                   \
    X(GDB, "-gdb", "chardev", "wait there for a debugger: tcp::PORT, unix:PATH, a chardev's text")                \
    X(GDB_HERE, "-s", NULL, "the same as -gdb tcp::1234")                                                         \
    X(STOPPED, "-S", NULL, "do not start the processors yet")                                                    \
    X(LOADVM, "-loadvm", "name", "begin with a snapshot of the disks and the machine")                           \
    X(INCOMING, "-incoming", "file:path|defer", "begin with a state that migrate wrote to a file; defer: the monitor says which") \
    X(SANDBOX, "-sandbox", "on|off,...", "once set up, only system calls a machine needs (obsolete=, elevateprivileges=, spawn=, resourcecontrol=)") \
    X(TIER, "-tier", "tier", "generate code quick, hot (well) or auto: quick, then hot where it pays")           \
    X(ICOUNT, "-icount", "shift=N,...", "time is counted: 1 << N ns for each instruction, processors take turns; sleep=off: none is spent waiting") \
    X(RTC, "-rtc", "base=B,clock=C", "the clock chip's time: base utc, localtime or a date as 2026-11-21T18:30:00; clock host or vm (stands still with the machine)") \
    X(LOG, "-d", "topic,...", "log topics (\"help\" lists them)")                                                \
    X(LOG_FILE, "-D", "file", "log into a file")                                                                 \
    X(VERSION, "-version", NULL, "print the version")                                                            \
    X(HELP, "-h", NULL, "print this text")                                                                       \
    X(HELP_LONG, "-help", NULL, "print this text")                                                               \
    X(MAN, "-man", NULL, "print the manual page's source")

enum option {
    OPTIONS(OPTION_NUMBER)
    OPTION_COUNT
};

static const struct option_row rows[] = {
    OPTIONS(OPTION_ROW)
};

const char *const system_cpu_models[] = {"max", "rv64", NULL};

const char *system_option_word(unsigned i) { return i < OPTION_COUNT ? rows[i].word : NULL; }

static void print_help(void)
{
    printf("usage: metic-system [option...]\n"
           "Runs a whole machine made for another processor. Called as qemu-system-<arch>, that one's.\n\n");
    option_print_help(rows, OPTION_COUNT);
}

static void print_man(void)
{
    printf(".TH METIC-SYSTEM 1 \"\" \"metic " METIC_VERSION
           "\"\n.SH NAME\nmetic-system \\- run a machine made for another processor\n"
           ".SH SYNOPSIS\n.B metic-system\n[\\fIoption\\fR...]\n.SH DESCRIPTION\n"
           "Memory, processors and devices of a machine as its type says; what it starts with is given by "
           "options.\n.SH OPTIONS\n");
    option_print_man(rows, OPTION_COUNT);
    printf(".SH EXIT STATUS\n0: the machine powered itself off. Else the code it gave, or 1: a mistake on the command "
           "line.\n");
}

static enum system_result wrong(const char *word, const char *wants, const char *value)
{
    report_error("%s wants %s, not '%s'; -help lists the options", word, wants, value);
    return SYSTEM_BAD;
}

static void append(char ***list, const char *text)
{
    size_t n = 0;
    while (*list && (*list)[n])
        n++;
    *list = realloc(*list, (n + 2) * sizeof **list);
    CHECK(*list);
    (*list)[n] = (char *)text;
    (*list)[n + 1] = NULL;
}

/* ",key=value", commas in the value doubled. */
static void append_part(GString *text, const char *key, const char *value)
{
    g_string_append_printf(text, ",%s=", key);
    for (; *value; value++) {
        g_string_append_c(text, *value);
        if (*value == ',')
            g_string_append_c(text, ',');
    }
}

/* Properties of machines elsewhere, as no machine here has them otherwise. */
static bool says_nothing_new(const struct option_part *p)
{
    static const struct {
        const char *key, *value;
    } known[] = {{"accel", "tcg"}, {"acpi", "off"}, {"graphics", "off"}, {"usb", "off"}};
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
        if (!strcmp(p->key, known[i].key) && !strcmp(p->value, known[i].value))
            return true;
    return false;
}

static enum system_result read_machine(struct system_options *o, const char *value)
{
    struct options parts;
    char *error = options_parse(&parts, value, "type");
    const char *type = error ? NULL : options_get(&parts, "type");
    bool help = type && (!strcmp(type, "help") || options_get(&parts, "help"));
    const struct board_class *class = type ? board_class_by_name(type) : o->board;
    if (help && (class || !strcmp(type, "help")))
        board_print_help(stdout, class);
    else if (type && !class)
        error = device_error("there is no machine '%s'; -M help lists them", type);
    if (type && class != o->board)
        memset(o->b.prop, 0, sizeof o->b.prop);
    if (class)
        o->board = class;
    bool dumped = true;
    const char *backend = error ? NULL : options_get(&parts, "memory-backend");
    if (!error && !options_bool(&parts, "dump-guest-core", !o->b.ram_not_dumped, &dumped))
        error = device_error("dump-guest-core of -machine is on or off");
    o->b.ram_not_dumped = !dumped;
    if (backend) {
        g_free(o->memory_backend);
        o->memory_backend = g_strdup(backend);
    }
    for (unsigned i = 0; i < parts.n && !error && !help; i++)
        if (!parts.part[i].taken && !says_nothing_new(&parts.part[i]))
            error = board_set(class, &o->b, parts.part[i].key, parts.part[i].value);
    options_free(&parts);
    if (error)
        report_error("%s", error);
    free(error);
    return error ? SYSTEM_BAD : help ? SYSTEM_DONE : SYSTEM_RUN;
}

static enum system_result read_memory(struct system_options *o, const char *value)
{
    static const char units[] = "KMG";
    static const uint64_t most = UINT64_C(1) << 40;
    static const char key[] = "size=";
    char *end;
    if (!strncmp(value, key, strlen(key)))
        value += strlen(key);
    uint64_t n = strtoull(value, &end, 0);
    const char *unit = *end ? strchr(units, *end & ~0x20) : "M";
    unsigned shift = unit && *end ? 10 * (unsigned)(1 + (unit - units)) : 20;
    bool ok = *value >= '0' && *value <= '9' && unit && (!*end || !end[1]) && n && n <= most >> shift;
    if (!ok || n << shift & 0xfffff)
        return wrong("-m", "a number of MiB, or one with K, M or G, of whole MiB", value);
    o->b.ram_size = n << shift;
    return SYSTEM_RUN;
}

/* [cpus=]N,sockets=…: a product of all kinds that is the number; more cannot be added later. */
static enum system_result read_smp(struct system_options *o, const char *value)
{
    static const char *const kinds[] = {"sockets", "dies", "clusters", "cores", "threads"};
    struct options parts;
    char *line = options_parse(&parts, value, "cpus");
    uint64_t product = 1, n, most, part;
    bool ok = !line, told = false;
    for (unsigned i = 0; i < ARRAY_SIZE(kinds) && ok; i++) {
        told |= options_get(&parts, kinds[i]) != NULL;
        ok = options_number(&parts, kinds[i], 1, &part) && part && part <= MACHINE_MAX_PROCESSORS;
        product *= ok ? part : 1;
    }
    ok = ok && options_number(&parts, "cpus", product, &n) && options_number(&parts, "maxcpus", n, &most) && n &&
         n <= MACHINE_MAX_PROCESSORS && (!told || product == n) && most == n && !options_unknown(&parts);
    options_free(&parts);
    free(line);
    if (!ok)
        return wrong("-smp", "a number of processors, and perhaps sockets=, cores= and threads= that make it", value);
    o->b.processors = (unsigned)n;
    return SYSTEM_RUN;
}

/* tcg,thread=single|multi: how processors run is asked for here, but it follows from -icount: see check_together(). */
static enum system_result read_accel(struct system_options *o, const char *value)
{
    struct options parts;
    char *line = options_parse(&parts, value, "accel");
    const char *kind = line ? NULL : options_get(&parts, "accel"),
               *thread = line ? NULL : options_get(&parts, "thread");
    bool single = thread && !strcmp(thread, "single"), multi = thread && !strcmp(thread, "multi");
    bool ok = kind && !strcmp(kind, "tcg") && (!thread || single || multi) && !options_unknown(&parts);
    options_free(&parts);
    free(line);
    if (!ok)
        return wrong("-accel", "tcg, perhaps with thread=single or multi", value);
    if (thread)
        o->threads = single ? THREADS_SINGLE : THREADS_MULTI;
    return SYSTEM_RUN;
}

static enum system_result read_object(struct system_options *o, const char *value)
{
    struct options parts;
    char *line = options_parse(&parts, value, "qom-type");
    const char *type = line ? NULL : options_get(&parts, "qom-type"),
               *file = line ? NULL : options_get(&parts, "filename");
    const char *size = line ? NULL : options_get(&parts, "size"), *id = line ? NULL : options_get(&parts, "id");
    uint64_t bytes = 0;
    bool memory = type && !strcmp(type, "memory-backend-ram");
    bool ok = type && id && !options_unknown(&parts) && !(memory && o->backend) &&
              ((!strcmp(type, "rng-builtin") && !file && !size) ||
               (memory && size && option_read_size(size, UINT64_C(1) << 40, &bytes)) ||
               (!strcmp(type, "rng-random") && !size &&
                (!file || !strcmp(file, "/dev/urandom") || !strcmp(file, "/dev/random"))));
    if (ok && memory) {
        o->backend = g_strdup(id);
        o->backend_size = bytes;
    }
    options_free(&parts);
    free(line);
    if (ok)
        return SYSTEM_RUN;
    return wrong("-object",
                 "rng-builtin,id=N or rng-random,id=N,filename=/dev/urandom or, once, memory-backend-ram,id=N,size=BYTES", value);
}

/* Options that may only say what is so anyway: words that their parts may be. */
static enum system_result read_accepted(enum option which, const char *value)
{
    static const struct {
        enum option option;
        const char *part, *wants;
    } accepted[] = {
        {OPT_OVERCOMMIT, "mem-lock=off", "mem-lock=off or cpu-pm=off"}, {OPT_OVERCOMMIT, "cpu-pm=off", ""}, {OPT_BOOT, "strict=on", "strict=on"},
    };
    const char *wants = NULL;
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    for (char **p = parts; *p; p++) {
        bool known = false;
        for (unsigned i = 0; i < ARRAY_SIZE(accepted); i++) {
            if (accepted[i].option != which)
                continue;
            wants = wants ? wants : accepted[i].wants;
            known |= !strcmp(*p, accepted[i].part);
        }
        if (!known)
            return wrong(rows[which].word, wants, value);
    }
    return SYSTEM_RUN;
}

static enum system_result read_messages(const char *value)
{
    struct options parts;
    bool times;
    char *line = options_parse(&parts, value, NULL);
    bool ok = !line && options_bool(&parts, "timestamp", false, &times) && !options_unknown(&parts);
    options_free(&parts);
    free(line);
    if (!ok)
        return wrong("-msg", "timestamp=on or off", value);
    report_times(times);
    return SYSTEM_RUN;
}

static enum system_result read_audio(const char *value)
{
    struct options parts;
    char *line = options_parse(&parts, value, "driver");
    const char *driver = line ? NULL : options_get(&parts, "driver");
    bool ok = driver && !strcmp(driver, "none") && options_get(&parts, "id") && !options_unknown(&parts);
    options_free(&parts);
    free(line);
    return ok ? SYSTEM_RUN : wrong("-audiodev", "none,id=NAME", value);
}

/*
 * An option that stands for two: the text of -device made of the parts `device` names, `driver` in front. Owned by the
 * option list.
 */
static char *device_of(struct options *parts, const char *driver, const char *const *device)
{
    GString *text = g_string_new(driver);
    for (; *device; device++) {
        const char *value = options_get(parts, *device);
        if (value)
            append_part(text, *device, value);
    }
    return g_string_free(text, FALSE);
}

/* -nic KIND,model=DEVICE,mac=ADDRESS,… */
static enum system_result read_nic(struct system_options *o, const char *value)
{
    static const char *const of_device[] = {"mac", NULL};
    struct options parts;
    char *line = options_parse(&parts, value, "type");
    const char *type = line ? NULL : options_get(&parts, "type"), *model = line ? NULL : options_get(&parts, "model");
    enum system_result result = SYSTEM_RUN;
    if (!type) {
        result = wrong("-nic", "a kind of network (user, tap, socket) or none", value);
    } else if (strcmp(type, "none")) {
        g_autofree char *id = g_strdup_printf("nic%u", o->nnics++),
                        *made = device_of(&parts, model ? model : "virtio-net-pci", of_device);
        GString *net = g_string_new(type), *device = g_string_new(made);
        append_part(net, "id", id);
        append_part(device, "netdev", id);
        for (unsigned i = 0; i < parts.n; i++)
            if (!parts.part[i].taken)
                append_part(net, parts.part[i].key, parts.part[i].value);
        append(&o->netdevs, g_string_free(net, FALSE));
        append(&o->devices, g_string_free(device, FALSE));
    }
    options_free(&parts);
    free(line);
    return result;
}

/*
 * -virtfs local,path=FOLDER,mount_tag=TAG,…; what the guest may do is what this user may, whatever security_model says.
 */
static enum system_result read_virtfs(struct system_options *o, const char *value)
{
    static const char *const of_device[] = {"path", "mount_tag", "readonly", NULL};
    struct options parts;
    char *line = options_parse(&parts, value, "fsdriver");
    const char *driver = line ? NULL : options_get(&parts, "fsdriver"),
               *model = line ? NULL : options_get(&parts, "security_model");
    bool ok = driver && !strcmp(driver, "local") && options_get(&parts, "path") && options_get(&parts, "mount_tag") &&
              (!model || !strcmp(model, "none") || !strcmp(model, "passthrough"));
    options_get(&parts, "id");
    char *device = ok ? device_of(&parts, "virtio-9p-pci", of_device) : NULL;
    ok = ok && !options_unknown(&parts);
    if (ok)
        append(&o->devices, device);
    else
        g_free(device);
    options_free(&parts);
    free(line);
    return ok ? SYSTEM_RUN
              : wrong("-virtfs", "local,path=FOLDER,mount_tag=TAG, perhaps readonly=on and security_model=none", value);
}

static enum system_result read_cpu(const char *value)
{
    bool help = !strcmp(value, "help");
    for (unsigned i = 0; system_cpu_models[i]; i++) {
        if (help)
            printf("%s\n", system_cpu_models[i]);
        else if (!strcmp(value, system_cpu_models[i]))
            return SYSTEM_RUN;
    }
    if (help)
        return SYSTEM_DONE;
    return wrong("-cpu", "a processor model (-cpu help lists them)", value);
}

static enum system_result read_tier(struct system_options *o, const char *value)
{
    static const char *const words[] = {[TIER_AUTO] = "auto", [TIER_QUICK] = "quick", [TIER_HOT] = "hot"};
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        if (!strcmp(words[i], value)) {
            o->b.exec.tier = i;
            return SYSTEM_RUN;
        }
    return wrong("-tier", "quick, hot or auto", value);
}

/* [shift=]N,align=off,sleep=on|off */
static enum system_result read_icount(struct system_options *o, const char *value)
{
    enum { MOST = 10 };
    struct options parts;
    char *line = options_parse(&parts, value, "shift"), *end = NULL;
    const char *shift = line ? NULL : options_get(&parts, "shift");
    unsigned long n = shift ? strtoul(shift, &end, 10) : 0;
    bool align = false, sleep = true;
    bool ok = shift && *shift >= '0' && *shift <= '9' && !*end && n <= MOST &&
              options_bool(&parts, "align", false, &align) && !align && options_bool(&parts, "sleep", true, &sleep) &&
              !options_unknown(&parts);
    options_free(&parts);
    free(line);
    if (!ok)
        return wrong("-icount", "shift=N, N from 0 to 10, perhaps align=off and sleep=on or off", value);
    o->b.exec.counted = true;
    o->b.icount_shift = (unsigned)n;
    o->b.idle_skips = !sleep;
    return SYSTEM_RUN;
}

/* base=utc|localtime|DATE,clock=host|vm */
static enum system_result read_rtc(struct system_options *o, const char *value)
{
    struct options parts;
    char *line = options_parse(&parts, value, "base");
    const char *base = line ? NULL : options_get(&parts, "base"), *clock = line ? NULL : options_get(&parts, "clock");
    time_t now = time(NULL), first = now;
    struct tm date = {0};
    const char *end = "";
    if (base && !strcmp(base, "localtime")) {
        localtime_r(&now, &date);
        first = timegm(&date);
    } else if (base && strcmp(base, "utc")) {
        end = strptime(base, strchr(base, 'T') ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d", &date);
        const struct tm said = date;
        first = timegm(&date);
        if (said.tm_mday != date.tm_mday) /* February has no 30th */
            end = NULL;
    }
    bool is_virtual = clock && !strcmp(clock, "vm");
    bool ok = !line && end && !*end && (!clock || is_virtual || !strcmp(clock, "host")) && !options_unknown(&parts);
    options_free(&parts);
    free(line);
    if (!ok)
        return wrong("-rtc", "base=utc, localtime or a date as 2026-11-21T18:30:00, clock=host or vm", value);
    o->b.date.is_virtual = is_virtual;
    o->b.date.ahead = (int64_t)(is_virtual ? first : first - now) * 1000000000;
    return SYSTEM_RUN;
}

static enum system_result read_log(const char *value)
{
    if (!strcmp(value, "help")) {
        log_print_topics(stdout);
        return SYSTEM_DONE;
    }
    const char *unknown = log_parse_topics(value);
    if (unknown)
        return wrong("-d", "log topics (-d help lists them)", unknown);
    return SYSTEM_RUN;
}

static enum system_result read_incoming(struct system_options *o, const char *value)
{
    static const char prefix[] = "file:";
    o->defer = !strcmp(value, "defer");
    if (o->defer)
        return SYSTEM_RUN;
    if (strncmp(value, prefix, strlen(prefix)) || !value[strlen(prefix)])
        return wrong("-incoming", "file:PATH or defer", value);
    o->incoming = value + strlen(prefix);
    return SYSTEM_RUN;
}

static enum system_result read_sandbox(struct system_options *o, const char *value)
{
    char *error = sandbox_read(&o->sandbox, value);
    if (!error)
        return SYSTEM_RUN;
    report_error("%s", error);
    free(error);
    return SYSTEM_BAD;
}

static enum system_result read_uuid(struct system_options *o, const char *value)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    bool ok = strlen(value) == sizeof form - 1;
    for (unsigned i = 0; ok && form[i]; i++)
        ok = form[i] == 'x' ? isxdigit((unsigned char)value[i]) : value[i] == '-';
    if (!ok)
        return wrong("-uuid", "eight, four, four, four and twelve hexadecimal digits with dashes between", value);
    o->uuid = value;
    return SYSTEM_RUN;
}

/* [guest=]NAME,debug-threads=on: threads are what they are called anyway. */
static enum system_result read_name(struct system_options *o, const char *value)
{
    struct options parts;
    bool debug;
    char *line = options_parse(&parts, value, "guest");
    const char *name = line ? NULL : options_get(&parts, "guest");
    bool ok = !line && options_bool(&parts, "debug-threads", false, &debug) && !options_unknown(&parts);
    if (ok && name)
        append(&o->names, g_strdup(name));
    if (ok && name)
        o->name = o->names[g_strv_length(o->names) - 1];
    options_free(&parts);
    free(line);
    return ok ? SYSTEM_RUN : wrong("-name", "[guest=]NAME", value);
}

static enum system_result read_action(struct system_options *o, const char *value)
{
    struct options parts;
    char *line = options_parse(&parts, value, NULL);
    const char *reboot = options_get(&parts, "reboot"), *shutdown = options_get(&parts, "shutdown");
    bool ok = !line && !options_unknown(&parts) &&
              (!reboot || !strcmp(reboot, "reset") || !strcmp(reboot, "shutdown")) &&
              (!shutdown || !strcmp(shutdown, "poweroff") || !strcmp(shutdown, "pause"));
    if (ok && reboot)
        o->no_reboot = !strcmp(reboot, "shutdown");
    if (ok && shutdown)
        o->no_shutdown = !strcmp(shutdown, "pause");
    options_free(&parts);
    free(line);
    return ok ? SYSTEM_RUN : wrong("-action", "reboot=reset|shutdown or shutdown=poweroff|pause", value);
}

/* Options of which a value may be a JSON object: the text that it stands for takes its place. */
static bool takes_json(enum option which)
{
    return which == OPT_DEVICE || which == OPT_NETDEV || which == OPT_BLOCKDEV || which == OPT_OBJECT ||
           which == OPT_AUDIODEV;
}

/* Owned by the option lists. NULL: it was reported. */
static const char *text_of_json(const char *word, const char *value)
{
    char *line = NULL;
    AUTO_JSON v = json_parse(value, strlen(value), &line);
    if (!v)
        report_error("%s: %s", word, line);
    g_free(line);
    return v ? monitor_option_text(v, NULL) : NULL;
}

/* What the machine has one of. */
static enum system_result once(const char **slot, enum option which, const char *value)
{
    if (*slot) {
        report_error("%s was given already, as %s; there is one%s", rows[which].word, *slot,
                     which == OPT_MONITOR ? ", and more by -mon" : "");
        return SYSTEM_BAD;
    }
    *slot = value;
    return SYSTEM_RUN;
}

static enum system_result read_one(struct system_options *o, enum option which, const char *value)
{
    if (value && *value == '{' && takes_json(which) && !(value = text_of_json(rows[which].word, value)))
        return SYSTEM_BAD;
    switch (which) {
    case OPT_MACHINE:
    case OPT_MACHINE_LONG: return read_machine(o, value);
    case OPT_MEMORY: return read_memory(o, value);
    case OPT_SMP: return read_smp(o, value);
    case OPT_CPU: return read_cpu(value);
    case OPT_TIER: return read_tier(o, value);
    case OPT_ICOUNT: return read_icount(o, value);
    case OPT_LOG: return read_log(value);
    case OPT_QMP: append(&o->qmp, value); break;
    case OPT_QMP_PRETTY: append(&o->qmp_pretty, value); break;
    case OPT_MON: append(&o->monitors, value); break;
    case OPT_MONITOR: return once(&o->monitor, which, value);
    case OPT_DISPLAY:
        if (strcmp(value, "none"))
            return wrong("-display", "none", value);
        o->no_defaults = true;
        break;
    case OPT_SNAPSHOT: o->temporary = true; break;
    case OPT_NODEFAULTS: o->no_defaults = true; break;
    case OPT_NO_USER_CONFIG: break;
    case OPT_NAME: return read_name(o, value);
    case OPT_UUID: return read_uuid(o, value);
    case OPT_PIDFILE: o->pidfile = value; break;
    case OPT_DAEMONIZE: o->daemonize = true; break;
    case OPT_NO_SHUTDOWN: o->no_shutdown = true; break;
    case OPT_ACTION: return read_action(o, value);
    case OPT_CHARDEV: append(&o->chardevs, value); break;
    case OPT_DRIVE: append(&o->drives, value); break;
    case OPT_BLOCKDEV: append(&o->blockdevs, value); break;
    case OPT_NETDEV: append(&o->netdevs, value); break;
    case OPT_NIC: return read_nic(o, value);
    case OPT_VIRTFS: return read_virtfs(o, value);
    case OPT_OBJECT: return read_object(o, value);
    case OPT_AUDIODEV: return read_audio(value);
    case OPT_OVERCOMMIT:
    case OPT_BOOT: return read_accepted(which, value);
    case OPT_MSG: return read_messages(value);
    case OPT_ACCEL: return read_accel(o, value);
    case OPT_DEVICE:
        if (devices_help(value))
            return SYSTEM_DONE;
        append(&o->devices, value);
        break;
    case OPT_BIOS: o->b.firmware = value; break;
    case OPT_KERNEL: o->b.kernel = value; break;
    case OPT_INITRD: o->b.initrd = value; break;
    case OPT_APPEND: o->b.append = value; break;
    case OPT_DTB: o->b.dtb = value; break;
    case OPT_FW_CFG: append(&o->fw_cfg, value); break;
    case OPT_SERIAL: return once(&o->serial, which, value);
    case OPT_LOADVM: o->loadvm = value; break;
    case OPT_SANDBOX: return read_sandbox(o, value);
    case OPT_INCOMING: return read_incoming(o, value);
    case OPT_RTC: return read_rtc(o, value);
    case OPT_LOG_FILE: o->log_file = value; break;
    case OPT_NOGRAPHIC: o->on_terminal = true; break;
    case OPT_NO_REBOOT: o->no_reboot = true; break;
    case OPT_GDB: return once(&o->gdb, which, value);
    case OPT_GDB_HERE: return once(&o->gdb, which, "tcp::1234");
    case OPT_STOPPED: o->stopped = true; break;
    case OPT_VERSION: printf("metic-system " METIC_VERSION "\n"); return SYSTEM_DONE;
    case OPT_HELP:
    case OPT_HELP_LONG: print_help(); return SYSTEM_DONE;
    case OPT_MAN: print_man(); return SYSTEM_DONE;
    case OPTION_COUNT: break;
    }
    return SYSTEM_RUN;
}

/* Options that are right each by itself, but not together: the line about it; NULL: there are none. */
static const char *clash_of(const struct system_options *o)
{
    if (o->backend && o->backend_size != (o->b.ram_size ? o->b.ram_size : o->board->default_ram))
        return "-object memory-backend-ram has another size than the machine's RAM, which is what -m says";
    if (o->memory_backend && (!o->backend || strcmp(o->backend, o->memory_backend)))
        return "-machine memory-backend names no -object memory-backend-ram";
    if (o->threads == THREADS_MULTI && o->b.exec.counted)
        return "-accel thread=multi: with -icount processors take turns on one thread; leave one of them out";
    if (o->threads == THREADS_SINGLE && !o->b.exec.counted && o->b.processors > 1)
        return "-accel thread=single: each processor has a thread of its own; with -icount they take turns on one";
    if (o->b.exec.tier == TIER_HOT && o->b.exec.counted)
        return "-tier hot: with -icount code is generated quickly only; leave one of them out";
    if (o->temporary && o->blockdevs)
        return "-snapshot is about -drive, not -blockdev; put an image of its own over the disk (metic-img create -b)";
    if (o->loadvm && (o->incoming || o->defer))
        return "-loadvm and -incoming each say with which state the machine begins; leave one of them out";
    return NULL;
}

enum system_result system_options_read(struct system_options *o, char **argv)
{
    *o = (struct system_options){.board = board_classes[0], .b.exec.background = true};
    struct option_reader reader = {rows, OPTION_COUNT, argv, 1, NULL};
    int which;
    while ((which = option_next(&reader)) >= 0) {
        enum system_result r = read_one(o, which, reader.value);
        if (r != SYSTEM_RUN)
            return r;
    }
    if (which == OPTION_BAD)
        return SYSTEM_BAD;
    if (argv[reader.at]) {
        report_error("'%s' is no option; -help lists them", argv[reader.at]);
        return SYSTEM_BAD;
    }
    const char *clash = clash_of(o);
    if (clash) {
        report_error("%s", clash);
        return SYSTEM_BAD;
    }
    if (o->log_file && !log_open(o->log_file, -1)) {
        report_error("can't write the log file %s", o->log_file);
        return SYSTEM_BAD;
    }
    return SYSTEM_RUN;
}
