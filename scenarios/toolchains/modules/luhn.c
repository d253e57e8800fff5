/*
 * luhn: a WAGI handler in C that says whether the digits of a card number can be right.
 *
 *   GET /check?4539578763621486  ->  {"digits":16,"valid":true}
 *
 * Every second digit from the right counts twice, its digits added; the sum must end in 0 (ISO/IEC 7812-1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    const char *query = getenv("QUERY_STRING");
    size_t length = query ? strlen(query) : 0;
    unsigned digits = 0, sum = 0;

    while (length-- > 0) {
        if (query[length] < '0' || query[length] > '9')
            continue;
        unsigned digit = (unsigned)(query[length] - '0');
        if (digits++ % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    fputs("Content-Type: application/json\n\n", stdout);
    printf("{\"digits\":%u,\"valid\":%s}\n", digits, digits && sum % 10 == 0 ? "true" : "false");
    return 0;
}
