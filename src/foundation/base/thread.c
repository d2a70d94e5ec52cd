/* Named threads, mutexes and conditions with deadlines. */
#include "foundation/base/thread.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "foundation/base/mem.h"

enum { THREAD_NAME_MAX = 16 };

typedef struct ThreadStart {
    void (*run)(void *arg);
    void *arg;
    char name[THREAD_NAME_MAX];
} ThreadStart;

static void *thread_main(void *arg)
{
    ThreadStart start = *(ThreadStart *)arg;
    mem_free(arg);
    (void)pthread_setname_np(pthread_self(), start.name);
    start.run(start.arg);
    return NULL;
}

Status thread_start(Thread *thread, const char *name, void (*run)(void *arg), void *arg, Err *err)
{
    ThreadStart *start = mem_zalloc((int64_t)sizeof *start);
    if (!start) return err_memory(err);
    start->run = run;
    start->arg = arg;
    memcpy(start->name, name, strnlen(name, THREAD_NAME_MAX - 1));
    sigset_t all;
    sigset_t old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&thread->id, NULL, thread_main, start);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        mem_free(start);
        return err_errno(err, failed, "can't start thread %s", name);
    }
    thread->running = true;
    return OK;
}

Status thread_detached(const char *name, void (*run)(void *arg), void *arg, Err *err)
{
    Thread thread = {0};
    TRY(thread_start(&thread, name, run, arg, err));
    (void)pthread_detach(thread.id);
    return OK;
}

void thread_join(Thread *thread)
{
    if (!thread->running) return;
    (void)pthread_join(thread->id, NULL);
    thread->running = false;
}

void thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

bool thread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t deadline_ns)
{
    if (deadline_ns < 0) {
        pthread_cond_wait(cond, mutex);
        return true;
    }
    struct timespec until = {.tv_sec = deadline_ns / 1000000000,
                             .tv_nsec = deadline_ns % 1000000000};
    return pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT;
}
