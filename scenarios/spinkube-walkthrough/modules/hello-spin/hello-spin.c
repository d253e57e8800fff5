/* hello-spin: the application of the walkthrough, a Spin component (WASI 0.2, wasi:http).
 *
 *   GET /hello  ->  {"message":"Hello from Spin!","path":"/hello","method":"GET","runtime":"wasm32-wasip2",
 *                    "timestamp":1767225621,"visits":1,"database":"postgres://db.default.svc/app"}
 *
 * The host makes a fresh instance for every request. The clock, the key-value store "default" and the
 * variable "database_url" are the host's; what is not granted is refused and answered as null. Every
 * request leaves one line on standard output: the pod's log. */
#include "../../../../tests/fixtures/wasm/components/guest.h"

#define SPIN(interface, name) IMPORT("fermyon:spin/" interface "@2.0.0", name)
SPIN("key-value", "[static]store.open") void store_open(const char *, u32, void *);
SPIN("key-value", "[method]store.get") void store_get(handle, const char *, u32, void *);
SPIN("key-value", "[method]store.set") void store_set(handle, const char *, u32, const void *, u32, void *);
SPIN("variables", "get") void variable_get(const char *, u32, void *);
IMPORT("wasi:clocks/wall-clock@0.2.0", "now") void wall_now(void *);
IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") handle get_stdout(void);

static const char *METHODS[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                "CONNECT", "OPTIONS", "TRACE", "PATCH"};

static u32 r[16] __attribute__((aligned(8)));
#define IS ((u8 *)r)

static void quoted(const char *text, u32 size) {
  say("\"");
  for (u32 i = 0; i < size; i++) {
    char c = text[i];
    if (c == '"' || c == '\\') say("\\");
    if ((u8)c >= 0x20) put(&c, 1);
  }
  say("\"");
}

/* One more visit; 0 when the store is not there. */
static u64 visit(void) {
  store_open("default", 7, r);
  if (IS[0]) return 0;
  handle store = r[1];
  store_get(store, "visits", 6, r);
  u64 visits = 1 + (IS[0] == 0 && IS[4] ? digits_at((const char *)r[2], r[3]) : 0);
  char digits[20];
  u32 count = 0;
  for (u64 left = visits; left; left /= 10) count++;
  for (u64 left = visits, at = count; left; left /= 10) digits[--at] = '0' + left % 10;
  store_set(store, "visits", 6, digits, count, r);
  return IS[0] ? 0 : visits;
}

static void log_line(const char *method, const char *path, u32 size) {
  static char line[512];
  u32 count = 0, room = sizeof line - 2;
  for (u32 i = 0; method[i] && count < room; i++) line[count++] = method[i];
  line[count++] = ' ';
  for (u32 i = 0; i < size && count < room; i++) line[count++] = path[i];
  line[count++] = '\n';
  handle stream = get_stdout();
  stream_write(stream, line, count, r);
  output_drop(stream);
}

EXPORT("wasi:http/incoming-handler@0.2.0#handle") void handle_request(handle request, handle outparam) {
  request_method(request, r);
  const char *method = IS[0] < 9 ? METHODS[IS[0]] : "OTHER";
  request_path(request, r);
  const char *path = IS[0] ? (const char *)r[1] : "/";
  u32 size = IS[0] ? r[2] : 1;
  log_line(method, path, size);
  say("{\"message\":\"Hello from Spin!\",\"path\":");
  quoted(path, size);
  say(",\"method\":");
  quoted(method, size_of(method));
  say(",\"runtime\":\"wasm32-wasip2\",\"timestamp\":");
  wall_now(r);
  number(*(u64 *)r);
  say(",\"visits\":");
  u64 visits = visit();
  if (visits) number(visits);
  else say("null");
  say(",\"database\":");
  variable_get("database_url", 12, r);
  if (IS[0]) say("null");
  else quoted((const char *)r[1], r[2]);
  say("}\n");
  answer(request, outparam, 200, "application/json");
}
