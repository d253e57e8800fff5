/* What a guest of kube-scheduler-wasm-extension's ABI needs, in C and without a library: the host's
 * functions, a reader of protobuf, and a buffer. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

enum { SUCCESS, ERROR, UNSCHEDULABLE, UNRESOLVABLE, WAIT, SKIP };

IMPORT("k8s.io/api", "node") u32 host_node(const u8 *name, u32 length, u8 *buffer, u32 limit);
IMPORT("k8s.io/scheduler", "currentPod") u32 host_current_pod(u8 *buffer, u32 limit);
IMPORT("k8s.io/scheduler", "currentNodeName") u32 host_current_node_name(u8 *buffer, u32 limit);
IMPORT("k8s.io/scheduler", "result.status_reason") void host_reason(const char *text, u32 length);

struct bytes {
  const u8 *at;
  u32 length;
};

static u8 node_buffer[64 * 1024], pod_buffer[64 * 1024], name_buffer[256];

static u64 varint(struct bytes *rest) {
  u64 value = 0;
  for (u32 shift = 0; rest->length && shift < 64; shift += 7) {
    u8 byte = *rest->at++;
    rest->length--;
    value |= (u64)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) break;
  }
  return value;
}

/* The next field of a message; 0 at its end. Only texts and messages have content. */
static u32 next_field(struct bytes *rest, struct bytes *content) {
  if (!rest->length) return 0;
  u64 tag = varint(rest);
  content->at = rest->at;
  content->length = 0;
  if ((tag & 7) == 0) varint(rest);
  else if ((tag & 7) == 2) {
    u64 length = varint(rest);
    if (length > rest->length) length = rest->length;
    content->at = rest->at;
    content->length = (u32)length;
    rest->at += length;
    rest->length -= (u32)length;
  } else rest->length = 0; /* Kubernetes uses no other kind */
  return (u32)(tag >> 3);
}

static struct bytes field(struct bytes message, u32 number) {
  struct bytes content = {0, 0};
  for (u32 found; (found = next_field(&message, &content));)
    if (found == number) return content;
  return (struct bytes){0, 0};
}

static int equals(struct bytes text, const char *other) {
  u32 i = 0;
  for (; i < text.length; i++)
    if (!other[i] || (u8)other[i] != text.at[i]) return 0;
  return !other[i];
}

static int same(struct bytes a, struct bytes b) {
  if (a.length != b.length) return 0;
  for (u32 i = 0; i < a.length; i++)
    if (a.at[i] != b.at[i]) return 0;
  return 1;
}

/* A label of a pod or a node: metadata is field 1, labels is field 11 of it, one entry a label. */
static struct bytes label(struct bytes object, const char *key) {
  struct bytes rest = field(object, 1), entry;
  for (u32 found; (found = next_field(&rest, &entry));)
    if (found == 11 && equals(field(entry, 1), key)) return field(entry, 2);
  return (struct bytes){0, 0};
}

static struct bytes current_pod(void) {
  u32 length = host_current_pod(pod_buffer, sizeof pod_buffer);
  return (struct bytes){pod_buffer, length <= sizeof pod_buffer ? length : 0};
}

static struct bytes current_node(void) {
  u32 name = host_current_node_name(name_buffer, sizeof name_buffer);
  u32 length = host_node(name_buffer, name, node_buffer, sizeof node_buffer);
  return (struct bytes){node_buffer, length <= sizeof node_buffer ? length : 0};
}

static u32 refuse(u32 code, const char *reason) {
  u32 length = 0;
  while (reason[length]) length++;
  host_reason(reason, length);
  return code;
}
