/*
 * Where the lines of -strace meet: the log, shared by the threads and processes that come from one start of metic, and
 * what they have to know of each other: whose line is open, when the last one was, and the counts of -c. That is a
 * memory file, which fork and execve (option -log-fd) hand on.
 */
#ifndef LINUX_USER_TRACE_LOG_H
#define LINUX_USER_TRACE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "linux-user/trace-options.h"

/* Makes the shared part, or takes over the one behind fd (-1: none). Without memory every process is by itself. */
void trace_log_start(int fd);
/* The memory file, for a program that this one starts; -1: none. */
int trace_log_descriptor(void);
enum { TRACE_PREFIX = 96 };

/* What stands in front of a line of the calling thread: its id and the clocks that are asked for. Returns its length.
 */
size_t trace_log_prefix(const struct trace_options *o, char out[TRACE_PREFIX]);
/*
 * Writes a line of the calling thread. text, `n` bytes, is all of it, prefix included, of which the log has the first
 * `written` bytes. result (" = 0"): goes into its column and ends the line; NULL: the line stays open. name: of the
 * call, for "<... name resumed>".
 */
void trace_log_write(const struct trace_options *o, const char *name, const char *text, size_t n, size_t written,
                     const char *result);
/* The end of the execve by which the program was started, if its line is still open, or is another's since. */
void trace_log_continue(const struct trace_options *o, const char *name, const char *text, const char *result);

/* Counts a call for -c. nanoseconds: spent in it. */
void trace_log_count(int call, bool failed, uint64_t nanoseconds);
/* The table of -c, when it is the process that was started first which ends. */
void trace_log_print_counts(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t trace_log_time(void);

#endif
