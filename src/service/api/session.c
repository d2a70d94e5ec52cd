/* The token, and sessions that are made with it. */
#include "service/api/session.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "foundation/base/clock.h"
#include "foundation/base/hash.h"
#include "foundation/obs/log.h"
#include "service/api/api_state.h"

enum { SESSION_TEXT_MAX = 16 << 10 };

bool secret_is(Str given, Str wanted)
{
    unsigned char differs = given.len != wanted.len;
    for (int64_t i = 0; i < given.len; i++) {
        differs |= (unsigned char)(given.ptr[i] ^ (wanted.len ? wanted.ptr[i % wanted.len] : 1));
    }
    return !differs;
}

/* A session is the digest of the token after a key that only this process knows: it can't be made
 * without the token, and ends with the process or with a new token. */
Status session_of(const Api *api, char ret_session[SESSION_SIZE], Err *err)
{
    CLEANUP(buf_done) Buf text = buf_make(SESSION_TEXT_MAX);
    uint8_t digest[HASH_DIGEST_MAX];
    int64_t len = 0;
    TRY(buf_append(&text, str_make((const char *)api->key, sizeof api->key), err));
    TRY(buf_append(&text, api->options.token, err));
    TRY(hash_digest("sha256", buf_str(&text), digest, &len, err));
    for (int32_t i = 0; i < (SESSION_SIZE - 1) / 2; i++) {
        (void)snprintf(ret_session + (size_t)i * 2, 3, "%02x", digest[i]);
    }
    return OK;
}

bool secret_opens(const Api *api, Str bearer, Str session)
{
    char wanted[SESSION_SIZE];
    Str token = api->options.token;
    if (token.len == 0) return false;
    if (bearer.len && secret_is(bearer, token)) return true;
    return session.len && session_of(api, wanted, NULL) == OK &&
           secret_is(session, str_from(wanted));
}

/* One line where it begins and where it becomes many, not one for each. */
bool request_guessed(Request *r)
{
    int32_t count = guesses_note(&r->api->guesses, &r->peer, clock_mono_ns());
    if (count == 1 || count == GUESSES_FREE + 1) {
        char address[INET6_ADDRSTRLEN] = "";
        (void)inet_ntop(AF_INET6, r->peer.network, address, sizeof address);
        LOG(LOG_WARN, "api", count == 1 ? "a wrong token was tried" : "many wrong tokens are tried",
            log_text("address", str_from(address)), log_int("in_this_minute", count));
    }
    return count > GUESSES_FREE;
}
