/* Journals beside appended files: read, and replaced at one moment. */
#include "connect/file_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "foundation/base/file.h"
#include "foundation/codec/json_writer.h"
#include "foundation/obs/log.h"

enum { JOURNAL_PATH = PATH_MAX + 64 };

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

static Status read_begun(FileJournal *journal, const JsonValue *list, Err *err)
{
    if (!list || list->kind != JSON_ARRAY) return OK;
    int32_t count = 0;
    for (const JsonValue *at = list->first; at; at = at->next) count++;
    journal->begun = ARENA_ARRAY(&journal->arena, FileBegun, count + 1);
    if (!journal->begun) return err_memory(err);
    for (const JsonValue *at = list->first; at; at = at->next) {
        FileBegun *begun = &journal->begun[journal->begun_count];
        *begun = (FileBegun){.pipeline = json_member_text(at, STR("pipeline"), STR("")),
                             .run_id = json_member_text(at, STR("run_id"), STR(""))};
        bool good = json_int64(json_member(at, STR("from")), &begun->from) &&
                    json_int64(json_member(at, STR("to")), &begun->to) && begun->from >= 0 &&
                    begun->from < begun->to && begun->to <= journal->length;
        journal->begun_count += good;
    }
    return OK;
}

static Status read_members(FileJournal *journal, const JsonValue *root, Err *err)
{
    journal->name = json_member_text(root, STR("name"), STR_NULL);
    const JsonValue *position = json_member(root, STR("position"));
    journal->shared = json_member(root, STR("shared"));
    if ((position && position->kind != JSON_OBJECT) ||
        (journal->shared && journal->shared->kind != JSON_OBJECT)) {
        return err_set(err, ERR_IO, "the position in the journal is damaged");
    }
    if (position) journal->position = position->text;
    journal->run_id = json_member_text(root, STR("run_id"), STR_NULL);
    (void)json_int64(json_member(root, STR("cycle")), &journal->cycle);
    (void)json_int64(json_member(root, STR("rows")), &journal->rows);
    return read_begun(journal, json_member(root, STR("begun")), err);
}

Status file_journal_load(const char *path, FileJournal *ret_journal, Err *err)
{
    char name[JOURNAL_PATH];
    FileJournal *journal = ret_journal;
    *journal = (FileJournal){.length = -1,
                             .arena = arena_make(4 * (int64_t)FILE_JOURNAL_MAX),
                             .text = buf_make(FILE_JOURNAL_MAX)};
    Str file = journal_path(path, "", name);
    if (!file_exists(file)) return OK;
    JsonValue *root = NULL;
    TRY(file_load(file, &journal->text, err));
    if (json_parse(buf_str(&journal->text), &journal->arena, &root, err) != OK) {
        return err_set(err, ERR_IO, "%s is damaged", name);
    }
    bool replaced = is_replaced(path, root);
    const JsonValue *counts = replaced ? json_member(root, STR("next")) : root;
    if (!counts) return OK;
    if (!json_int64(json_member(counts, STR("length")), &journal->length) || journal->length < 0) {
        return err_set(err, ERR_IO, "%s is damaged", name);
    }
    const JsonValue *at_work = json_member(counts, STR("at_work"));
    journal->at_work =
        !at_work || at_work->kind != JSON_BOOL || at_work->boolean; /* versions before didn't say */
    return read_members(journal, counts, err);
}

void file_journal_done(FileJournal *journal)
{
    sink_parts_done(&journal->parts);
    arena_done(&journal->arena);
    buf_done(&journal->text);
}

