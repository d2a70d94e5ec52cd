/* Elements are found by their plain tags, and hashed as CSP level 2 says (SHA-256 in base64). */
#include "foundation/codec/html_policy.h"

#include "foundation/base/hash.h"
#include "foundation/codec/base64.h"

/* The content of the next element, up to its end tag; *rest becomes what follows. */
static bool next_element(Str *rest, Str begin, Str end, Str *ret_content)
{
    int64_t from = str_find(*rest, begin);
    if (from < 0) return false;
    Str behind = str_slice(*rest, from + begin.len, rest->len);
    int64_t to = str_find(behind, end);
    if (to < 0) return false;
    *ret_content = str_slice(behind, 0, to);
    *rest = str_slice(behind, to + end.len, behind.len);
    return true;
}

static Status put_hashes(Str directive, Str document, Str begin, Str end, Buf *out, Err *err)
{
    Str content;
    bool any = false;
    TRY(buf_append(out, directive, err));
    while (next_element(&document, begin, end, &content)) {
        uint8_t digest[HASH_DIGEST_MAX];
        char text[HASH_DIGEST_MAX * 2];
        int64_t len = 0;
        TRY(hash_digest("sha256", content, digest, &len, err));
        base64_encode(str_make((const char *)digest, len), text);
        TRY(buf_printf(out, err, " 'sha256-%.*s'", (int)base64_encoded_len(len), text));
        any = true;
    }
    return buf_append(out, any ? STR("; ") : STR(" 'none'; "), err);
}

Status html_policy(Str document, Str more, Buf *out, Err *err)
{
    TRY(buf_append(out, STR("default-src 'none'; "), err));
    TRY(put_hashes(STR("style-src"), document, STR("<style>"), STR("</style>"), out, err));
    TRY(put_hashes(STR("script-src"), document, STR("<script>"), STR("</script>"), out, err));
    if (more.len) TRY(buf_append(out, more, err));
    return buf_append(out, more.len ? STR("; base-uri 'none'") : STR("base-uri 'none'"), err);
}
