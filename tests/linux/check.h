/*
 * Self-checking Linux programs: each runs natively first and then under metic, and says nothing when all is well.
 * A failed check prints its place and makes the program end with 1.
 */
#ifndef TESTS_LINUX_CHECK_H
#define TESTS_LINUX_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__ /* a message's head, whose last field has no length, and what stands behind it */
#pragma clang diagnostic ignored "-Wgnu-variable-sized-type-not-at-end"
#endif

static int failures;

/* An address nothing is ever mapped at, unknown to the compiler. */
static void *volatile bad_pointer = (void *)8;
#define BAD_POINTER bad_pointer

#define CHECK(cond)                                                                               \
    do {                                                                                          \
        errno = 0;                                                                                \
        if (!(cond)) {                                                                            \
            fprintf(stderr, "%s:%d: %s (errno: %s)\n", __FILE__, __LINE__, #cond, strerror(errno)); \
            failures++;                                                                           \
        }                                                                                         \
    } while (0)

/* The expression fails with this errno. */
#define FAILS(expr, err) CHECK((expr) == -1 && errno == (err))

#define DONE() return failures != 0

#endif
