/* Addresses to listen on, as they are written. */
#include "foundation/net/listen_address.h"

#include "foundation/base/number.h"

Status listen_address_wrong(Str text, Err *err)
{
    (void)err_set(err, ERR_CONFIG, "http.listen: \"%.*s\" is not an address", STR_ARG(text));
    return err_hint(err, "write address:port, like 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080");
}

Status listen_address_parse(Str text, Str *ret_host, int32_t *ret_port, Err *err)
{
    int64_t colon = text.len - 1, number = 0;
    while (colon >= 0 && text.ptr[colon] != ':') colon--;
    if (colon < 0) return listen_address_wrong(text, err);
    Str host = str_slice(text, 0, colon), port = str_slice(text, colon + 1, text.len);
    bool bracket = str_starts(host, STR("["));
    bool good = bracket ? str_ends(host, STR("]")) : str_find_char(host, ':') < 0;
    good = good && number_parse_int64(port, &number) == NUMBER_OK;
    if (!good || number < 0 || number > 65535) return listen_address_wrong(text, err);
    *ret_host = bracket ? str_slice(host, 1, host.len - 1) : host;
    *ret_port = (int32_t)number;
    return OK;
}
