/* The neuron's own state: runs, reports, outbox, commands, tokens, alerts, ticks; crash safe. */
#ifndef NEURON_STATE_STORE_H
#define NEURON_STATE_STORE_H

#include "foundation/base/buf.h"

/* One open store; all calls are thread-safe (one at a time), each is one transaction that is on
 * disk when it returns (WAL, synchronous FULL). Texts given to `each` are valid during that call
 * only, and `each` must not call the store; it may return FAIL to stop. Times: µs since the epoch.
 * No call waits longer than 10 s, for its turn and its answer together: ERR_TIMEOUT, and what it
 * wrote may be there or not. While a server is silent most calls fail at once, and one each second
 * tries it for 2 s. While the file isn't where it was opened, or another one is there, all calls
 * fail (ERR_IO, with the fix as the hint); they work again as soon as it is back. */
typedef struct StateStore StateStore;

/* `url` as under `state:`: sqlite:///relative.db, sqlite:////absolute.db (made with mode 0600 when
 * missing), or postgresql://… (a schema neuron_state there, made when missing), which several
 * neurons may share. FAIL: ERR_CONFIG for other kinds, ERR_IO for a file that is no state store or
 * is damaged, ERR_PERMISSION when read-only, ERR_DEADLOCK when locked, ERR_CONNECT. A session that
 * is lost is opened again by the next call. */
MUST_USE Status state_store_open(Str url, StateStore **ret_store, Err *err);
/* Does the URL name a file, so that it holds no password? */
bool state_url_is_file(Str url);
/* Nothing is opened. ERR_CONFIG for what state_store_open would not take for a URL. */
MUST_USE Status state_url_check(Str url, Err *err);
void state_store_close(StateStore *store);
DEFINE_FREE_P(StateStore, state_store_close)
/* ---- several neurons on one store ---- */

bool state_store_is_shared(const StateStore *store);
enum { STATE_REPLICAS_MAX = 64 };
/* On a shared store: the lowest number from 1 that no living neuron has, for so long; from then on
 * the outbox, open runs, commands, alerts and values are those of this number. On one of its own:
 * 0, and everything is. Before anything else is asked. */
MUST_USE Status state_scope_take(StateStore *store, int64_t hold_us, int64_t *ret_number, Err *err);
/* Hold it for longer. *ret_mine false: it ran out meanwhile, and another neuron has it. */
MUST_USE Status state_scope_renew(StateStore *store, int64_t hold_us, bool *ret_mine, Err *err);
/* What neurons that are gone left in outbox and notices becomes this one's. */
MUST_USE Status state_scope_adopt(StateStore *store, Err *err);
/* A lease by name, by the store's own clock: taken or renewed (*ret_mine), or another's. Given back
 * when the store is closed. */
MUST_USE Status state_lease_take(StateStore *store, Str name, int64_t hold_us, bool *ret_mine,
                                 Err *err);
MUST_USE Status state_lease_drop(StateStore *store, Str name, Err *err);

/* How far the store's clock is ahead of this machine's; 0 for a store of its own. Ticks count by
 * the store's clock. */
MUST_USE Status state_store_offset(StateStore *store, int64_t *ret_us, Err *err);

/* The clock was ahead: failed attempts and notices of that future are of now. */
MUST_USE Status state_clock_set_back(StateStore *store, Err *err);

/* How long the call that uses the store now has been waiting; 0: none does. Never waits. */
int64_t state_store_waits_ns(StateStore *store);
/* OK when the store can be read and written now. */
MUST_USE Status state_store_check(StateStore *store, Err *err);

/* What the federation shall get. */
typedef struct StateLetter {
    int64_t id;
    Str kind;
    Str body; /* JSON */
    int64_t at_us;
} StateLetter;

/* ---- runs of pipelines ---- */

typedef struct StateRun {
    Str run_id, pipeline;
    Str trigger;                     /* start, schedule, api, federation, catch_up, resume */
    Str status;                      /* queued, running, success, failed, skipped, cancelled */
    int64_t scheduled_us;            /* the tick; 0: none */
    int64_t started_us, finished_us; /* 0: not yet */
    int64_t attempts;
    Str result; /* the result object as JSON; empty: none yet */
} StateRun;
typedef Status (*StateRunEach)(void *arg, const StateRun *run, Err *err);

/* Insert, or replace the run of that run_id. */
MUST_USE Status state_run_put(StateStore *store, const StateRun *run, Err *err);
/* In the same transaction the letter (NULL: none) goes into the outbox. ERR_NOT_FOUND when there is
 * no such run; the letter is put all the same. */
