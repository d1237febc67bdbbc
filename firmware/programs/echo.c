/* A console that answers: echoes what is typed, and repeats each line. */
#include "firmware.h"

int main(void)
{
    char line[80];

    for (;;) {
        unsigned length = 0;
        char c;

        print(uart_putc, "> ");
        while ((c = uart_getc()) != '\n' && c != '\r') { /* terminals send \r, pipes send \n */
            uart_putc(c);
            if (length < sizeof line - 1)
                line[length++] = c;
        }
        line[length] = '\0';
        print(uart_putc, "\nyou said: ");
        print(uart_putc, line);
        print(uart_putc, "\n");
    }
}
