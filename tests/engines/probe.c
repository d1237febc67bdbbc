// An ordinary workload for the tests of the harness itself, and the sandbox of pods.
//   probe                 wait for SIGTERM or SIGINT, then exit 0
//   probe say TEXT CODE   print TEXT and a new line, exit CODE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void leave(int number)
{
    (void)number;
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "say") == 0) {
        puts(argv[2]);
        return atoi(argv[3]);
    }
    // Pid 1 of a pid namespace gets only the signals that it handles.
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    puts("waiting");
    fflush(stdout);
    for (;;)
        pause();
}
