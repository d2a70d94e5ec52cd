/* Journals beside appended files: read, and replaced at one moment. */
#include "connect/file_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foundation/base/file.h"
#include "foundation/codec/json_tree.h"
#include "foundation/codec/json_writer.h"

enum { JOURNAL_MAX = 1 << 25, JOURNAL_PATH = PATH_MAX + 64 };

static Str journal_path(const char *path, const char *ending, char to[JOURNAL_PATH])
{
    (void)snprintf(to, JOURNAL_PATH, "%s.neuron%s", path, ending);
    return str_from(to);
}

bool file_journal_exists(const char *path)
{
    char name[JOURNAL_PATH];
    return file_exists(journal_path(path, "", name));
}

/* Who replaced the file was ended before he removed the journal of the former one. */
static bool is_replaced(const char *path, const JsonValue *root)
{
    int64_t inode = 0;
    struct stat info;
    (void)json_int64(json_member(root, STR("replaced_by")), &inode);
    return inode && stat(path, &info) == 0 && (int64_t)info.st_ino == inode;
}

Status file_journal_load(const char *path, FileJournal *ret_journal, Err *err)
{
    char name[JOURNAL_PATH];
    FileJournal *journal = ret_journal;
    *journal = (FileJournal){
        .length = -1, .arena = arena_make(2 * JOURNAL_MAX), .text = buf_make(JOURNAL_MAX)};
    Str file = journal_path(path, "", name);
    if (!file_exists(file)) return OK;
    JsonValue *root = NULL;
    TRY(file_load(file, &journal->text, err));
    if (json_parse(buf_str(&journal->text), &journal->arena, &root, err) != OK ||
        !json_int64(json_member(root, STR("length")), &journal->length) || journal->length < 0) {
        return err_set(err, ERR_IO, "%s is damaged", name);
    }
    if (is_replaced(path, root)) {
        journal->length = -1;
        return OK;
    }
    journal->name = json_member_text(root, STR("name"), STR_NULL);
    const JsonValue *position = json_member(root, STR("position"));
    if (position) journal->position = position->text;
    journal->run_id = json_member_text(root, STR("run_id"), STR_NULL);
    journal->before = journal->length;
    (void)json_int64(json_member(root, STR("cycle")), &journal->cycle);
    (void)json_int64(json_member(root, STR("rows")), &journal->rows);
    (void)json_int64(json_member(root, STR("before")), &journal->before);
    return OK;
}

void file_journal_done(FileJournal *journal)
{
    arena_done(&journal->arena);
    buf_done(&journal->text);
}

static Status journal_write(const FileJournal *journal, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "length");
    json_write_int64(&w, journal->length);
    if (journal->name.len) {
        json_key(&w, "name");
        json_write_text(&w, journal->name);
    }
    if (journal->position.len) {
        json_key(&w, "position");
        json_write_raw(&w, journal->position);
    }
    if (journal->run_id.len) {
        json_key(&w, "run_id");
        json_write_text(&w, journal->run_id);
        json_key(&w, "cycle");
        json_write_int64(&w, journal->cycle);
        json_key(&w, "rows");
        json_write_int64(&w, journal->rows);
        json_key(&w, "before");
        json_write_int64(&w, journal->before);
    }
    if (journal->replaced_by) {
        json_key(&w, "replaced_by");
        json_write_int64(&w, journal->replaced_by);
    }
    json_object_end(&w);
    TRY(json_writer_end(&w));
    return buf_append_char(out, '\n', err);
}

Status file_journal_save(const char *path, const FileJournal *journal, Err *err)
{
    char name[JOURNAL_PATH], temporary[JOURNAL_PATH];
    CLEANUP(buf_done) Buf text = buf_make(JOURNAL_MAX);
    CLEANUP(file_close_p) int fd = -1;
    Str from = journal_path(path, ".tmp", temporary);
    TRY(journal_write(journal, &text, err));
    TRY(file_open(from, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, err));
    TRY(file_write(fd, buf_str(&text), err));
    TRY(file_sync(fd, err));
    return file_rename(from, journal_path(path, "", name), err);
}

Status file_journal_remove(const char *path, Err *err)
{
    char name[JOURNAL_PATH];
    (void)journal_path(path, "", name);
    if (unlink(name) == 0 || errno == ENOENT) return OK;
    return err_errno(err, errno, "can't remove %s", name);
}
