/*
 * primes: a WAGI handler in C that counts the primes below a number, the slow way. Work for a processor.
 *
 *   GET /?n=20000  ->  2262 primes below 20000
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    const char *query = getenv("QUERY_STRING");
    const char *value = query ? strstr(query, "n=") : NULL;
    unsigned below = value ? (unsigned)strtoul(value + 2, NULL, 10) : 0, count = 0;

    for (unsigned candidate = 2; candidate < below; candidate++) {
        unsigned divisor = 2;
        while (divisor * divisor <= candidate && candidate % divisor)
            divisor++;
        count += divisor * divisor > candidate;
    }
    printf("Content-Type: text/plain\n\n%u primes below %u\n", count, below);
    return 0;
}
