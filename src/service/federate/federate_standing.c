/* Membership, and the trouble that is known of it. */
#include "service/federate/federate_standing.h"

#include <stdio.h>

#include "service/federate/federate_state.h"

/* A trouble that goes on is told again only when it is another one, and not more often. */
#define TOLD_AGAIN_US INT64_C(60000000)

void standing_set(Federate *f, Membership member)
{
    pthread_mutex_lock(&f->lock);
    f->standing.member = member;
    pthread_mutex_unlock(&f->lock);
}

/* Registration begins at once; the token's next chance comes after it. */
static void leave(Federate *f, const char *type, Outcome outcome, const Err *why)
{
    f->due.register_ns = clock_mono_ns();
    f->failures.registration = 0;
    f->due.beat_ns = INT64_MAX;
    f->standing.told_level = LOG_DEBUG; /* always news */
    event_note(&f->events, type, "%s", why->message);
    federate_trouble(f, LOG_WARN, "registering again", outcome, why);
}

void federate_event(Federate *f, MemberEvent event)
{
    Err why = {0};
    Membership before = f->standing.member, after = member_next(before, event);
    if (before == after) return;
    standing_set(f, after);
    if (after == MEMBER_ROW_LOST) {
        (void)err_set(&why, ERR_NOT_FOUND, "the federation has lost the record of this neuron");
        leave(f, "row_lost", CALL_GONE, &why);
    } else if (after == MEMBER_TOKEN_REFUSED) {
        (void)err_set(&why, ERR_PERMISSION, "the federation refuses this neuron's token");
        leave(f, "token_refused", CALL_TOKEN, &why);
    }
}

void federate_trouble(Federate *f, LogLevel level, const char *what, Outcome outcome,
                      const Err *err)
{
    int64_t now_us = clock_now_us();
    bool again =
        now_us - f->standing.notified_us < TOLD_AGAIN_US && level <= f->standing.told_level;
    bool news = !f->standing.trouble_us || level > f->standing.told_level ||
                (!again && strcmp(f->standing.trouble, err->message) != 0);
    pthread_mutex_lock(&f->lock);
    if (!f->standing.trouble_us) f->standing.trouble_us = now_us;
    f->standing.trouble_kind = err->kind;
    str_to_array(f->standing.trouble, sizeof f->standing.trouble, str_from(err->message));
    str_to_array(f->standing.hint, sizeof f->standing.hint, str_from(err->hint));
    pthread_mutex_unlock(&f->lock);
    metrics_set(METRIC_FEDERATION_UP, 0, NO_LABELS);
    LOG_ERR(news ? level : LOG_DEBUG, "federation", what, err,
            log_text("outcome", str_from(outcome_name(outcome))), log_text("id", f->o.id));
    if (!news) return;
    f->standing.notified_us = now_us;
    f->standing.told_level = level;
}

void federate_well(Federate *f)
{
    pthread_mutex_lock(&f->lock);
    bool was_in_trouble = f->standing.trouble_us != 0;
    f->standing.trouble_us = 0;
    f->standing.trouble[0] = f->standing.hint[0] = 0;
    pthread_mutex_unlock(&f->lock);
    f->standing.told_level = LOG_DEBUG;
    metrics_set(METRIC_FEDERATION_UP, 1, NO_LABELS);
    if (was_in_trouble) LOG(LOG_INFO, "federation", "heartbeats are taken again");
}

void federate_state(Federate *f, FederateState *ret_state)
{
    pthread_mutex_lock(&f->lock);
    *ret_state = (FederateState){.membership = member_name(f->standing.member),
                                 .since_us = f->standing.trouble_us,
                                 .kind = f->standing.trouble_kind};
    (void)snprintf(ret_state->trouble, sizeof ret_state->trouble,
                   f->standing.hint[0] ? "%s (%s)" : "%s", f->standing.trouble, f->standing.hint);
    pthread_mutex_unlock(&f->lock);
}
