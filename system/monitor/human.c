/* The human monitor: lines on a character device, and its commands, of which many are the protocol's. See human.h. */
#include "system/monitor/human.h"

#include <stdlib.h>
#include <string.h>

/* --- commands --- */

struct json *human_execute(struct monitor *m, const char *command, struct json *args, GString *out)
{
    struct qmp_error e = {0};
    struct json *result = monitor_execute(m, command, args, &e);
    json_free(args);
    if (e.class)
        g_string_append_printf(out, "Error: %s\n", e.text);
    g_free(e.text);
    return result;
}

/* The arguments that words stand for; NULL, printed: they are wrong. */
static struct json *named_arguments(const struct human_command *c, const char *rest, GString *out)
{
    g_auto(GStrv) words = NULL;
    int n = 0, i = 0;
    AUTO_JSON args = json_object();
    bool ok = !*rest || g_shell_parse_argv(rest, &n, &words, NULL);
    for (; ok && i < (int)G_N_ELEMENTS(c->args) && c->args[i]; i++) {
        const char *name = c->args[i];
        bool optional = *name == '?', number, on_off;
        name += optional;
        number = *name == '#';
        on_off = *name == '!';
        name += number || on_off;
        char *end = NULL;
        if (i >= n)
            ok = optional;
        else if (number)
            json_put(args, name, json_uint(g_ascii_strtoull(words[i], &end, 0)));
        else if (on_off && (!strcmp(words[i], "on") || !strcmp(words[i], "off")))
            json_put_bool(args, name, !strcmp(words[i], "on"));
        else if (on_off)
            ok = false;
        else
            json_put_string(args, name, words[i]);
        ok = ok && (!end || !*end);
    }
    if (ok && i >= n)
        return g_steal_pointer(&args);
    g_string_append_printf(out, "usage: %s %s\n", c->name, c->usage);
    return NULL;
}

static void help(struct monitor *m, const char *rest, GString *out)
{
    for (const struct human_command *c = human_commands; c->name; c++)
        if (!*rest || !strcmp(rest, c->name) || (c->alias && !strcmp(rest, c->alias)))
            g_string_append_printf(out, "%s%s%s%s%s -- %s\n", c->name, c->alias ? "|" : "", c->alias ? c->alias : "",
                                   *c->usage ? " " : "", c->usage, c->doc);
}

static void info(struct monitor *m, const char *rest, GString *out)
{
    for (const struct human_info *i = human_infos; i->name; i++)
        if (!strcmp(i->name, rest)) {
            i->run(m, out);
            return;
        }
    if (*rest)
        g_string_append_printf(out, "there is no info %s; there are:\n", rest);
    for (const struct human_info *i = human_infos; i->name; i++)
        g_string_append_printf(out, "info %s -- %s\n", i->name, i->doc);
}

/* --- what takes an option's text --- */

static void print_line(char *line, GString *out)
{
    if (line)
        g_string_append_printf(out, "Error: %s\n", line);
    free(line);
}

static void device_add(struct monitor *m, const char *rest, GString *out)
{
    print_line(devices_add(m->backends, m->board, rest), out);
}
static void netdev_add(struct monitor *m, const char *rest, GString *out)
{
    print_line(backends_add_netdev(m->backends, rest), out);
}
static void chardev_add(struct monitor *m, const char *rest, GString *out)
{
    print_line(backends_add_chardev(m->backends, rest), out);
}

/* The first word was a PCI address once, and scripts still give one. */
static void drive_add(struct monitor *m, const char *rest, GString *out)
{
    const char *blank = strchr(rest, ' ');
    g_autofree char *text = g_strdup_printf("%s,if=none", blank ? blank + 1 : rest);
    char *line = backends_add_drive(m->backends, text);
    if (!line)
        g_string_append(out, "OK\n");
    print_line(line, out);
}

static void examine(struct monitor *m, const char *rest, GString *out) { human_examine(m, rest, false, out); }
static void examine_physical(struct monitor *m, const char *rest, GString *out) { human_examine(m, rest, true, out); }

static void choose_cpu(struct monitor *m, const char *rest, GString *out)
{
    char *end;
    unsigned long n = strtoul(rest, &end, 0);
    if (!*rest || *end || n >= m->board->machine.nprocessors)
        g_string_append_printf(out, "invalid CPU index: there are %u\n", m->board->machine.nprocessors);
    else
        m->cpu = (unsigned)n;
}

