/* neuron health: asks a running neuron how it is; for health checks without other programs. */
#include <stdlib.h>

#include "cli/command.h"
#include "foundation/base/file.h"
#include "foundation/codec/json_tree.h"
#include "foundation/net/http_client.h"
#include "service/setup/configuration.h"

#define ASK_US INT64_C(4000000)

static const char *from_environment(void *arg UNUSED, const char *name)
{
    return getenv(name);
}

/* 0.0.0.0 and [::] are where it listens, not where it is asked. */
static Status put_host(Str listen, Buf *url, Err *err)
{
    int64_t colon = listen.len - 1;
    while (colon > 0 && listen.ptr[colon] != ':') colon--;
    Str host = str_slice(listen, 0, colon), port = str_slice(listen, colon, listen.len);
    if (host.len == 0 || str_eq(host, STR("0.0.0.0"))) host = STR("127.0.0.1");
    if (str_eq(host, STR("[::]"))) host = STR("[::1]");
    TRY(buf_append(url, STR("http://"), err));
    TRY(buf_append(url, host, err));
    return buf_append(url, port, err);
}

/* Address and token of the neuron that this environment and folder would run. */
static Status put_own(const Program *program, const Args *args, Buf *url, Buf *header, Err *err)
{
    static const SubstituteFrom FROM = {.environment = from_environment};
    Configuration c;
    Str path = args_get(args, "config", str_from(getenv("NEURON_CONFIG")));
    if (!path.len && file_exists(STR("./neuron.yaml"))) path = STR("./neuron.yaml");
    Status status = path.len ? configuration_load(program->registry, path, &FROM, &c, err)
                             : configuration_guide_load(program->registry, &FROM, &c, err);
    if (status == OK) status = put_host(c.options.http.listen, url, err);
    Str token = c.options.http.token;
    if (status == OK && token.len) {
        status = buf_printf(header, err, "Authorization: Bearer %.*s", STR_ARG(token));
    }
    configuration_done(&c);
    return status;
}

static Status ask(Str url, Str header, HttpReply *reply, Err *err)
{
    CLEANUP(http_client_free_p) HttpClient *client = NULL;
    *reply = (HttpReply){.body = buf_make(0)};
    TRY(http_client_new(&client, err));
    HttpRequest request = {.method = "GET",
                           .url = url,
                           .headers = &header,
                           .header_count = header.len > 0,
                           .connect_us = ASK_US,
                           .timeout_us = ASK_US};
    return http_client_send(client, &request, reply, err);
}

static Status tell(const Program *program, const HttpReply *reply, int *ret_exit, Err *err)
{
    Arena arena = arena_make(16 << 20);
    CLEANUP(buf_done) Buf out = buf_make(16 << 20);
    JsonValue *root = NULL;
    Status status = json_parse(buf_str(&reply->body), &arena, &root, err);
    if (status == OK) {
        Str what = program->json ? buf_str(&reply->body)
                                 : json_member_text(root, STR("status"), STR("unknown"));
        *ret_exit = reply->status == 200 ? 0 : 1;
        status = buf_append(&out, what, err);
    } else {
        status = err_set(err, ERR_CONNECT, "the answer is not that of a neuron");
    }
    if (status == OK) status = buf_append_char(&out, '\n', err);
    if (status == OK) status = output_write(program, buf_str(&out), err);
    arena_done(&arena);
    return status;
}

static Status health_run(Program *program, const Args *args, int *ret_exit, Err *err)
{
    CLEANUP(buf_done) Buf url = buf_make(4096);
    CLEANUP(buf_done) Buf header = buf_make(8192);
    HttpReply reply;
    if (args->positional_count) TRY(buf_append(&url, args->positional[0], err));
    else TRY(put_own(program, args, &url, &header, err));
    while (str_ends(buf_str(&url), STR("/"))) url.len--;
    TRY(buf_append(&url, args_has(args, "live") ? STR("/livez") : STR("/health"), err));
    Status status = ask(buf_str(&url), buf_str(&header), &reply, err);
    if (status == OK) status = tell(program, &reply, ret_exit, err);
    http_reply_done(&reply);
    return status;
}

static const ArgOption OPTIONS[] = {
    {"live", 0, NULL, "only whether it is alive, not how its parts are", false},
};

const Command COMMAND_HEALTH = {
    .name = "health",
    .usage = "[URL] [options]",
    .summary = "Asks a running neuron how it is: 0 healthy or degraded, 1 not, 3 no answer.",
    .example = "neuron health http://127.0.0.1:8080",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .positional_max = 1,
    .passive = true,
    .run = health_run,
};
