/* The monitor's parts that need no machine: JSON values, text and streams, and checking against the schema. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "qmp-schema.h"
#include "softmmu/runstate.h"
#include "system/monitor/monitor.h"

static struct json *parse(const char *text)
{
    char *error = NULL;
    struct json *v = json_parse(text, strlen(text), &error);
    cr_assert(!v == !!error, "%s", text);
    g_free(error);
    return v;
}

static char *written(const struct json *v)
{
    GString *s = g_string_new(NULL);
    json_write(s, v, false);
    return g_string_free(s, FALSE);
}

Test(json, values)
{
    static const struct {
        const char *text, *written; /* NULL: it is wrong */
    } rows[] = {
        {"null", "null"}, {" true ", "true"}, {"false", "false"}, {"0", "0"}, {"-0", "0"}, {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"}, {"18446744073709551616", "1.8446744073709552e+19"}, {"1.5e3", "1500"},
        {"\"a\\u00e4\\ud83d\\ude00\\n\"", "\"a\xc3\xa4\xf0\x9f\x98\x80\\n\""}, {"'it\\'s'", "\"it's\""}, {"[]", "[]"}, {"{}", "{}"},
        {"[1,[2,{\"a\":null}]]", "[1, [2, {\"a\": null}]]"}, {"{'a':{'b':[]}}", "{\"a\": {\"b\": []}}"},
        {"", NULL}, {"01", NULL}, {"-", NULL}, {"1.", NULL}, {"1e", NULL}, {"1e999", NULL}, {"+1", NULL}, {"nul", NULL}, {"truex", NULL},
        {"\"", NULL}, {"\"\\x\"", NULL}, {"\"\\u12\"", NULL}, {"\"\\ud800\"", NULL}, {"\"\\ude00\"", NULL}, {"\"\\u0000\"", NULL},
        {"\"\xff\"", NULL}, {"\"a\nb\"", NULL}, {"[1,]", NULL}, {"[1 2]", NULL}, {"[1", NULL}, {"{\"a\"}", NULL}, {"{\"a\":1,}", NULL},
        {"{a:1}", NULL}, {"{\"a\":1,\"a\":2}", NULL}, {"{} {}", NULL}, {"]", NULL},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        AUTO_JSON v = parse(rows[i].text);
        cr_assert_eq(!v, !rows[i].written, "%s", rows[i].text);
        g_autofree char *text = v ? written(v) : NULL;
        cr_assert(!v || !strcmp(text, rows[i].written), "%s: %s", rows[i].text, text);
    }
}

Test(json, nesting_is_bounded)
{
    g_autoptr(GString) s = g_string_new(NULL);
    for (unsigned i = 0; i < JSON_MAX_DEPTH; i++)
        g_string_prepend_c(g_string_append_c(s, ']'), '[');
    AUTO_JSON v = parse(s->str);
    cr_assert(v);
    g_string_prepend_c(g_string_append_c(s, ']'), '[');
    AUTO_JSON deeper = parse(s->str);
    cr_assert_null(deeper);
}

/* Feeds the bytes; each value or mistake is a word: the value's text, or "bad". */
static char *streamed(const char *bytes, size_t n)
{
    struct json_stream s;
    GString *out = g_string_new(NULL);
    json_stream_init(&s);
    for (size_t i = 0; i < n; i++) {
        enum json_step step = json_stream_feed(&s, bytes[i]);
        if (step == JSON_MORE)
            continue;
        g_string_append_printf(out, "%s;", step == JSON_VALUE ? s.text->str : "bad");
        json_stream_next(&s);
    }
    json_stream_free(&s);
    return g_string_free(out, FALSE);
}

Test(json, streams)
{
    static const struct {
        const char *bytes, *values;
    } rows[] = {
        {"{\"a\":1}{\"b\":[2]}\n", "{\"a\":1};{\"b\":[2]};"}, {" 12 \"}\" ", "12;\"}\";"}, {"{\"}]\\\"\":'\"'}", "{\"}]\\\"\":'\"'};"},
        {"{\"a\": \xff{}", "bad;{};"}, {"\xff{}", "{};"}, {"\"a\n{}", "bad;{};"}, {"} {}", "};{};"}, {"{", ""},
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *values = streamed(rows[i].bytes, strlen(rows[i].bytes));
        cr_assert_str_eq(values, rows[i].values, "%s: %s", rows[i].bytes, values);
    }
}

/* Whatever comes is cut into pieces that are right or wrong; what is right is written and read as the same. */
Test(json, random_bytes)
{
    static const char letters[] = "{}[]\",':\\u0019 -.eE+truefalsn\n\xff\xc3\xa4\x01";
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[40];
        unsigned n = (unsigned)rand() % sizeof bytes;
        for (unsigned i = 0; i < n; i++)
            bytes[i] = letters[(unsigned)rand() % (sizeof letters - 1)];
        g_autofree char *error = NULL;
        g_free(streamed(bytes, n));
        AUTO_JSON v = json_parse(bytes, n, &error);
        if (!v)
            continue;
        g_autofree char *text = written(v);
        AUTO_JSON again = parse(text);
        g_autofree char *same = again ? written(again) : NULL;
        cr_assert_str_eq(text, same);
    }
}

/* --- the schema --- */

static void check(const char *command, const char *args, const char *wanted)
{
    AUTO_JSON v = parse(args);
    g_autofree char *line = schema_check(qmp_command_by_name(command)->args, v, "");
    cr_assert(wanted ? line && !strcmp(line, wanted) : !line, "%s %s: %s", command, args, line);
}

