/* In front of the C library, and of libfaketime: waits of C11 threads (librdkafka's) go by the same
 * clock as those of pthreads, whose deadlines libfaketime takes back to the real time. Without it a
 * wait that begins while the clock is three hours ahead lasts three hours. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>
#include <time.h>

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex,
                  const struct timespec *restrict until)
{
    /* glibc's C11 types are its pthread types by another name. */
    int result = pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, until);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}
