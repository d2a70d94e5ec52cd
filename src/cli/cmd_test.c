/* neuron test: runs the `tests:` of a configuration: given these inputs, these outputs. */
#include "cli/command.h"
#include "service/setup/configuration_test.h"

static Status test_all(Program *program, Configuration *c, int *ret_exit, Err *err)
{
    TRY(configuration_check(c, err));
    CLEANUP(buf_done) Buf out = buf_make(INT64_C(1) << 28);
    int32_t failed = 0, count = c->options.tests.count;
    for (int32_t i = 0; i < count; i++) {
        bool passed = false;
        TRY(configuration_test(c, c->options.tests.items[i], &passed, &out, err));
        failed += !passed;
    }
    if (program->json) {
        buf_clear(&out);
        TRY(buf_printf(&out, err, "{\"passed\":%d,\"failed\":%d}\n", count - failed, failed));
    } else {
        TRY(buf_printf(&out, err, "%d passed, %d failed\n", count - failed, failed));
    }
    *ret_exit = failed > 0;
    return output_write(program, buf_str(&out), err);
}

static Status test_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    Configuration c;
    Status status = configuration_open(program, args, &c, err);
    if (status == OK) status = test_all(program, &c, ret_exit, err);
    configuration_done(&c);
    return status;
}

const Command COMMAND_TEST = {
    .name = "test",
    .usage = "[options]",
    .summary = "Runs the tests of a configuration: these inputs, these outputs.",
    .example = "neuron test -c neuron.yaml",
    .run = test_run,
};