MUST_USE Status state_run_finish(StateStore *store, Str run_id, Str status, int64_t finished_us,
                                 int64_t attempts, Str result, const StateLetter *letter, Err *err);
/* ERR_NOT_FOUND when there is none. */
MUST_USE Status state_run_get(StateStore *store, Str run_id, StateRunEach each, void *arg,
                              Err *err);
typedef struct StateRunFilter {
    Str pipeline, status; /* empty: all */
    Str before;           /* a run_id: only runs that were put before it; empty: from the newest */
    int64_t since_us;     /* 0: all */
    int64_t limit;        /* 0: 100; at most 1000 */
    bool mine;            /* only those that this neuron put, or adopted */
    bool brief;           /* without their results */
} StateRunFilter;
/* Newest first. */
MUST_USE Status state_run_list(StateStore *store, const StateRunFilter *filter, StateRunEach each,
                               void *arg, Err *err);
/* Open runs of neurons that are gone become this one's; `each` gets them. */
MUST_USE Status state_run_adopt(StateStore *store, StateRunEach each, void *arg, Err *err);
/* Each attempt that failed, retried or not. */
MUST_USE Status state_attempt_failed(StateStore *store, Str pipeline, Str run_id, int64_t at_us,
                                     Str kind, Err *err);
MUST_USE Status state_attempts_failed(StateStore *store, Str pipeline, int64_t since_us,
                                      int64_t *ret_count, Err *err);

/* ---- quality reports ---- */

typedef struct StateReport {
    int64_t id;
    Str dataset;
    int64_t at_us;
    double score;
    Str verdict;
    Str report; /* JSON */
} StateReport;
typedef Status (*StateReportEach)(void *arg, const StateReport *report, Err *err);

/* Put (id is ignored) and forget old reports of the dataset, at most 100 at once, down to the
 * newest `keep` (0: all stay); in the same transaction the letter (NULL: none) goes into the
 * outbox. */
MUST_USE Status state_report_put(StateStore *store, const StateReport *report, int64_t keep,
                                 const StateLetter *letter, int64_t *ret_id, Err *err);
/* Newest first; `dataset` empty: all; since_us 0: all; limit 0: 100, at most 10000. */
MUST_USE Status state_report_list(StateStore *store, Str dataset, int64_t since_us, int64_t limit,
                                  StateReportEach each, void *arg, Err *err);

/* ---- outbox: what the federation shall get, in order ---- */

typedef Status (*StateLetterEach)(void *arg, const StateLetter *letter, Err *err);

MUST_USE Status state_outbox_put(StateStore *store, Str kind, Str body, int64_t at_us, Err *err);
/* The oldest `limit`, oldest first. */
MUST_USE Status state_outbox_peek(StateStore *store, int64_t limit, StateLetterEach each, void *arg,
                                  Err *err);
/* These were delivered, and are forgotten; in the same transaction a value is put (`key` empty:
 * none). */
MUST_USE Status state_outbox_done(StateStore *store, const int64_t *ids, int32_t count, Str key,
                                  Str value, Err *err);
MUST_USE Status state_outbox_count(StateStore *store, int64_t *ret_count, Err *err);

/* ---- journal of commands ---- */

typedef struct StateCommand {
    Str id, type;
    Str status;       /* received, acknowledged, running, completed, failed … (the caller's) */
    Str body, result; /* JSON; result may be empty */
    int64_t at_us;
    bool open;
} StateCommand;
typedef Status (*StateCommandEach)(void *arg, const StateCommand *command, Err *err);

/* *ret_new false when the id is known already (nothing is changed then). */
MUST_USE Status state_command_put(StateStore *store, const StateCommand *command, bool *ret_new,
                                  Err *err);
/* `open` false: nothing more is to be done for it. */
MUST_USE Status state_command_status(StateStore *store, Str id, Str status, Str result, bool open,
                                     Err *err);
/* Open ones, oldest first. */
MUST_USE Status state_command_list(StateStore *store, StateCommandEach each, void *arg, Err *err);

/* ---- small things ---- */

/* Tokens of federations, by the core's URL and the neuron's id. Never logged. */
MUST_USE Status state_token_put(StateStore *store, Str url, Str id, Str token, Err *err);
/* *ret_token is emptied when there is none. */
MUST_USE Status state_token_get(StateStore *store, Str url, Str id, Buf *ret_token, Err *err);
/* All of an id, by whatever URL. */
typedef Status (*StateTokenEach)(void *arg, Str url, Str token, Err *err);
MUST_USE Status state_token_list(StateStore *store, Str id, StateTokenEach each, void *arg,
                                 Err *err);
