/*
 * The gdb remote serial protocol's packets ("Remote Protocol: Overview" in Debugging with GDB): $payload#checksum with
 * escapes, acknowledgements, and the byte 3 that interrupts. Payloads are bytes here; escapes stay in this file.
 */
#ifndef GDBSTUB_PACKET_H
#define GDBSTUB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACKET_MAX = 0x10000 }; /* bytes of a payload that is accepted */

/* Bytes that grow; `bad` after a failure. Zeroed it is empty. */
struct gdb_text {
    char *bytes;
    size_t n, room;
    bool bad;
};

void gdb_put(struct gdb_text *t, const void *bytes, size_t n);
void gdb_printf(struct gdb_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void gdb_hex(struct gdb_text *t, const void *bytes, size_t n); /* two digits per byte */
void gdb_text_free(struct gdb_text *t);

enum packet_event {
    PACKET_NOTHING,
    PACKET_COMPLETE, /* r->payload, r->n */
    PACKET_BROKEN,   /* a wrong checksum, or more than PACKET_MAX */
    PACKET_INTERRUPT,
    PACKET_ACK,
    PACKET_NAK,
};

struct packet_reader {
    enum { READER_IDLE, READER_PAYLOAD, READER_ESCAPED, READER_SUM_HIGH, READER_SUM_LOW } state;
    uint8_t sum, given;
    bool wrong;
    size_t n;
    char payload[PACKET_MAX + 1]; /* a NUL is behind it */
};

/* Takes the next byte. A payload is good until the next call. */
enum packet_event packet_take(struct packet_reader *r, uint8_t byte);
/* Appends the packet that carries the payload. */
void packet_put(struct gdb_text *out, const void *payload, size_t n);

/* The value of a hexadecimal digit; -1: it is none. */
int hex_digit(char c);
/* n bytes from 2n digits; false: some are none. */
bool hex_bytes(const char *digits, size_t n, void *out);
/* A number at *p, which moves behind it; false: there is none, or it has more than 64 bits. */
bool hex_number(const char **p, uint64_t *out);

#endif
