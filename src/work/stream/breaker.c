/* The breaker: holds a stream whose dead letters are too large a share of the last while. */
#include "foundation/base/clock.h"
#include "work/stream/stream_impl.h"

/* Fewer dead letters than this are never a flood, whatever their share. */
enum { FLOOD_MIN = 10 };

void breaker_init(Breaker *breaker, const StreamConfig *config, bool off)
{
    int64_t span_ns = int64_max(config->breaker.window_us, 1) * 1000;
    *breaker = (Breaker){.config = config, .bucket_ns = int64_max(span_ns / BREAKER_BUCKETS, 1)};
    if (off) breaker->off_until_ns = clock_mono_ns() + span_ns;
}

/* Forget what is older than the span. */
static void advance(Breaker *breaker)
{
    int64_t at = clock_mono_ns() / breaker->bucket_ns;
    int64_t from = int64_max(breaker->at, at - BREAKER_BUCKETS);
    for (int64_t i = from + 1; i <= at; i++) {
        breaker->consumed[i % BREAKER_BUCKETS] = breaker->rejected[i % BREAKER_BUCKETS] = 0;
    }
    breaker->at = at;
}

Status breaker_check(void *arg, Sink *sink UNUSED, const SinkRun *run, Err *err)
{
    Breaker *breaker = arg;
    const StreamConfig *config = breaker->config;
    if (config->breaker.window_us == 0 || clock_mono_ns() < breaker->off_until_ns) return OK;
    advance(breaker);
    int64_t consumed = run->extracted, rejected = run->rejected;
    for (int32_t i = 0; i < BREAKER_BUCKETS; i++) {
        consumed += breaker->consumed[i];
        rejected += breaker->rejected[i];
    }
    if (run->rejected == 0 || rejected < FLOOD_MIN) return OK;
    if ((double)rejected <= config->breaker.max_rejects * (double)consumed) return OK;
    (void)err_set(err, ERR_LIMIT,
                  "held: %lld of the last %lld messages failed, more than max_rejects (%g%% in %g "
                  "s) allows",
                  (long long)rejected, (long long)consumed, config->breaker.max_rejects * 100,
                  (double)config->breaker.window_us / 1e6);
    return err_hint(err, "nothing of them was committed: fix the processors or the messages, then "
                         "resume the stream");
}

void breaker_add(Breaker *breaker, int64_t consumed, int64_t rejected)
{
    advance(breaker);
    breaker->consumed[breaker->at % BREAKER_BUCKETS] += consumed;
    breaker->rejected[breaker->at % BREAKER_BUCKETS] += rejected;
}
