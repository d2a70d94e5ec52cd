/* Loads a library when one of its functions is first called: PostgreSQL, Kafka, HTTP and their
 * forty dependencies cost commands that need none of them most of their start. What is loaded so,
 * and the table of it, comes from the build (tools/make_delay_load), as Windows' linkers do it by
 * /DELAYLOAD.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* Of each function: where to jump (first to its loading, then to itself), its name, its library. */
extern _Atomic(void *) delay_slots[];
extern const char *const delay_names[];
extern const char *const delay_files[];

void *delay_load(int64_t index);

/* Address of the index-th function. Any thread; two may load at once, which only counts twice. */
void *delay_load(int64_t index)
{
    void *library = dlopen(delay_files[index], RTLD_LAZY | RTLD_LOCAL);
    void *function = library ? dlsym(library, delay_names[index]) : NULL;
    if (!function) {
        (void)fprintf(stderr, "neuron: %s\n  hint: install the package that %s belongs to\n",
                      dlerror(), delay_files[index]);
        _exit(2); /* others may run: nothing of theirs is torn down */
    }
    atomic_store(&delay_slots[index], function);
    return function;
}
