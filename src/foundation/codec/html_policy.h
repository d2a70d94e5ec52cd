/* A Content-Security-Policy for a document of our own, by the hashes of what is in it. */
#ifndef NEURON_HTML_POLICY_H
#define NEURON_HTML_POLICY_H

#include "foundation/base/buf.h"

/* Appends the policy: nothing may be loaded or run but the document's own <style> and <script>
 * elements (without attributes), and no text of a row or name becomes one of them. `more` are
 * further directives, like "connect-src 'self'". FAIL: ERR_MEMORY, ERR_LIMIT (the buffer's). */
MUST_USE Status html_policy(Str document, Str more, Buf *out, Err *err);

#endif
