/*
 * greeter: the smallest useful web service that is a Wasm module.
 *
 * What it shows: a WAGI handler. There is no server and no socket in here: the host starts a fresh
 * instance for every request, hands the request over as environment variables (CGI, RFC 3875), reads
 * the answer from standard output, and throws the instance away. Standard error is the pod's log.
 *
 *   GET /?n=10  ->  {"message":"Hello from Wasm!","path":"/","method":"GET",
 *                    "runtime":"wasm32-wasi","n":10,"fibonacci":55}
 *
 * It reads no clock, no random bytes and no file, so that its answer is a function of the request.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE "Hello from Wasm!"
#define RUNTIME "wasm32-wasi"

/* The largest Fibonacci number that fits into 64 bits is the 93rd. */
#define N_MAX 93
#define N_DEFAULT 10

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

/* The value of "n" in a query such as "verbose=1&n=30"; anything unusable counts as the default. */
static unsigned number_wanted(const char *query)
{
    while (query && *query) {
        if (strncmp(query, "n=", 2) == 0) {
            char *end;
            long n = strtol(query + 2, &end, 10);
            int is_number = end != query + 2 && (*end == '\0' || *end == '&');
            return is_number && n >= 0 && n <= N_MAX ? (unsigned)n : N_DEFAULT;
        }
        query = strchr(query, '&');
        if (query)
            query++;
    }
    return N_DEFAULT;
}

static unsigned long long fibonacci(unsigned n)
{
    unsigned long long current = 0, next = 1;
    while (n-- > 0) {
        unsigned long long sum = current + next;
        current = next;
        next = sum;
    }
    return current;
}

/* Writes text as a JSON string; a path is chosen by the client and may hold anything. */
static void put_json(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

int main(void)
{
    const char *method = variable("REQUEST_METHOD", "GET");
    const char *path = variable("PATH_INFO", "/");
    unsigned n = number_wanted(getenv("QUERY_STRING"));

    fputs("Content-Type: application/json\r\nStatus: 200 OK\r\n\r\n", stdout);
    fputs("{\"message\":\"" MESSAGE "\",\"path\":", stdout);
    put_json(path);
    fputs(",\"method\":", stdout);
    put_json(method);
    printf(",\"runtime\":\"" RUNTIME "\",\"n\":%u,\"fibonacci\":%llu}\n", n, fibonacci(n));

    fprintf(stderr, "%s %s n=%u 200\n", method, path, n);
    return 0;
}
