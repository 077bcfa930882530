/* memory.h: how much memory is left for this process on Linux.
 *
 * Finds and reads the kernel's files about it. A job of a batch system, a service
 * or a container usually has its own limit (a cgroup), and so may each group
 * above it. The process is killed when any of them is full, even if the machine
 * has memory left.
 */
#ifndef CK_MEMORY_H
#define CK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a text file as far as it fits, and ends it with a zero. False where it
 * cannot be read; `cap` is more than 1. */
typedef bool ck_text_reader(void *context, const char *path, char *out,
                            size_t cap);

/* Bytes that the machine, and every group of the process, can give without
 * taking any from what runs; UINT64_MAX where nothing says. Memory of files that
 * are cached counts as left, if the kernel would take it first. */
uint64_t ck_memory_left(ck_text_reader *read, void *context);

/* The number behind `key` at the beginning of a line of `text`, or, with an empty
 * key, the one that the text begins with; UINT64_MAX where there is none. */
uint64_t ck_memory_number(const char *text, const char *key);

#endif
