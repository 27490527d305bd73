/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds the files of a corpus to a fuzz target, without a fuzzer: what once was found stays found
 * in every ordinary sanitizer build. Each file is also fed cut short at several places, since a
 * parser that trusts a length field shows it there. Each input lies in an allocation of exactly
 * its size, so that one byte read past it is caught. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

enum { CUTS = 16 };

static int feed(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    if (!copy)
        return -1;
    if (size)
        memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    size_t have = 0;
    size_t room = 0;

    if (!file)
        return NULL;
    for (;;) {
        if (have == room) {
            size_t more = room ? room * 2 : 4096;
            uint8_t *grown = realloc(bytes, more);

            if (!grown)
                break;
            bytes = grown;
            room = more;
        }
        size_t got = fread(bytes + have, 1, room - have, file);
        have += got;
        if (got == 0 && feof(file)) {
            (void)fclose(file);
            *size = have;
            return bytes;
        }
        if (got == 0)
            break;
    }
    free(bytes);
    (void)fclose(file);
    return NULL;
}

static int replay(const char *path)
{
    size_t size = 0;
    uint8_t *bytes = read_file(path, &size);
    int failed = 0;

    if (!bytes) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    failed = feed(bytes, size);
    for (size_t i = 0; i < CUTS && !failed; i++)
        failed = feed(bytes, size / CUTS * i + size % CUTS * i / CUTS);
    free(bytes);
    return failed;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    int failed = 0;

    if (LLVMFuzzerInitialize)
        (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct dirent **names = NULL;
        int count = scandir(argv[i], &names, NULL, alphasort);

        if (count < 0) {
            (void)fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return 1;
        }
        for (int k = 0; k < count; k++) {
            char path[4096];

            if (names[k]->d_name[0] != '.') {
                (void)snprintf(path, sizeof(path), "%s/%s", argv[i], names[k]->d_name);
                // Before the run: when it crashes, the log ends with the file that did it.
                (void)printf("%s\n", path);
                (void)fflush(stdout);
                failed |= replay(path);
                files++;
            }
            free(names[k]);
        }
        free((void *)names);
    }
    (void)printf("%zu files replayed\n", files);
    if (files == 0)
        (void)fprintf(stderr, "no seeds: a fuzz target without a corpus proves nothing\n");
    return failed || files == 0;
}
