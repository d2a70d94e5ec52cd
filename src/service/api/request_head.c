/* Lines of a head, its request line, and the two fields that tell who asks. */
#include "service/api/request_head.h"

/* The line without its end; false when its LF has not come. */
static bool next_line(Str bytes, int64_t *at, Str *ret_line)
{
    int64_t end = str_find_char(str_slice(bytes, *at, bytes.len), '\n');
    if (end < 0) return false;
    Str line = str_slice(bytes, *at, *at + end);
    if (str_ends(line, STR("\r"))) line = str_slice(line, 0, line.len - 1);
    *ret_line = line;
    *at += end + 1;
    return true;
}

static int64_t skip_empty_lines(Str bytes)
{
    int64_t at = 0;
    while (at < bytes.len && (bytes.ptr[at] == '\r' || bytes.ptr[at] == '\n')) at++;
    return at;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static void read_request_line(Str line, RequestHead *head)
{
    Str method = STR_NULL, target = STR_NULL, path = STR_NULL;
    (void)str_next_part(&line, ' ', &method);
    if (line.len) (void)str_next_part(&line, ' ', &target);
    if (target.len) (void)str_next_part(&target, '?', &path);
    head->method = method;
    head->path = path;
}

static Str cookie_session(Str cookies)
{
    Str cookie;
    while (cookies.len && str_next_part(&cookies, ';', &cookie)) {
        cookie = str_trim(cookie);
        if (str_starts(cookie, STR("neuron_session="))) return str_slice(cookie, 15, cookie.len);
    }
    return STR_NULL;
}

static void read_field(Str line, RequestHead *head)
{
    int64_t colon = str_find_char(line, ':');
    if (colon < 0) return;
    Str name = str_slice(line, 0, colon), value = str_trim(str_slice(line, colon + 1, line.len));
    if (str_eq_nocase(name, STR("authorization"))) {
        bool bearer = str_starts_nocase(value, STR("bearer "));
        if (bearer && !head->bearer.len) head->bearer = str_trim(str_slice(value, 7, value.len));
    } else if (str_eq_nocase(name, STR("cookie")) && !head->session.len) {
        head->session = cookie_session(value);
    }
}

HeadState request_head_parse(Str bytes, RequestHead *ret_head)
{
    int64_t at = skip_empty_lines(bytes);
    Str line = STR_NULL;
    RequestHead head = {0};
    if (at < bytes.len && !is_upper(bytes.ptr[at])) return HEAD_ALIEN;
    HeadState unfinished = bytes.len >= REQUEST_HEAD_MAX ? HEAD_LARGE : HEAD_PART;
    if (!next_line(bytes, &at, &line)) return unfinished;
    read_request_line(line, &head);
    while (next_line(bytes, &at, &line)) {
        if (line.len == 0) {
            head.len = at;
            if (at > REQUEST_HEAD_MAX) return HEAD_LARGE;
            *ret_head = head;
            return HEAD_WHOLE;
        }
        read_field(line, &head);
    }
    return unfinished;
}
