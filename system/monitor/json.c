/* JSON values, text and streams: see json.h. */
#include "system/monitor/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* --- values --- */

static struct json *make(enum json_type type)
{
    struct json *v = g_new0(struct json, 1);
    v->type = type;
    return v;
}

struct json *json_null(void) { return make(JSON_NULL); }
struct json *json_array(void) { return make(JSON_ARRAY); }
struct json *json_object(void) { return make(JSON_OBJECT); }

struct json *json_bool(bool truth)
{
    struct json *v = make(JSON_BOOL);
    v->truth = truth;
    return v;
}

struct json *json_int(int64_t n)
{
    struct json *v = make(JSON_INT);
    v->integer = (uint64_t)n;
    v->negative = n < 0;
    return v;
}

struct json *json_uint(uint64_t n)
{
    struct json *v = make(JSON_INT);
    v->integer = n;
    return v;
}

struct json *json_number(double d)
{
    struct json *v = make(JSON_NUMBER);
    v->number = d;
    return v;
}

static struct json *own_string(char *text)
{
    struct json *v = make(JSON_STRING);
    v->text = text;
    return v;
}

/* What comes from files and guests need not be UTF-8. */
struct json *json_string(const char *text) { return own_string(g_utf8_make_valid(text ? text : "", -1)); }

struct json *json_printf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    return json_string(text);
}

struct json *json_copy(const struct json *v)
{
    struct json *copy = make(v->type);
    *copy = *v;
    copy->text = g_strdup(v->text);
    copy->item = v->item ? g_new(struct json *, v->n) : NULL;
    copy->key = v->key ? g_new(char *, v->n) : NULL;
    for (unsigned i = 0; i < v->n; i++) {
        copy->item[i] = json_copy(v->item[i]);
        if (v->key)
            copy->key[i] = g_strdup(v->key[i]);
    }
    return copy;
}

void json_free(struct json *v)
{
    if (!v)
        return;
    for (unsigned i = 0; i < v->n; i++) {
        json_free(v->item[i]);
        if (v->key)
            g_free(v->key[i]);
    }
    g_free(v->item);
    g_free(v->key);
    g_free(v->text);
    g_free(v);
}

/* Room for one more, in powers of two. */
static void grow(struct json *v)
{
    if (v->n & (v->n - 1))
        return;
    unsigned room = v->n ? 2 * v->n : 1;
    v->item = g_renew(struct json *, v->item, room);
    if (v->type == JSON_OBJECT)
        v->key = g_renew(char *, v->key, room);
}

void json_add(struct json *array, struct json *item)
{
    CHECK(array->type == JSON_ARRAY);
    grow(array);
    array->item[array->n++] = item;
}

static struct json **find(const struct json *v, const char *key)
{
    for (unsigned i = 0; v && v->type == JSON_OBJECT && i < v->n; i++)
        if (!strcmp(v->key[i], key))
            return &v->item[i];
    return NULL;
}

struct json *json_put(struct json *object, const char *key, struct json *item)
{
    CHECK(object->type == JSON_OBJECT);
    struct json **at = find(object, key);
    if (at) {
        json_free(*at);
        *at = item;
        return object;
    }
    grow(object);
    object->key[object->n] = g_strdup(key);
    object->item[object->n++] = item;
    return object;
}

struct json *json_put_string(struct json *object, const char *key, const char *text)
{
    return json_put(object, key, json_string(text));
}

struct json *json_put_int(struct json *object, const char *key, int64_t n)
{
    return json_put(object, key, json_int(n));
}
struct json *json_put_bool(struct json *object, const char *key, bool truth)
{
    return json_put(object, key, json_bool(truth));
}

const struct json *json_get(const struct json *v, const char *key)
{
    struct json **at = find(v, key);
    return at ? *at : NULL;
}

const char *json_get_string(const struct json *v, const char *key)
{
    const struct json *s = json_get(v, key);
    return s && s->type == JSON_STRING ? s->text : NULL;
}

bool json_to_int(const struct json *v, int64_t *out)
{
    if (!v || v->type != JSON_INT || (!v->negative && v->integer > INT64_MAX))
        return false;
    *out = (int64_t)v->integer;
    return true;
}

bool json_to_uint(const struct json *v, uint64_t *out)
{
    if (!v || v->type != JSON_INT || v->negative)
        return false;
    *out = v->integer;
    return true;
}

/* --- reading --- */

struct reader {
    const char *p, *end;
    unsigned depth;
    const char *error; /* the first one */
};

static struct json *read_value(struct reader *r);

static void *fail(struct reader *r, const char *error)
{
    if (!r->error)
        r->error = error;
    return NULL;
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

/* The byte there; 0: the end. */
static char peek(const struct reader *r) { return r->p < r->end ? *r->p : 0; }

static bool take(struct reader *r, char c)
{
    skip_blanks(r);
    if (peek(r) != c)
        return false;
    r->p++;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n))
        return false;
    r->p += n;
    return true;
}

