/* Feeds each file of a folder to a fuzz target: the committed corpus as an ordinary test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) return 1;
    uint8_t *data = malloc(1 << 24);
    if (!data) abort();
    size_t size = fread(data, 1, 1 << 24, file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    int count = 0, failed = 0;
    DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
    if (!folder) {
        (void)fprintf(stderr, "no corpus: %s\n", argc > 1 ? argv[1] : "");
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        if (entry->d_name[0] == '.') continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        failed += replay(path);
        count++;
    }
    (void)closedir(folder);
    (void)fprintf(stderr, "[  PASSED  ] %d test(s).\n", count - failed);
    return failed || count == 0;
}