const struct human_command human_commands[] = {
    {"help", "?", "[command]", "the commands, or one", help},
    {"info", NULL, "[what]", "shows something; without argument: what there is to show", info},
    {"stop", "s", "", "stops the processors and the machine's time", .qmp = "stop"},
    {"cont", "c", "", "goes on", .qmp = "cont"},
    {"quit", "q", "", "ends the machine and the program", .qmp = "quit"},
    {"system_reset", NULL, "", "resets the machine", .qmp = "system_reset"},
    {"system_powerdown", NULL, "", "presses the power button", .qmp = "system_powerdown"},
    {"cpu", NULL, "index", "chooses the processor that x and info registers are about", choose_cpu},
    {"print", "p", "/fmt expression", "the value of an expression", human_print},
    {"x", NULL, "/fmt address", "memory as the processor sees it; fmt: count, x d u o c i, size b h w g", examine},
    {"xp", NULL, "/fmt address", "memory by physical addresses", examine_physical},
    {"memsave", NULL, "address size file", "writes memory as the processor sees it to a file", .qmp = "memsave",
     .args = {"#val", "#size", "filename"}},
    {"pmemsave", NULL, "address size file", "writes physical memory to a file", .qmp = "pmemsave",
     .args = {"#val", "#size", "filename"}},
    {"savevm", NULL, "[name]", "saves the machine and its disks into the images", human_savevm},
    {"loadvm", NULL, "name", "goes back to a snapshot", human_loadvm},
    {"delvm", NULL, "name", "deletes a snapshot", human_delvm},
    {"migrate", NULL, "[-d] file:path", "stops the machine and writes its state to a file, for -incoming",
     human_migrate},
    {"migrate_incoming", NULL, "file:path", "loads the state that -incoming defer waits for", .qmp = "migrate-incoming",
     .args = {"uri"}},
    {"device_add", NULL, "driver[,property=value,...]", "plugs a device in, as -device does", device_add},
    {"device_del", NULL, "id", "asks the guest to let a device go", .qmp = "device_del", .args = {"id"}},
    {"drive_add", NULL, "0 file=path,id=name[,...]", "opens a disk, as -drive does, for a device_add", drive_add},
    {"drive_del", NULL, "id", "closes a disk that no device uses", .qmp = "blockdev-del", .args = {"node-name"}},
    {"block_resize", NULL, "id bytes", "makes a disk larger or smaller", .qmp = "block_resize", .args = {"device", "#size"}},
    {"netdev_add", NULL, "kind,id=name[,...]", "makes a network, as -netdev does", netdev_add},
    {"netdev_del", NULL, "id", "removes a network that no device uses", .qmp = "netdev_del", .args = {"id"}},
    {"set_link", NULL, "name on|off", "plugs a network's cable in or out", .qmp = "set_link", .args = {"name", "!up"}},
    {"chardev-add", NULL, "kind,id=name[,...]", "makes a character device, as -chardev does", chardev_add},
    {"chardev-remove", NULL, "id", "removes a character device that nobody uses", .qmp = "chardev-remove",
     .args = {"id"}},
    {"ringbuf_write", NULL, "device data", "puts text into a ringbuf", .qmp = "ringbuf-write",
     .args = {"device", "data"}},
    {NULL},
};

static bool is_named(const struct human_command *c, const char *word, size_t n)
{
    return (strlen(c->name) == n && !strncmp(c->name, word, n)) ||
           (c->alias && strlen(c->alias) == n && !strncmp(c->alias, word, n));
}

void monitor_human_command(struct monitor *m, const char *line, GString *out)
{
    line += strspn(line, " \t");
    size_t n = strcspn(line, " \t/");
    g_autofree char *rest = g_strstrip(g_strdup(line + n));
    if (!*line)
        return;
    for (const struct human_command *c = human_commands; c->name; c++) {
        if (!is_named(c, line, n))
            continue;
        struct json *args = c->run ? NULL : named_arguments(c, rest, out);
        if (c->run)
            c->run(m, rest, out);
        else if (args)
            json_free(human_execute(m, c->qmp, args, out));
        return;
    }
    g_string_append_printf(out, "unknown command: '%.*s'; help lists them\n", (int)n, line);
}

/* --- sessions: a line editor of the simplest kind --- */

enum { MAX_LINE = 4096, HISTORY = 32 };

struct human_session {
    struct monitor_session session;
    GString *line;
    GPtrArray *history;
    guint recalled;  /* place in the history that the line came from */
    unsigned escape; /* in a key's sequence: 1 after ESC, 2 after "[" */
    bool greeted, was_return;
};

static struct human_session *human(struct monitor_session *s) { return (struct human_session *)s; }

static void say(struct monitor_session *s, const char *text)
{
    g_autoptr(GString) lines = g_string_new(text);
    g_string_replace(lines, "\n", "\r\n", 0);
    monitor_send(s, lines->str, lines->len);
}

