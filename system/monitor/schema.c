/* Checking values against the schema: see schema.h. */
#include "system/monitor/schema.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void fail_va(struct qmp_error *e, const char *class, const char *fmt, va_list args)
{
    if (e->class)
        return;
    e->class = class;
    e->text = g_strdup_vprintf(fmt, args);
}

void qmp_fail(struct qmp_error *e, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_va(e, "GenericError", fmt, args);
    va_end(args);
}

void qmp_fail_class(struct qmp_error *e, const char *class, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fail_va(e, class, fmt, args);
    va_end(args);
}

bool qmp_fail_line(struct qmp_error *e, char *line)
{
    if (line)
        qmp_fail(e, "%s", line);
    free(line);
    return line;
}

const struct schema_command *qmp_command_by_name(const char *name)
{
    for (unsigned i = 0; i < qmp_ncommands; i++)
        if (!strcmp(qmp_commands[i].name, name))
            return &qmp_commands[i];
    return NULL;
}

/* --- checking --- */

static char *wrong_type(const char *name, const char *wanted)
{
    return g_strdup_printf("Invalid parameter type for '%s', expected: %s", name, wanted);
}

static char *check_int(const struct schema_type *t, const struct json *v, const char *name)
{
    if (v->type != JSON_INT)
        return wrong_type(name, "integer");
    bool fits = v->negative ? (int64_t)v->integer >= t->min : v->integer <= t->max;
    return fits ? NULL : g_strdup_printf("Parameter '%s' expects %s", name, t->name);
}

static int find_word(const struct schema_type *t, const char *word)
{
    for (unsigned i = 0; i < t->nwords; i++)
        if (!strcmp(t->words[i], word))
            return (int)i;
    return -1;
}

static const struct schema_member *find_member(const struct schema_type *t, const char *name)
{
    for (unsigned i = 0; t && i < t->nmembers; i++)
        if (!strcmp(t->members[i].name, name))
            return &t->members[i];
    return NULL;
}

static char *check_members(const struct schema_type *t, const struct json *v, const char *name)
{
    for (unsigned i = 0; i < t->nmembers; i++) {
        const struct schema_member *m = &t->members[i];
        const struct json *item = json_get(v, m->name);
        g_autofree char *path = *name ? g_strdup_printf("%s.%s", name, m->name) : g_strdup(m->name);
        if (!item && !m->optional)
            return g_strdup_printf("Parameter '%s' is missing", path);
        char *line = item ? schema_check(m->type, item, path) : NULL;
        if (line)
            return line;
    }
    return NULL;
}

/* The members that belong to a union because of its tag; NULL: none, or the tag is no word. */
static const struct schema_type *selected_case(const struct schema_type *t, const struct json *v)
{
    const char *word = t->tag ? json_get_string(v, t->tag) : NULL;
    for (unsigned i = 0; word && i < t->ncases; i++)
        if (!strcmp(t->cases[i].word, word))
            return t->cases[i].type;
    return NULL;
}

static bool is_known(const struct schema_type *t, const struct json *v, const char *key)
{
    for (; t; t = selected_case(t, v))
        if (t->open || find_member(t, key))
            return true;
    return false;
}

static char *check_object(const struct schema_type *t, const struct json *v, const char *name)
{
    if (v->type != JSON_OBJECT)
        return wrong_type(name, "object");
    for (const struct schema_type *part = t; part; part = selected_case(part, v)) {
        char *line = check_members(part, v, name);
        if (line)
            return line;
    }
    for (unsigned i = 0; i < v->n; i++)
        if (!is_known(t, v, v->key[i]))
            return g_strdup_printf("Parameter '%s%s%s' is unexpected", name, *name ? "." : "", v->key[i]);
    return NULL;
}

static bool same_kind(const struct schema_type *t, const struct json *v)
{
    switch (t->kind) {
    case SCHEMA_STRING:
    case SCHEMA_ENUM: return v->type == JSON_STRING;
    case SCHEMA_INT: return v->type == JSON_INT;
    case SCHEMA_NUMBER: return v->type == JSON_INT || v->type == JSON_NUMBER;
    case SCHEMA_BOOL: return v->type == JSON_BOOL;
    case SCHEMA_NULL: return v->type == JSON_NULL;
    case SCHEMA_ARRAY: return v->type == JSON_ARRAY;
    case SCHEMA_OBJECT: return v->type == JSON_OBJECT;
    default: return true;
    }
}

char *schema_check(const struct schema_type *t, const struct json *v, const char *name)
{
    static const char *const wanted[] = {
        [SCHEMA_STRING] = "string", [SCHEMA_NUMBER] = "number", [SCHEMA_BOOL] = "boolean",
        [SCHEMA_NULL] = "null",     [SCHEMA_ENUM] = "string",   [SCHEMA_ARRAY] = "array"};
    switch (t->kind) {
    case SCHEMA_ANY: return NULL;
    case SCHEMA_INT: return check_int(t, v, name);
    case SCHEMA_OBJECT: return check_object(t, v, name);
    case SCHEMA_ALTERNATE:
        for (unsigned i = 0; i < t->ncases; i++)
            if (same_kind(t->cases[i].type, v))
                return schema_check(t->cases[i].type, v, name);
        return wrong_type(name, t->name);
    default: break;
    }
    if (!same_kind(t, v))
        return wrong_type(name, wanted[t->kind]);
    if (t->kind == SCHEMA_ENUM && find_word(t, v->text) < 0)
        return g_strdup_printf("Parameter '%s' does not accept value '%s'", name, v->text);
    for (unsigned i = 0; t->kind == SCHEMA_ARRAY && i < v->n; i++) {
        g_autofree char *path = g_strdup_printf("%s[%u]", name, i);
        char *line = schema_check(t->element, v->item[i], path);
        if (line)
            return line;
    }
    return NULL;
}

void schema_unpack(const struct schema_type *t, const struct json *args, void *out)
{
    *(const struct json **)out = args; /* every such struct begins with it */
    for (unsigned i = 0; i < t->nmembers; i++) {
        const struct schema_member *m = &t->members[i];
        const struct json *v = json_get(args, m->name);
        char *at = (char *)out + m->at;
        if (v && m->has_at)
            *((bool *)out + m->has_at) = true;
        if (!v)
            continue;
        switch (m->type->kind) {
        case SCHEMA_STRING: *(const char **)at = v->text; break;
        case SCHEMA_INT: *(uint64_t *)at = v->integer; break;
        case SCHEMA_NUMBER:
            *(double *)at = v->type == JSON_NUMBER ? v->number
                            : v->negative          ? (double)(int64_t)v->integer
                                                   : (double)v->integer;
            break;
        case SCHEMA_BOOL: *(bool *)at = v->truth; break;
        case SCHEMA_ENUM: *(int *)at = find_word(m->type, v->text); break;
        default: *(const struct json **)at = v; break;
        }
    }
}
