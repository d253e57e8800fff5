/* front: a shop's Wasm front, a Spin component that asks Services of its cluster.
 *
 *   /checkout   the stock by its short name, and the price by its full name, on port 8080
 *   /missing    a Service that is not there
 *   /forbidden  a Service that the manifest does not allow
 *
 * Every request leaves a line on standard output for each call: the host, and what became of it. */
#include "../../../../tests/fixtures/wasm/components/guest.h"

IMPORT("wasi:http/outgoing-handler@0.2.0", "handle") void send(handle, int, handle, void *);
HTTP("[constructor]outgoing-request") handle outgoing_new(handle);
HTTP("[method]outgoing-request.set-authority") int set_authority(handle, int, const char *, u32);
HTTP("[method]outgoing-request.set-scheme") int set_scheme(handle, int, int, const char *, u32);
HTTP("[method]future-incoming-response.subscribe") handle future_subscribe(handle);
HTTP("[method]future-incoming-response.get") void future_get(handle, void *);
HTTP("[method]incoming-response.status") int incoming_status(handle);
HTTP("[method]incoming-response.consume") void incoming_consume(handle, void *);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void pollable_block(handle);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void pollable_drop(handle);
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") handle get_stdout(void);

static u32 r[32] __attribute__((aligned(8)));
#define IS ((u8 *)r)
enum { DNS_ERROR = 1, REFUSED = 6 }; /* cases of wasi:http's error-code */

/* Asks a host; says what it answered. */
static int call(const char *host) {
  say(host);
  say(": ");
  handle request = outgoing_new(fields_new());
  set_scheme(request, 1, 0, 0, 0);
  set_authority(request, 1, host, size_of(host));
  send(request, 0, 0, r);
  if (IS[0]) return say("denied\n"), 403;
  handle future = r[2], pollable = future_subscribe(future);
  pollable_block(pollable);
  pollable_drop(pollable);
  future_get(future, r);
  if (!IS[0] || IS[8]) return say("not there\n"), 500;
  if (IS[16]) {
    say(IS[24] == DNS_ERROR ? "unknown host\n" : IS[24] == REFUSED ? "refused\n" : "no answer\n");
    return 502;
  }
  handle response = r[6];
  number(incoming_status(response));
  say(" ");
  incoming_consume(response, r);
  handle body = r[1];
  body_stream(body, r);
  handle stream = r[1];
  for (stream_read(stream, 4096, r); !IS[0]; stream_read(stream, 4096, r)) put((const char *)r[1], r[2]);
  input_drop(stream);
  body_drop(body);
  return 200;
}

static int begins(const char *path, u32 size, const char *wanted) {
  u32 want = size_of(wanted);
  for (u32 i = 0; i < want; i++)
    if (i >= size || path[i] != wanted[i]) return 0;
  return 1;
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle_request(handle request, handle outparam) {
  request_path(request, r);
  const char *path = IS[0] ? (const char *)r[1] : "/";
  u32 size = IS[0] ? r[2] : 1;
  int status = 404;
  if (begins(path, size, "/checkout")) {
    status = call("stock");
    int price = call("price.shop.svc.cluster.local:8080");
    if (price > status) status = price;
  } else if (begins(path, size, "/missing")) {
    status = call("nobody.shop.svc");
  } else if (begins(path, size, "/forbidden")) {
    status = call("ledger.bank.svc");
  }
  handle stream = get_stdout();
  stream_write(stream, out, length, r);
  output_drop(stream);
  answer(request, outparam, status, "text/plain");
}
