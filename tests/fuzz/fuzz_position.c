/* Fuzz target: positions and journals that are read back; what is taken is written and read the
 * same. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "connect/file_journal.h"
#include "connect/position.h"
#include "foundation/base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void positions(Str text)
{
    Position one, two;
    Buf first = buf_make(1 << 24), second = buf_make(1 << 24);
    position_init(&one);
    position_init(&two);
    if (position_parse(text, &one, NULL) == OK && position_format(&one, &first, NULL) == OK) {
        if (position_parse(buf_str(&first), &two, NULL) != OK) abort();
        if (position_format(&two, &second, NULL) != OK) abort();
        if (!str_eq(buf_str(&first), buf_str(&second))) abort();
    }
    position_done(&one);
    position_done(&two);
    buf_done(&first);
    buf_done(&second);
}

static bool read_journal(const char *path, Str text, FileJournal *ret_journal)
{
    char name[200];
    (void)snprintf(name, sizeof name, "%s.neuron", path);
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(text.ptr, 1, (size_t)text.len, file) != (size_t)text.len) abort();
    (void)fclose(file);
    return file_journal_load(path, ret_journal, NULL) == OK && ret_journal->length >= 0;
}

static void journals(const char *path, Str text)
{
    FileJournal one, two;
    Buf first = buf_make(1 << 24), second = buf_make(1 << 24);
    if (read_journal(path, text, &one)) {
        if (file_journal_write(&one, &first, NULL) != OK) abort();
        if (!read_journal(path, buf_str(&first), &two)) abort();
        if (file_journal_write(&two, &second, NULL) != OK) abort();
        if (!str_eq(buf_str(&first), buf_str(&second))) abort();
        file_journal_done(&two);
    }
    file_journal_done(&one);
    buf_done(&first);
    buf_done(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[100];
    Str text = str_make((const char *)data, (int64_t)size);
    if (!path[0]) {
        char folder[] = "/tmp/fuzz-journal-XXXXXX";
        if (!mkdtemp(folder)) abort();
        (void)snprintf(path, sizeof path, "%s/x", folder);
    }
    positions(text);
    if (size > 0) journals(path, text);
    return 0;
}
