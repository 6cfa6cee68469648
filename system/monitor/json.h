/*
 * JSON (RFC 8259) as QMP speaks it: values follow one another on a stream, in pieces; strings may be in apostrophes,
 * too. Integers are kept exactly, from -2^63 to 2^64 - 1. Every text is UTF-8 without a zero byte.
 */
#ifndef SYSTEM_MONITOR_JSON_H
#define SYSTEM_MONITOR_JSON_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { JSON_MAX_DEPTH = 256, JSON_MAX_TEXT = 16 << 20 };

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_type type;
    bool truth, negative;
    unsigned n;             /* items */
    struct json **item;     /* JSON_ARRAY, JSON_OBJECT: owned */
    char **key;             /* JSON_OBJECT: of the items; no two are equal */
    uint64_t integer;       /* JSON_INT: two's complement if `negative` */
    double number;
    char *text;
};

/* --- values; what is put into another one is owned by it --- */

struct json *json_null(void);
struct json *json_bool(bool truth);
struct json *json_int(int64_t n);
struct json *json_uint(uint64_t n);
struct json *json_number(double d);
struct json *json_string(const char *text);
struct json *json_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct json *json_array(void);
struct json *json_object(void);
struct json *json_copy(const struct json *v);
/* NULL is fine. */
void json_free(struct json *v);
static inline void json_free_at(struct json **v) { json_free(*v); }
/* A variable whose value is freed where it ends. */
#define AUTO_JSON __attribute__((cleanup(json_free_at))) struct json *

void json_add(struct json *array, struct json *item);
/* A key that is there already gets the new value. Returns the object. */
struct json *json_put(struct json *object, const char *key, struct json *item);
/* Empty texts and NULL both are strings of no characters. */
struct json *json_put_string(struct json *object, const char *key, const char *text);
struct json *json_put_int(struct json *object, const char *key, int64_t n);
struct json *json_put_bool(struct json *object, const char *key, bool truth);

/* NULL: no such key, or v is NULL or no object. */
const struct json *json_get(const struct json *v, const char *key);
/* The text of a string member; NULL: there is none. */
const char *json_get_string(const struct json *v, const char *key);
/* An integer in the range of the type; false: it is none, or too large. */
bool json_to_int(const struct json *v, int64_t *out);
bool json_to_uint(const struct json *v, uint64_t *out);

/* --- text --- */

/* One value and nothing else. NULL: *error has one line, to be freed by g_free(). */
struct json *json_parse(const char *text, size_t n, char **error);
/* Appends; `pretty`: in lines, each level four columns further in. */
void json_write(GString *out, const struct json *v, bool pretty);

/* --- streams --- */

/* Finds where values end. */
struct json_stream {
    GString *text; /* of the value that is being read */
    unsigned depth;
    char quote;    /* in a string: what ends it */
    bool escaped;
};

enum json_step { JSON_MORE, JSON_VALUE, JSON_BAD };

void json_stream_init(struct json_stream *s);
void json_stream_free(struct json_stream *s);
/*
 * The next byte. JSON_VALUE: the text is that of a value or a mistake in one; JSON_BAD: what was read can't be one, or
 * a byte 0xff (QMP's way to start afresh) came within it. Behind both json_stream_next() is called.
 */
enum json_step json_stream_feed(struct json_stream *s, char byte);
void json_stream_next(struct json_stream *s);

#endif
