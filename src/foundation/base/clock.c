/* The only source of time; tests may set it. */
#include "foundation/base/clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t fixed_us = -1;

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_now_us(void)
{
    int64_t fixed = atomic_load_explicit(&fixed_us, memory_order_relaxed);
    return fixed >= 0 ? fixed : clock_ns(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t clock_boot_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

void clock_boot_id(char ret_id[40])
{
    enum { UUID_LEN = 36 };
    int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    bool got = file >= 0 && read(file, ret_id, UUID_LEN) == UUID_LEN;
    if (file >= 0) (void)close(file);
    ret_id[got ? UUID_LEN : 0] = 0;
}

int64_t clock_cpu_us(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000;
}

int64_t clock_watch_step(ClockWatch *watch)
{
    int64_t offset_us = clock_now_us() - clock_boot_ns() / 1000;
    int64_t step_us = offset_us - watch->offset_us;
    bool first = !watch->begun;
    watch->begun = true;
    if (!first && step_us < CLOCK_STEP_US && step_us > -CLOCK_STEP_US) return 0;
    watch->offset_us = offset_us;
    return first ? 0 : step_us;
}

int64_t clock_moment_move(int64_t at_us, int64_t step_us, int64_t now_us)
{
    if (at_us <= 0 || at_us == INT64_MAX) return at_us;
    if (at_us <= now_us - step_us) at_us += step_us;
    return int64_min(at_us, now_us);
}

void clock_set_us(int64_t now_us)
{
    atomic_store(&fixed_us, now_us);
}

void clock_sleep_ns(int64_t ns)
{
    const struct timespec span = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    (void)nanosleep(&span, NULL);
}
