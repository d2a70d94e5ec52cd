/* Which alerts are told together, and when: new ones at once, what still fires again after hours.
 */
#include "service/alert/alert_book.h"

static bool is_silenced(const Alert *a, int64_t now_us)
{
    return a->silence.until_us > now_us;
}

static bool is_news(const Alert *a)
{
    if (a->state == ALERT_FIRING) return a->notice.told != ALERT_FIRING;
    return a->state == ALERT_RESOLVED && a->notice.told == ALERT_FIRING;
}

static bool is_member(const Alert *a, int64_t now_us)
{
    if (a->yielded) return false;
    return !is_silenced(a, now_us) && (a->state == ALERT_FIRING || is_news(a));
}

/* {}:{alertname="DiskFull"} as Alertmanager writes it. */
static Status make_key(const Alert *a, const AlertSettings *s, Arena *arena, Str *ret_key, Err *err)
{
    CLEANUP(buf_done) Buf key = buf_make(1 << 20);
    TRY(buf_append(&key, STR("{}:{"), err));
    for (int32_t i = 0; i < s->group_by_count; i++) {
        Str value = alert_label(a, s->group_by[i]);
        TRY(buf_printf(&key, err, "%s%.*s=\"%.*s\"", i ? ", " : "", STR_ARG(s->group_by[i]),
                       STR_ARG(value)));
    }
    TRY(buf_append_char(&key, '}', err));
    return arena_copy(arena, buf_str(&key), ret_key, err);
}

typedef struct Timing {
    bool news, repeat;
    int64_t last_us; /* when anything of the group was told */
} Timing;

static void look(const Alert *a, const AlertSettings *s, int64_t now_us, Timing *timing)
{
    if (a->notice.at_us > timing->last_us) timing->last_us = a->notice.at_us;
    if (a->yielded || is_silenced(a, now_us)) return;
    if (is_news(a)) timing->news = true;
    bool again = a->state == ALERT_FIRING && a->notice.told == ALERT_FIRING;
    if (again && now_us - a->notice.at_us >= s->repeat_us) timing->repeat = true;
}

static bool is_due(const Timing *t, const AlertSettings *s, int64_t now_us)
{
    int64_t since_us = now_us - t->last_us;
    bool waits = t->last_us && since_us >= 0 && since_us < s->group_interval_us;
    return t->repeat || (t->news && !waits);
}

Status alert_book_groups(AlertBook *book, const AlertSettings *s, int64_t now_us, Arena *arena,
                         AlertGroups *ret_groups, Err *err)
{
    AlertGroups groups = {.items = ARENA_ARRAY(arena, AlertGroup, book->count + 1)};
    Timing *timings = ARENA_ARRAY(arena, Timing, book->count + 1);
    if (!groups.items || !timings) return err_memory(err);
    for (Alert *a = book->first; a; a = a->next) {
        Str key;
        int32_t at = 0;
        TRY(make_key(a, s, arena, &key, err));
        while (at < groups.count && !str_eq(groups.items[at].key, key)) at++;
        AlertGroup *g = &groups.items[at];
        if (at == groups.count) {
            groups.count++;
            g->key = key;
            g->members = ARENA_ARRAY(arena, Alert *, book->count);
            if (!g->members) return err_memory(err);
        }
        look(a, s, now_us, &timings[at]);
        if (!is_member(a, now_us)) continue;
        g->members[g->count++] = a;
        if (a->state == ALERT_FIRING) g->firing = true;
    }
    int32_t kept = 0;
    for (int32_t i = 0; i < groups.count; i++) {
        if (!is_due(&timings[i], s, now_us)) continue;
        groups.items[kept++] = groups.items[i];
    }
    groups.count = kept;
    *ret_groups = groups;
    return OK;
}

void alert_group_notified(AlertGroup *group, int64_t now_us)
{
    for (int32_t i = 0; i < group->count; i++) {
        Alert *a = group->members[i];
        a->notice_before.told = a->notice.told;
        a->notice_before.at_us = a->notice.at_us;
        a->notice.told = a->state;
        a->notice.at_us = now_us;
        a->changed = true;
    }
}

void alert_group_not_notified(AlertGroup *group)
{
    for (int32_t i = 0; i < group->count; i++) {
        group->members[i]->notice.told = group->members[i]->notice_before.told;
        group->members[i]->notice.at_us = group->members[i]->notice_before.at_us;
    }
}
