/* Checks that the federation asked for, and what came of them: the last ones of this life. */
#include "service/daemon/check_notes.h"

#include "foundation/base/clock.h"
#include "foundation/base/mem.h"
#include "service/daemon/dataset_report.h"

enum { NOTE_MAX = 64 << 20 };

/* Under the mutex. */
static CheckNote *find(CheckNotes *notes, Str id)
{
    for (int32_t i = 0; i < CHECK_NOTES_MAX; i++) {
        if (id.len && str_eq(str_from(notes->items[i].id), id)) return &notes->items[i];
    }
    return NULL;
}

/* The oldest one's place. Under the mutex. */
static CheckNote *make(CheckNotes *notes, Str id, const Job *job)
{
    CheckNote *note = &notes->items[notes->count++ % CHECK_NOTES_MAX];
    mem_free(note->result);
    *note = (CheckNote){.job = job};
    str_to_array(note->id, sizeof note->id, id);
    return note;
}

void check_note_begin(CheckNotes *notes, Str id, const Job *job)
{
    pthread_mutex_lock(&notes->mutex);
    if (!find(notes, id)) (void)make(notes, id, job); /* it may have ended already */
    pthread_mutex_unlock(&notes->mutex);
}

static void write_error(JsonWriter *w, const Err *why)
{
    json_key(w, "error");
    json_object_begin(w);
    json_key_text_or_null(w, "what", str_from(why->message));
    json_key_text_or_null(w, "hint", str_from(why->hint));
    json_object_end(w);
}

static Status write_result(Str id, const Job *job, const QualityReport *report, const Err *why,
                           Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    json_object_begin(&w);
    json_key_text_or_null(&w, "check_id", id);
    json_key_text_or_null(&w, "dataset", job->name);
    json_key_time(&w, "finished_at", clock_now_us());
    if (report) dataset_report_members(report, &w);
    if (!report) json_key_text_or_null(&w, "status", STR("failed"));
    if (!report) write_error(&w, why);
    json_object_end(&w);
    return json_writer_end(&w);
}

void check_note_end(CheckNotes *notes, Str id, const Job *job, const QualityReport *report,
                    const Err *why)
{
    CLEANUP(buf_done) Buf out = buf_make(NOTE_MAX);
    char *result = NULL;
    if (write_result(id, job, report, why, &out, NULL) == OK) {
        result = mem_strdup(out.data, out.len);
    }
    pthread_mutex_lock(&notes->mutex);
    CheckNote *note = find(notes, id);
    if (!note) note = make(notes, id, job);
    mem_free(note->result);
    note->result = result;
    pthread_mutex_unlock(&notes->mutex);
}

void check_notes_init(CheckNotes *notes)
{
    pthread_mutex_init(&notes->mutex, NULL);
}

void check_notes_done(CheckNotes *notes)
{
    for (int32_t i = 0; i < CHECK_NOTES_MAX; i++) mem_free(notes->items[i].result);
    pthread_mutex_destroy(&notes->mutex);
}

Status check_note_write(CheckNotes *notes, Str id, Buf *out, Err *err)
{
    JsonWriter w = json_writer_make(out, err);
    pthread_mutex_lock(&notes->mutex);
    const CheckNote *note = find(notes, id);
    if (note && note->result) {
        json_write_raw(&w, str_from(note->result));
    } else if (note) {
        json_object_begin(&w);
        json_key_text_or_null(&w, "check_id", id);
        json_key_text_or_null(&w, "dataset", note->job->name);
        json_key_text_or_null(&w, "status", STR("queued"));
        json_key_time(&w, "finished_at", 0);
        json_object_end(&w);
    }
    pthread_mutex_unlock(&notes->mutex);
    if (!note) return err_set(err, ERR_NOT_FOUND, "no check %.*s", STR_ARG(id));
    return json_writer_end(&w);
}
