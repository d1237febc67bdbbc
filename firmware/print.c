#include "firmware.h"

void print(output *out, const char *text)
{
    while (*text)
        out(*text++);
}

void print_number(output *out, unsigned number)
{
    if (number >= 10)
        print_number(out, number / 10);
    out('0' + number % 10);
}
