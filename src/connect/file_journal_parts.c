/* Parts of a shared stream in the journal of a file: taken over, compared, moved. */
#include "connect/file_journal.h"
#include "foundation/base/number.h"

static Status read_parts(FileJournal *journal, const JsonValue *parts, Err *err)
{
    for (const JsonValue *item = parts->first; item; item = item->next) {
        int64_t part = 0, next = -1, fence = 0;
        (void)json_int64(json_element(item, 0), &next);
        if (number_parse_int64(item->key, &part) != NUMBER_OK || part < 0 || part > INT32_MAX ||
            !json_int64(json_element(item, 1), &fence)) {
            return err_set(err, ERR_IO, "the parts in its journal are damaged");
        }
        TRY(sink_parts_put(&journal->parts, (int32_t)part, next, fence, err));
    }
    return OK;
}

static Status read_position(FileJournal *journal, Err *err)
{
    Position position;
    position_init(&position);
    Status status = position_parse(journal->position, &position, err);
    for (int32_t i = 0; i < position.count && status == OK; i++) {
        status =
            sink_parts_put(&journal->parts, position.parts[i].part, position.parts[i].next, 0, err);
    }
    position_done(&position);
    return status;
}

Status file_journal_open_topic(FileJournal *journal, Str owner, Str topic, Err *err)
{
    journal->topic = topic;
    const JsonValue *parts = json_member(journal->shared, topic);
    if (parts) return read_parts(journal, parts, err);
    bool old = !journal->shared && journal->position.len && str_eq(journal->name, owner);
    return old ? read_position(journal, err) : OK;
}

Status file_journal_take(FileJournal *journal, const int32_t *parts, int32_t count, SinkParts *held,
                         Position *ret_from, Err *err)
{
    for (int32_t i = 0; i < count; i++) {
        const SinkPart *known = sink_parts_find(&journal->parts, parts[i]);
        int64_t next = known ? known->next : -1, fence = known ? known->fence + 1 : 1;
        TRY(sink_parts_put(&journal->parts, parts[i], next, fence, err));
        TRY(sink_parts_put(held, parts[i], next, fence, err));
        TRY(position_put(ret_from, parts[i], next, err));
    }
    return OK;
}

bool file_journal_holds(const FileJournal *journal, SinkParts *held)
{
    bool all = true;
    for (int32_t i = 0; i < held->count; i++) {
        SinkPart *ours = &held->items[i];
        if (ours->moves < 0) continue;
        const SinkPart *now = sink_parts_find(&journal->parts, ours->part);
        ours->held &= now && now->fence == ours->fence && now->next == ours->next;
        all &= ours->held;
    }
    return all;
}

void file_journal_move(FileJournal *journal, const SinkParts *held)
{
    for (int32_t i = 0; i < held->count; i++) {
        SinkPart *part = sink_parts_find(&journal->parts, held->items[i].part);
        if (part && held->items[i].moves >= 0) part->next = held->items[i].moves;
    }
}
