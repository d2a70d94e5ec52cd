/* A SQLite file layer in which the nth read, write, sync or truncation fails. */
#ifndef NEURON_FAULTY_VFS_H
#define NEURON_FAULTY_VFS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The real file follows this head in the same allocation of SQLite's. */
typedef struct FaultyFile {
    sqlite3_file head;
    sqlite3_file *real;
} FaultyFile;

/* Counts from 1; 0: nothing fails. */
static _Atomic int64_t faulty_at;
static _Atomic int64_t faulty_seen;
static sqlite3_vfs *faulty_real;

static inline bool faulty_now(void)
{
    if (atomic_load(&faulty_at) == 0) return false;
    return atomic_fetch_add(&faulty_seen, 1) + 1 == atomic_load(&faulty_at);
}

#define REAL(file) (((FaultyFile *)(file))->real)
#define CALL(file, method, ...) REAL(file)->pMethods->method(REAL(file), ##__VA_ARGS__)

static int faulty_close(sqlite3_file *f)
{
    return REAL(f)->pMethods ? CALL(f, xClose) : SQLITE_OK;
}
static int faulty_read(sqlite3_file *f, void *to, int size, sqlite3_int64 at)
{
    return faulty_now() ? SQLITE_IOERR_READ : CALL(f, xRead, to, size, at);
}
static int faulty_write(sqlite3_file *f, const void *from, int size, sqlite3_int64 at)
{
    return faulty_now() ? SQLITE_IOERR_WRITE : CALL(f, xWrite, from, size, at);
}
static int faulty_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return faulty_now() ? SQLITE_IOERR_TRUNCATE : CALL(f, xTruncate, size);
}
static int faulty_sync(sqlite3_file *f, int flags)
{
    return faulty_now() ? SQLITE_IOERR_FSYNC : CALL(f, xSync, flags);
}
static int faulty_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return CALL(f, xFileSize, size);
}
static int faulty_lock(sqlite3_file *f, int level)
{
    return CALL(f, xLock, level);
}
static int faulty_unlock(sqlite3_file *f, int level)
{
    return CALL(f, xUnlock, level);
}
static int faulty_reserved(sqlite3_file *f, int *out)
{
    return CALL(f, xCheckReservedLock, out);
}
static int faulty_control(sqlite3_file *f, int op, void *arg)
{
    return CALL(f, xFileControl, op, arg);
}
static int faulty_sector(sqlite3_file *f)
{
    return CALL(f, xSectorSize);
}
static int faulty_traits(sqlite3_file *f)
{
    return CALL(f, xDeviceCharacteristics);
}
static int faulty_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **at)
{
    return CALL(f, xShmMap, page, size, extend, at);
}
static int faulty_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return CALL(f, xShmLock, offset, n, flags);
}
static void faulty_shm_barrier(sqlite3_file *f)
{
    CALL(f, xShmBarrier);
}
static int faulty_shm_unmap(sqlite3_file *f, int drop)
{
    return CALL(f, xShmUnmap, drop);
}

static const sqlite3_io_methods FAULTY_METHODS = {
    .iVersion = 2,
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_reserved,
    .xFileControl = faulty_control,
    .xSectorSize = faulty_sector,
    .xDeviceCharacteristics = faulty_traits,
    .xShmMap = faulty_shm_map,
    .xShmLock = faulty_shm_lock,
    .xShmBarrier = faulty_shm_barrier,
    .xShmUnmap = faulty_shm_unmap,
};

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    FaultyFile *f = (FaultyFile *)file;
    f->real = (sqlite3_file *)(f + 1);
    f->real->pMethods = NULL;
    int code = faulty_real->xOpen(faulty_real, name, f->real, flags, out);
    f->head.pMethods = code == SQLITE_OK ? &FAULTY_METHODS : NULL;
    return code;
}

/* Makes it the layer that every connection from now on uses. */
static inline void faulty_vfs_register(void)
{
    static sqlite3_vfs vfs;
    faulty_real = sqlite3_vfs_find(NULL);
    vfs = *faulty_real;
    vfs.zName = "faulty";
    vfs.szOsFile = (int)sizeof(FaultyFile) + faulty_real->szOsFile;
    vfs.xOpen = faulty_open;
    vfs.pNext = NULL;
    (void)sqlite3_vfs_register(&vfs, 1);
}

/* For the next run. */
static inline void faulty_vfs_fail_at(int64_t nth)
{
    atomic_store(&faulty_seen, 0);
    atomic_store(&faulty_at, nth);
}

#endif
