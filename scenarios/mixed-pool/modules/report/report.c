/*
 * report: a batch job that is a Wasm module, the kind that a Job or a bare Pod runs to completion.
 *
 * What it shows: a WASI command. It takes an argument and an environment variable, computes
 * something that can be checked (78498 primes below one million), reads the clock, sleeps a moment, and ends
 * with exit code 0. Each line it prints is a line of the pod's log, at the virtual time at which it was printed.
 *
 *   report [LIMIT]        counts the primes below LIMIT (default 1000000)
 *   REPORT_TITLE          the first word of the first line (default "primes")
 *
 * Exit codes: 0 done, 64 the argument is not a number from 10 to 2000000.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SIGNATURE "counted by a sieve inside a Wasm module"

#define LIMIT_MIN 10
#define LIMIT_MAX 2000000
#define LIMIT_DEFAULT 1000000
#define EXIT_USAGE 64
#define PAUSE_NS 20000000L /* a nap between the two halves of the work: 20 ms */

static unsigned char is_composite[LIMIT_MAX];

/* Crosses out the multiples of every prime below the limit; the sieve of Eratosthenes. */
static void sieve(long limit)
{
    for (long prime = 2; prime * prime < limit; prime++)
        if (!is_composite[prime])
            for (long multiple = prime * prime; multiple < limit; multiple += prime)
                is_composite[multiple] = 1;
}

static long primes_between(long from, long to)
{
    long count = 0;
    for (long n = from; n < to; n++)
        count += !is_composite[n];
    return count;
}

static long long now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv)
{
    /* A container's standard output is a pipe, and libc would keep every line until the end. */
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);

    long limit = argc > 1 ? strtol(argv[1], NULL, 10) : LIMIT_DEFAULT;
    if (limit < LIMIT_MIN || limit > LIMIT_MAX) {
        fprintf(stderr, "report: LIMIT must be from %d to %d\n", LIMIT_MIN, LIMIT_MAX);
        return EXIT_USAGE;
    }
    const char *title = getenv("REPORT_TITLE");
    time_t today = (time_t)(now_ns(CLOCK_REALTIME) / 1000000000LL);
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&today));
    printf("%s below %ld, started %s\n", title && *title ? title : "primes", limit, date);

    long long start_ns = now_ns(CLOCK_MONOTONIC);
    sieve(limit);
    printf("first half: %ld primes\n", primes_between(2, limit / 2));
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    printf("second half: %ld primes\n", primes_between(limit / 2, limit));
    printf("total: %ld primes, " SIGNATURE "\n", primes_between(2, limit));
    printf("took %lld ms\n", (now_ns(CLOCK_MONOTONIC) - start_ns) / 1000000);
    return 0;
}