static bool read_hex4(struct reader *r, gunichar *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        if (r->p >= r->end || !g_ascii_isxdigit(*r->p))
            return false;
        *out = *out << 4 | (gunichar)g_ascii_xdigit_value(*r->p);
    }
    return true;
}

/* Behind "\u". */
static bool read_unicode(struct reader *r, GString *s)
{
    gunichar c, low;
    if (!read_hex4(r, &c))
        return fail(r, "\\u wants four hexadecimal digits");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (!take_word(r, "\\u") || !read_hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
            return fail(r, "half of a surrogate pair is missing");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c <= 0xdfff) {
        return fail(r, "half of a surrogate pair is missing");
    }
    if (!c)
        return fail(r, "a string must not contain \\u0000");
    g_string_append_unichar(s, c);
    return true;
}

static bool read_escape(struct reader *r, GString *s)
{
    static const char from[] = "\"\\/'bfnrt", to[] = "\"\\/'\b\f\n\r\t";
    char c = peek(r);
    r->p++;
    if (c == 'u')
        return read_unicode(r, s);
    const char *at = c ? strchr(from, c) : NULL;
    if (!at)
        return fail(r, "a string has an escape that does not exist");
    g_string_append_c(s, to[at - from]);
    return true;
}

/* A string's text, to be freed; NULL: it is wrong. */
static char *read_text(struct reader *r)
{
    char quote = *r->p++;
    GString *s = g_string_new(NULL);
    bool ok = true;
    while (ok && r->p < r->end && *r->p != quote) {
        char c = *r->p++;
        if (c == '\\')
            ok = read_escape(r, s);
        else if ((unsigned char)c < 0x20)
            ok = fail(r, "a string has a control character");
        else
            g_string_append_c(s, c);
    }
    if (ok && !take_word(r, (char[]){quote, 0}))
        ok = fail(r, "a string does not end");
    if (ok && !g_utf8_validate(s->str, (gssize)s->len, NULL))
        ok = fail(r, "a string is not UTF-8");
    return g_string_free(s, !ok);
}

static unsigned digits(struct reader *r)
{
    const char *from = r->p;
    while (g_ascii_isdigit(peek(r)))
        r->p++;
    return (unsigned)(r->p - from);
}

static struct json *read_number(struct reader *r)
{
    const char *from = r->p;
    bool negative = take_word(r, "-"), whole = true, zero = peek(r) == '0';
    unsigned n = digits(r);
    if (!n || (zero && n > 1))
        return fail(r, "a number is wrong");
    if (take_word(r, ".") && (whole = false, !digits(r)))
        return fail(r, "a number is wrong");
    if (peek(r) == 'e' || peek(r) == 'E') {
        whole = false;
        r->p++;
        if (peek(r) == '+' || peek(r) == '-')
            r->p++;
        if (!digits(r))
            return fail(r, "a number is wrong");
    }
    g_autofree char *text = g_strndup(from, (gsize)(r->p - from));
    errno = 0;
    uint64_t magnitude = whole ? g_ascii_strtoull(text + negative, NULL, 10) : 0;
    if (whole && !errno && (!negative || magnitude <= UINT64_C(1) << 63))
        return negative ? json_int((int64_t)-magnitude) : json_uint(magnitude);
    double d = g_ascii_strtod(text, NULL);
    return isfinite(d) ? json_number(d) : fail(r, "a number is too large");
}

static struct json *read_array(struct reader *r)
{
    AUTO_JSON v = json_array();
    if (take(r, ']'))
        return g_steal_pointer(&v);
    do {
        struct json *item = read_value(r);
        if (!item)
            return NULL;
        json_add(v, item);
    } while (take(r, ','));
    return take(r, ']') ? g_steal_pointer(&v) : fail(r, "an array wants , or ]");
}

static struct json *read_object(struct reader *r)
{
    AUTO_JSON v = json_object();
    if (take(r, '}'))
        return g_steal_pointer(&v);
    do {
        skip_blanks(r);
        if (peek(r) != '"' && peek(r) != '\'')
            return fail(r, "an object wants a key");
        g_autofree char *key = read_text(r);
        if (!key)
            return NULL;
        if (json_get(v, key))
            return fail(r, "an object has a key twice");
        if (!take(r, ':'))
            return fail(r, "an object wants : behind a key");
        struct json *item = read_value(r);
        if (!item)
            return NULL;
        json_put(v, key, item);
    } while (take(r, ','));
    return take(r, '}') ? g_steal_pointer(&v) : fail(r, "an object wants , or }");
}

static struct json *read_nested(struct reader *r, struct json *(*read)(struct reader *r))
{
    if (r->depth == JSON_MAX_DEPTH)
        return fail(r, "values are nested too deeply");
    r->depth++;
    r->p++;
    struct json *v = read(r);
    r->depth--;
    return v;
}