Test(schema, checks)
{
    check("query-status", "{}", NULL);
    check("query-status", "{'x':1}", "Parameter 'x' is unexpected");
    check("memsave", "{'val':0,'size':18446744073709551615,'filename':'f'}", NULL);
    check("memsave", "{'val':-1,'size':1,'filename':'f'}", "Parameter 'val' expects uint64");
    check("memsave", "{'val':0,'size':1}", "Parameter 'filename' is missing");
    check("memsave", "{'val':'0','size':1,'filename':'f'}", "Invalid parameter type for 'val', expected: integer");
    check("qmp_capabilities", "{'enable':['oob']}", NULL);
    check("qmp_capabilities", "{'enable':['ooc']}", "Parameter 'enable[0]' does not accept value 'ooc'");
    check("qmp_capabilities", "{'enable':'oob'}", "Invalid parameter type for 'enable', expected: array");
    check("device_add", "{'driver':'x','anything':[]}", NULL);
    check("netdev_add", "{'type':'user','id':'n','hostfwd':[{'str':'a'}]}", NULL);
    check("netdev_add", "{'type':'user','id':'n','ifname':'t'}", "Parameter 'ifname' is unexpected");
    check("netdev_add", "{'type':'tap','id':'n','ifname':'t'}", NULL);
    check("netdev_add", "{'id':'n'}", "Parameter 'type' is missing");
    check("blockdev-add", "{'driver':'qcow2','node-name':'n','file':{'driver':'file','filename':'f'}}", NULL);
    check("blockdev-add", "{'driver':'qcow2','node-name':'n','file':'other'}", NULL);
    check("blockdev-add", "{'driver':'qcow2','file':{'driver':'file'}}", "Parameter 'file.filename' is missing");
    check("blockdev-add", "{'driver':'qcow2','file':3}", "Invalid parameter type for 'file', expected: BlockdevRef");
    check("chardev-add", "{'id':'c','backend':{'type':'socket','data':{'addr':{'type':'unix','data':{'path':'p'}}}}}", NULL);
    check("chardev-add", "{'id':'c','backend':{'type':'null'}}", "Parameter 'backend.data' is missing");
}

Test(schema, arguments_are_unpacked)
{
    AUTO_JSON v = parse("{'val':18446744073709551615,'size':7,'filename':'f','cpu-index':-3}");
    struct qmp_memsave_args a = {0};
    schema_unpack(qmp_command_by_name("memsave")->args, v, &a);
    cr_assert(a.val == UINT64_MAX && a.size == 7 && a.has_cpu_index && a.cpu_index == -3 && a.json == v);
    cr_assert_str_eq(a.filename, "f");
    AUTO_JSON w = parse("{'reboot':'shutdown'}");
    struct qmp_set_action_args s = {0};
    schema_unpack(qmp_command_by_name("set-action")->args, w, &s);
    cr_assert(s.has_reboot && s.reboot == QMP_REBOOT_ACTION_SHUTDOWN && !s.has_shutdown);
}

/* The words of an enum in the introspection. */
static const struct json *words(const struct json *schema, const char *name)
{
    for (unsigned i = 0; i < schema->n; i++)
        if (!strcmp(json_get_string(schema->item[i], "name"), name))
            return json_get(schema->item[i], "values");
    return NULL;
}

Test(schema, introspection)
{
    AUTO_JSON schema = parse(qmp_introspection);
    cr_assert(schema);
    const struct json *states = words(schema, "RunState"), *causes = words(schema, "ShutdownCause");
    cr_assert(states && causes && states->n == RUN_STATE_COUNT && causes->n == CAUSE_COUNT);
    for (unsigned i = 0; i < RUN_STATE_COUNT; i++)
        cr_assert_str_eq(states->item[i]->text, run_state_name(i));
    for (unsigned i = 0; i < CAUSE_COUNT; i++)
        cr_assert_str_eq(causes->item[i]->text, shutdown_cause_name(i));
    /* Every type that is named is there. */
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    for (unsigned i = 0; i < schema->n; i++)
        cr_assert(g_hash_table_add(names, (gpointer)json_get_string(schema->item[i], "name")), "twice");
    static const char *const keys[] = {"arg-type", "ret-type", "element-type"};
    for (unsigned i = 0; i < schema->n; i++) {
        for (unsigned k = 0; k < G_N_ELEMENTS(keys); k++) {
            const char *type = json_get_string(schema->item[i], keys[k]);
            cr_assert(!type || g_hash_table_contains(names, type), "%s", type);
        }
        const struct json *members = json_get(schema->item[i], "members"), *variants = json_get(schema->item[i], "variants");
        for (unsigned k = 0; members && k < members->n; k++) {
            const char *type = json_get_string(members->item[k], "type");
            cr_assert(!type || g_hash_table_contains(names, type), "%s", type);
        }
        for (unsigned k = 0; variants && k < variants->n; k++)
            cr_assert(g_hash_table_contains(names, json_get_string(variants->item[k], "type")));
    }
}

Test(schema, options_of_objects)
{
    AUTO_JSON v = parse("{'driver':'d','a':true,'b':7,'c':'x,y','l':[{'str':'1'},{'str':'2'}]}");
    g_autofree char *text = monitor_option_text(v, "driver");
    cr_assert_str_eq(text, "a=on,b=7,c=x,,y,l=1,l=2");
}