MUST_USE Status state_token_drop(StateStore *store, Str url, Str id, Err *err);

/* States of alerts, by fingerprint. */
typedef Status (*StateAlertEach)(void *arg, Str fingerprint, Str state, Err *err);
MUST_USE Status state_alert_put(StateStore *store, Str fingerprint, Str state, Err *err);
MUST_USE Status state_alert_drop(StateStore *store, Str fingerprint, Err *err);
MUST_USE Status state_alert_list(StateStore *store, StateAlertEach each, void *arg, Err *err);
/* Those of other neurons that share the store, living or not. */
MUST_USE Status state_alert_others(StateStore *store, StateAlertEach each, void *arg, Err *err);

/* Notices about alerts: a queue for each receiver. */
typedef struct StateNotice {
    int64_t id;
    Str receiver, body;
    int64_t at_us;
    int64_t attempts; /* that failed */
    int64_t due_us;   /* not before */
} StateNotice;
/* A state to keep; empty: to forget. */
typedef struct StateAlert {
    Str fingerprint, state;
} StateAlert;
/* States and the notices about them, as one transaction. Of each receiver the newest `keep` notices
 * stay. Attempts and ids of `notices` are ignored. */
MUST_USE Status state_alerts_save(StateStore *store, const StateAlert *alerts, int32_t alert_count,
                                  const StateNotice *notices, int32_t notice_count, int64_t keep,
                                  Err *err);
/* The receiver's oldest, when there is one, due or not. */
typedef Status (*StateNoticeEach)(void *arg, const StateNotice *notice, Err *err);
MUST_USE Status state_notice_first(StateStore *store, Str receiver, StateNoticeEach each, void *arg,
                                   Err *err);
MUST_USE Status state_notice_later(StateStore *store, int64_t id, int64_t due_us, Err *err);
MUST_USE Status state_notice_done(StateStore *store, int64_t id, Err *err);
MUST_USE Status state_notice_count(StateStore *store, int64_t *ret_count, Err *err);

/* Who runs a tick: the first to take it. `name` is a pipeline or a dataset with its kind before it
 * ("pipeline:sales"). By the store's own clock a tick of the future is void: nobody gets it, and
 * those of this name that were taken while that clock was ahead are forgotten. The newest 1,000 of
 * a name are kept. */
MUST_USE Status state_tick_take(StateStore *store, Str name, int64_t scheduled_us, Str owner,
                                bool *ret_mine, Err *err);
/* The same, and in the same transaction the run that it starts is put: no tick is lost between. */
MUST_USE Status state_tick_run(StateStore *store, Str name, const StateRun *run, Str owner,
                               bool *ret_mine, Err *err);
/* The newest tick taken that is not in the future; 0: none. */
MUST_USE Status state_tick_last(StateStore *store, Str name, int64_t *ret_scheduled_us, Err *err);

/* ---- upkeep (state_upkeep.c) ---- */

/* What grows is kept for a time: of each pipeline the newest 1,000 runs, failed attempts and ticks
 * (of datasets too); of names that `known` denies the newest 100 of these and of reports; the
 * newest 100,000 of the outbox, 10,000 ended commands, 20,000 notices. Nothing depends on a clock
 * that may be set, and open runs and commands stay. */
typedef struct StateUpkeep {
    bool (*known)(void *arg, Str kind, Str name); /* kind: "pipeline" or "dataset" */
    void *arg;
    int32_t stage; /* where it is; {0} begins */
    int64_t rows;  /* of the next step */
    Buf name;      /* buf_done afterwards; buf_make(4096) before */
} StateUpkeep;
/* One small step (at most 500 rows, one short transaction), so that nobody waits long for the
 * store's lock. *ret_more false: all is done. A SQLite file also shrinks, step by step. */
MUST_USE Status state_upkeep_step(StateStore *store, StateUpkeep *upkeep, bool *ret_more, Err *err);

/* Anything else by key. *ret_value is emptied when there is none. */
MUST_USE Status state_value_put(StateStore *store, Str key, Str value, Err *err);
MUST_USE Status state_value_get(StateStore *store, Str key, Buf *ret_value, Err *err);
MUST_USE Status state_value_drop(StateStore *store, Str key, Err *err);

#endif