static struct json *read_value(struct reader *r)
{
    skip_blanks(r);
    switch (peek(r)) {
    case '{': return read_nested(r, read_object);
    case '[': return read_nested(r, read_array);
    case '"':
    case '\'': {
        char *text = read_text(r);
        return text ? own_string(text) : NULL;
    }
    default: break;
    }
    if (take_word(r, "true"))
        return json_bool(true);
    if (take_word(r, "false"))
        return json_bool(false);
    if (take_word(r, "null"))
        return json_null();
    if (peek(r) == '-' || g_ascii_isdigit(peek(r)))
        return read_number(r);
    return fail(r, r->p < r->end ? "a value is wrong" : "a value is missing");
}

struct json *json_parse(const char *text, size_t n, char **error)
{
    struct reader r = {.p = text, .end = text + n};
    struct json *v = read_value(&r);
    skip_blanks(&r);
    if (v && r.p < r.end) {
        json_free(v);
        v = fail(&r, "something follows the value");
    }
    if (!v)
        *error = g_strdup_printf("JSON parse error, %s", r.error);
    return v;
}

/* --- writing --- */

static void write_text(GString *out, const char *s)
{
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    g_string_append_c(out, '"');
    for (; *s; s++) {
        const char *at = strchr(special, *s);
        if (at)
            g_string_append_printf(out, "\\%c", letters[at - special]);
        else if ((unsigned char)*s < 0x20 || *s == 0x7f)
            g_string_append_printf(out, "\\u%04x", (unsigned)*s);
        else
            g_string_append_c(out, *s);
    }
    g_string_append_c(out, '"');
}

static void new_line(GString *out, bool pretty, unsigned depth)
{
    if (pretty)
        g_string_append_printf(out, "\n%*s", 4 * (int)depth, "");
}

static void write_value(GString *out, const struct json *v, bool pretty, unsigned depth)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    switch (v->type) {
    case JSON_NULL: g_string_append(out, "null"); return;
    case JSON_BOOL: g_string_append(out, v->truth ? "true" : "false"); return;
    case JSON_INT:
        if (v->negative)
            g_string_append_printf(out, "%" PRId64, (int64_t)v->integer);
        else
            g_string_append_printf(out, "%" PRIu64, v->integer);
        return;
    case JSON_NUMBER: g_string_append(out, g_ascii_dtostr(number, sizeof number, v->number)); return;
    case JSON_STRING: write_text(out, v->text); return;
    default: break;
    }
    bool object = v->type == JSON_OBJECT;
    g_string_append_c(out, object ? '{' : '[');
    for (unsigned i = 0; i < v->n; i++) {
        if (i)
            g_string_append(out, pretty ? "," : ", ");
        new_line(out, pretty, depth + 1);
        if (object) {
            write_text(out, v->key[i]);
            g_string_append(out, ": ");
        }
        write_value(out, v->item[i], pretty, depth + 1);
    }
    if (v->n)
        new_line(out, pretty, depth);
    g_string_append_c(out, object ? '}' : ']');
}

void json_write(GString *out, const struct json *v, bool pretty) { write_value(out, v, pretty, 0); }

/* --- streams --- */

void json_stream_init(struct json_stream *s) { *s = (struct json_stream){.text = g_string_new(NULL)}; }
void json_stream_free(struct json_stream *s) { g_string_free(s->text, TRUE); }

void json_stream_next(struct json_stream *s)
{
    g_string_truncate(s->text, 0);
    s->depth = 0;
    s->quote = 0;
    s->escaped = false;
}

static enum json_step in_string(struct json_stream *s, char c)
{
    if ((unsigned char)c < 0x20)
        return JSON_BAD;
    if (s->escaped)
        s->escaped = false;
    else if (c == '\\')
        s->escaped = true;
    else if (c == s->quote)
        s->quote = 0;
    return s->quote || s->depth ? JSON_MORE : JSON_VALUE;
}

enum json_step json_stream_feed(struct json_stream *s, char c)
{
    bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r', started = s->text->len;
    if (c == '\xff')
        return started ? JSON_BAD : JSON_MORE;
    if (blank && !started)
        return JSON_MORE;
    if (s->text->len == JSON_MAX_TEXT)
        return JSON_BAD;
    if (blank && !s->depth && !s->quote)
        return JSON_VALUE; /* a number or a word has ended */
    g_string_append_c(s->text, c);
    if (s->quote)
        return in_string(s, c);
    switch (c) {
    case '"':
    case '\'': s->quote = c; return JSON_MORE;
    case '{':
    case '[': return ++s->depth > JSON_MAX_DEPTH ? JSON_BAD : JSON_MORE;
    case '}':
    case ']':
        if (s->depth)
            s->depth--;
        return s->depth ? JSON_MORE : JSON_VALUE;
    default: return JSON_MORE;
    }
}