static void focused(struct monitor_session *s)
{
    struct human_session *h = human(s);
    say(s, h->greeted ? "\n(qemu) " : "\nmetic " METIC_VERSION " monitor; help lists the commands\n(qemu) ");
    say(s, h->line->str);
    h->greeted = true;
}

static void opened(struct monitor_session *s)
{
    struct human_session *h = human(s);
    g_string_truncate(h->line, 0);
    h->greeted = false;
    if (!s->chardev->kind || strcmp(s->chardev->kind, "mux"))
        focused(s);
}

static void replace_line(struct monitor_session *s, const char *text)
{
    struct human_session *h = human(s);
    say(s, "\r(qemu) ");
    for (gsize i = 0; i < h->line->len; i++)
        say(s, " ");
    say(s, "\r(qemu) ");
    g_string_assign(h->line, text);
    say(s, h->line->str);
}

static void recall(struct monitor_session *s, int step)
{
    struct human_session *h = human(s);
    if (step < 0 ? !h->recalled : h->recalled >= h->history->len)
        return;
    h->recalled += (guint)step;
    replace_line(s, h->recalled < h->history->len ? g_ptr_array_index(h->history, h->recalled) : "");
}

/* The one command that begins so. */
static void complete(struct monitor_session *s)
{
    struct human_session *h = human(s);
    const char *found = NULL, *line = h->line->str;
    bool shows = g_str_has_prefix(line, "info ");
    if (shows)
        line += 5;
    unsigned n = 0;
    for (const struct human_command *c = human_commands; !shows && c->name; c++)
        if (g_str_has_prefix(c->name, line)) {
            found = c->name;
            n++;
        }
    for (const struct human_info *i = human_infos; shows && i->name; i++)
        if (g_str_has_prefix(i->name, line)) {
            found = i->name;
            n++;
        }
    if (n != 1)
        return;
    g_autofree char *rest = g_strdup_printf("%s ", found + strlen(line));
    g_string_append(h->line, rest);
    say(s, rest);
}

static void enter(struct monitor_session *s)
{
    struct human_session *h = human(s);
    g_autofree char *line = g_strdup(h->line->str);
    g_autoptr(GString) out = g_string_new(NULL);
    g_string_truncate(h->line, 0);
    say(s, "\n");
    if (*line) {
        g_ptr_array_add(h->history, g_strdup(line));
        if (h->history->len > HISTORY)
            g_ptr_array_remove_index(h->history, 0);
    }
    h->recalled = h->history->len;
    monitor_human_command(s->monitor, line, out);
    g_string_append(out, "(qemu) ");
    say(s, out->str);
}

static void key(struct monitor_session *s, char c)
{
    enum { CTRL_C = 3, BACKSPACE = 8, TAB = 9, NEWLINE = 10, RETURN = 13, CTRL_U = 21, ESCAPE = 27, DELETE = 127 };
    struct human_session *h = human(s);
    bool after_return = h->was_return;
    h->was_return = c == RETURN;
    if (h->escape) {
        h->escape = h->escape == 1 && c == '[' ? 2 : 0;
        if (c == 'A' || c == 'B')
            recall(s, c == 'A' ? -1 : 1);
        return;
    }
    switch (c) {
    case NEWLINE:
        if (after_return)
            return;
        enter(s);
        return;
    case RETURN: enter(s); return;
    case BACKSPACE:
    case DELETE:
        if (h->line->len) {
            g_string_truncate(h->line, h->line->len - 1);
            say(s, "\b \b");
        }
        return;
    case CTRL_C:
    case CTRL_U: replace_line(s, ""); return;
    case TAB: complete(s); return;
    case ESCAPE: h->escape = 1; return;
    default:
        if ((unsigned char)c < ' ' || h->line->len == MAX_LINE)
            return;
        g_string_append_c(h->line, c);
        monitor_send(s, &c, 1);
    }
}

static void receive(struct monitor_session *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        key(s, bytes[i]);
}

static void free_session(struct monitor_session *s)
{
    g_string_free(human(s)->line, TRUE);
    g_ptr_array_unref(human(s)->history);
    g_free(s);
}

void monitor_open_human(struct monitor *m, struct chardev *c)
{
    struct human_session *h = g_new0(struct human_session, 1);
    h->session =
        (struct monitor_session){.opened = opened, .focused = focused, .receive = receive, .free = free_session};
    h->line = g_string_new(NULL);
    h->history = g_ptr_array_new_with_free_func(g_free);
    monitor_add_session(m, &h->session, c);
}
