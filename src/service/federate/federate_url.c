/* Normalising the core's address (RFC 3986, 6.2.2 and 6.2.3, as far as it matters for a host). */
#include "service/federate/federate_url.h"

#include "foundation/codec/url.h"

static int64_t end_of(Str text, const char *stops)
{
    int64_t i = 0;
    while (i < text.len && !memchr(stops, text.ptr[i], strlen(stops))) i++;
    return i;
}

static Str without_end(Str text, char c)
{
    while (text.len && text.ptr[text.len - 1] == c) text.len--;
    return text;
}

static bool is_plain(Str text)
{
    bool plain = true;
    for (int64_t i = 0; i < text.len && plain; i++) {
        plain = (unsigned char)text.ptr[i] > 0x20 && text.ptr[i] != 0x7f;
    }
    return plain;
}

static bool is_host(Str host)
{
    bool v6 = str_starts(host, STR("[")) && str_ends(host, STR("]"));
    Str name = v6 ? str_slice(host, 1, host.len - 1) : host;
    return name.len > 0 && is_plain(name) && end_of(name, "[],") == name.len;
}

static bool is_port(Str port)
{
    bool digits = true;
    for (int64_t i = 0; i < port.len; i++) {
        digits = digits && port.ptr[i] >= '0' && port.ptr[i] <= '9';
    }
    return digits;
}

/* [v6]:port, name:port, name. */
static void split_host(Str hosts, Str *ret_host, Str *ret_port)
{
    int64_t name = str_starts(hosts, STR("[")) ? end_of(hosts, "]") : 0;
    int64_t colon = name + end_of(str_slice(hosts, name, hosts.len), ":");
    Str port = str_slice(hosts, colon + 1, hosts.len);
    while (str_starts(port, STR("0"))) port = str_slice(port, 1, port.len);
    *ret_host = without_end(str_slice(hosts, 0, colon), '.');
    *ret_port = port;
}

static Status put_lower(Str text, Buf *out, Err *err)
{
    for (int64_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        TRY(buf_append_char(out, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c, err));
    }
    return OK;
}

static Status put_user(const Url *u, Buf *out, Err *err)
{
    TRY(buf_append(out, u->user, err));
    if (u->password.len) TRY(buf_printf(out, err, ":%.*s", STR_ARG(u->password)));
    return buf_append_char(out, '@', err);
}

Status federate_url(Str url, bool bare, Buf *out, Err *err)
{
    Url u = {0};
    Str host = STR_NULL, port = STR_NULL;
    TRY(url_parse(str_trim(url), &u, err));
    bool secure = str_eq_nocase(u.scheme, STR("https"));
    split_host(u.hosts, &host, &port);
    bool known = secure || str_eq_nocase(u.scheme, STR("http"));
    if (!known || !is_host(host) || !is_port(port) || !is_plain(u.rest) || !str_is_utf8(url)) {
        (void)err_set(err, ERR_CONFIG, "the federation's address is none of http or https");
        return err_hint(err, "write it like http://host:5000");
    }
    Str path = without_end(str_slice(u.rest, 0, end_of(u.rest, "?#")), '/');
    TRY(buf_append(out, secure ? STR("https://") : STR("http://"), err));
    if (u.user.len && !bare) TRY(put_user(&u, out, err));
    TRY(put_lower(host, out, err));
    bool is_default = str_eq(port, secure ? STR("443") : STR("80"));
    if (port.len && !is_default) TRY(buf_printf(out, err, ":%.*s", STR_ARG(port)));
    return buf_append(out, path, err);
}

bool federate_url_same(Str a, Str b)
{
    CLEANUP(buf_done) Buf left = buf_make(FEDERATE_URL_MAX);
    CLEANUP(buf_done) Buf right = buf_make(FEDERATE_URL_MAX);
    return federate_url(a, true, &left, NULL) == OK && federate_url(b, true, &right, NULL) == OK &&
           str_eq(buf_str(&left), buf_str(&right));
}
