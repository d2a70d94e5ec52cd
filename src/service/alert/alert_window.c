/* What counters were: at most 64 points of each series over its window. */
#include "foundation/base/hash.h"
#include "foundation/base/mem.h"
#include "service/alert/alert_condition.h"

enum { POINTS = 64, BUCKETS = 256, TRACKS_MAX = 5000 };

typedef struct Point {
    int64_t at_us;
    double total; /* increases so far, resets fixed */
} Point;

typedef struct Track {
    struct Track *next;
    uint64_t key;
    double last; /* the counter's value when it was last looked at */
    double total;
    Point points[POINTS]; /* a ring */
    int32_t first, count;
} Track;

struct AlertWindows {
    AlertExact exact;
    void *arg;
    Track *buckets[BUCKETS];
    int32_t count;
    bool begun; /* a round has ended: what comes now is new */
};

Status alert_windows_new(AlertExact exact, void *arg, AlertWindows **ret_windows, Err *err)
{
    AlertWindows *windows = mem_zalloc((int64_t)sizeof *windows);
    if (!windows) return err_memory(err);
    windows->exact = exact;
    windows->arg = arg;
    *ret_windows = windows;
    return OK;
}

void alert_windows_free(AlertWindows *windows)
{
    for (int32_t i = 0; windows && i < BUCKETS; i++) {
        for (Track *t = windows->buckets[i], *next; t; t = next) {
            next = t->next;
            mem_free(t);
        }
    }
    mem_free(windows);
}

void alert_windows_round(AlertWindows *windows)
{
    windows->begun = true;
}

void alert_windows_clock_set(AlertWindows *windows, int64_t step_us)
{
    for (int32_t i = 0; i < BUCKETS; i++) {
        for (Track *t = windows->buckets[i]; t; t = t->next) {
            for (int32_t k = 0; k < POINTS; k++) t->points[k].at_us += step_us;
        }
    }
}

static uint64_t key_of(const AlertVector *v, const Str *labels, int32_t label_count)
{
    uint64_t key = hash_64(STR("window"), (uint64_t)v->metric * 31 + (uint64_t)v->window_us);
    for (int32_t i = 0; i < label_count; i++) key = hash_64(labels[i], key);
    return key;
}

static Track *track_get(AlertWindows *w, uint64_t key, double value, int64_t now_us)
{
    Track **at = &w->buckets[key % BUCKETS];
    for (Track *t = *at; t; t = t->next) {
        if (t->key == key) return t;
    }
    Track *t = w->count < TRACKS_MAX ? mem_zalloc((int64_t)sizeof *t) : NULL;
    if (!t) return NULL;
    t->key = key;
    t->last = w->begun ? 0 : value;
    t->points[0] = (Point){now_us, 0};
    t->count = 1;
    t->next = *at;
    *at = t;
    w->count++;
    return t;
}

static Point *point(Track *t, int32_t nth)
{
    return &t->points[(t->first + nth) % POINTS];
}

/* Forgets points before the window but for the last of them, and keeps the distance of points. */
static void track_add(Track *t, int64_t window_us, int64_t now_us)
{
    while (t->count > 1 && point(t, 1)->at_us <= now_us - window_us) {
        t->first = (t->first + 1) % POINTS;
        t->count--;
    }
    Point *last = point(t, t->count - 1);
    int64_t apart_us = window_us / (POINTS - 4);
    if (t->count > 1 && last->at_us - point(t, t->count - 2)->at_us < apart_us) {
        *last = (Point){now_us, t->total};
        return;
    }
    if (t->count == POINTS) {
        t->first = (t->first + 1) % POINTS;
        t->count--;
    }
    t->count++;
    *point(t, t->count - 1) = (Point){now_us, t->total};
}

double alert_windows_increase(AlertWindows *w, const AlertVector *v, const Str *labels,
                              int32_t label_count, double value, int64_t now_us)
{
    double exact = 0;
    if (w->exact && w->exact(w->arg, v->metric, labels, now_us - v->window_us, &exact)) {
        return exact;
    }
    Track *t = track_get(w, key_of(v, labels, label_count), value, now_us);
    if (!t) return 0;
    t->total += value < t->last ? value : value - t->last;
    t->last = value;
    track_add(t, v->window_us, now_us);
    return t->total - point(t, 0)->total;
}