static void write_begun(const FileJournal *journal, JsonWriter *w)
{
    json_key(w, "begun");
    json_array_begin(w);
    for (int32_t i = 0; i < journal->begun_count; i++) {
        const FileBegun *begun = &journal->begun[i];
        json_object_begin(w);
        json_key(w, "pipeline");
        json_write_text(w, begun->pipeline);
        json_key(w, "run_id");
        json_write_text(w, begun->run_id);
        json_key(w, "from");
        json_write_int64(w, begun->from);
        json_key(w, "to");
        json_write_int64(w, begun->to);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_parts(JsonWriter *w, const SinkParts *parts)
{
    json_object_begin(w);
    for (int32_t i = 0; i < parts->count; i++) {
        const SinkPart *part = &parts->items[i];
        char key[16];
        (void)snprintf(key, sizeof key, "%d", (int)part->part);
        json_key(w, key);
        json_array_begin(w);
        if (part->next < 0) json_write_null(w);
        else json_write_int64(w, part->next);
        json_write_int64(w, part->fence);
        json_array_end(w);
    }
    json_object_end(w);
}

/* {"topic":{"0":[next,fence]}}; next is null where nothing was ever committed. */
static void write_shared(JsonWriter *w, const FileJournal *journal)
{
    json_key(w, "shared");
    json_object_begin(w);
    const JsonValue *item = journal->shared ? journal->shared->first : NULL;
    for (; item; item = item->next) {
        if (str_eq(item->key, journal->topic)) continue;
        json_key_str(w, item->key);
        json_write_raw(w, item->text);
    }
    if (journal->topic.len) {
        json_key_str(w, journal->topic);
        write_parts(w, &journal->parts);
    }
    json_object_end(w);
}

Status file_journal_write(const FileJournal *journal, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key(&w, "length");
    json_write_int64(&w, journal->length);
    json_key(&w, "at_work");
    json_write_bool(&w, journal->at_work);
    if (journal->name.len) {
        json_key(&w, "name");
        json_write_text(&w, journal->name);
    }
    if (journal->position.len) {
        json_key(&w, "position");
        json_write_raw(&w, journal->position);
    }
    if (journal->topic.len || journal->shared) write_shared(&w, journal);
    if (journal->run_id.len) {
        json_key(&w, "run_id");
        json_write_text(&w, journal->run_id);
        json_key(&w, "cycle");
        json_write_int64(&w, journal->cycle);
        json_key(&w, "rows");
        json_write_int64(&w, journal->rows);
    }
    if (journal->begun_count) write_begun(journal, &w);
    if (journal->replaced_by) {
        json_key(&w, "replaced_by");
        json_write_int64(&w, journal->replaced_by);
    }
    json_object_end(&w);
    return json_writer_end(&w);
}

static Status save(const char *path, Buf *text, Err *err)
{
    char name[JOURNAL_PATH], temporary[JOURNAL_PATH];
    CLEANUP(file_close_p) int fd = -1;
    Str from = journal_path(path, ".tmp", temporary);
    TRY(buf_append_char(text, '\n', err));
    TRY(file_open(from, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, err));
    TRY(file_write(fd, buf_str(text), err));
    TRY(file_sync(fd, err));
    return file_rename(from, journal_path(path, "", name), err);
}

Status file_journal_save(const char *path, const FileJournal *journal, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FILE_JOURNAL_MAX);
    TRY(file_journal_write(journal, &text, err));
    return save(path, &text, err);
}

Status file_journal_counts(const char *path, const FileJournal *journal, int fd,
                           int64_t *ret_length, int64_t *ret_size, Err *err)
{
    TRY(file_size(fd, ret_size, err));
    int64_t size = *ret_size;
    bool whole = size == 0 || journal->length < 0 || (!journal->at_work && size > journal->length);
    *ret_length = whole ? size : journal->length;
    if (*ret_length <= size) return OK;
    (void)err_set(err, ERR_IO, "it is shorter (%lld bytes) than its journal says (%lld)",
                  (long long)size, (long long)journal->length);
    return err_hint(err, "if that is meant, remove %s.neuron", path);
}

Status file_journal_renew(const char *path, FileJournal *journal, int fd, Err *err)
{
    int64_t size = 0;
    TRY(file_size(fd, &size, err));
    if (size > 0 || journal->length <= 0) return OK;
    LOG(LOG_WARN, "file",
        "what was written to the file was moved or removed: a new one is begun, and the position "
        "in its journal stays",
        log_text("file", str_from(path)), log_int("bytes", journal->length));
    journal->length = 0;
    journal->at_work = false;
    journal->begun_count = 0;
    return file_journal_save(path, journal, err);
}

Status file_journal_begin(const char *path, FileJournal *journal, Err *err)
{
    journal->at_work = true;
    return file_journal_save(path, journal, err);
}

Status file_journal_announce(const char *path, Str now, Str next, int64_t inode, Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(FILE_JOURNAL_MAX);
    TRY(buf_append(&text, str_slice(now, 0, now.len - 1), err)); /* without its last brace */
    TRY(buf_printf(&text, err, ",\"replaced_by\":%lld,\"next\":", (long long)inode));
    TRY(buf_append(&text, next, err));
    TRY(buf_append_char(&text, '}', err));
    return save(path, &text, err);
}

Status file_journal_remove(const char *path, Err *err)
{
    char name[JOURNAL_PATH];
    (void)journal_path(path, "", name);
    if (unlink(name) == 0 || errno == ENOENT) return OK;
    return err_errno(err, errno, "can't remove %s", name);
}
