/* The C library's string functions on short and long strings: memchr, strlen, strcmp, memcpy, strstr, strtok. */
#include "../bench.h"

enum { SIZE = 1 << 16 };
static char text[SIZE + 1], copy[SIZE + 1];

int main(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < SIZE; i++)
        text[i] = rnd() % 9 ? 'a' + rnd() % 26 : rnd() % 12 ? ' ' : '\n';
    for (int round = 0; round < 2000; round++) {
        uint64_t lines = 0, words = 0, equal = 0;
        for (const char *p = text; (p = memchr(p, '\n', text + SIZE - p)); p++)
            lines++;
        memcpy(copy, text, sizeof copy);
        const char *before = "";
        char *state;
        for (char *w = strtok_r(copy, " \n", &state); w; w = strtok_r(NULL, " \n", &state)) {
            words += strlen(w);
            equal += strcmp(w, before) < 0;
            equal += !strncmp(w, "ab", 2);
            before = w;
        }
        for (const char *p = text; (p = strstr(p, "e m")); p++)
            equal += *strchr(p, ' ');
        text[rnd() % SIZE] = 'a' + rnd() % 26;
        sum = mix(mix(mix(sum, lines), words), equal);
    }
    return report(sum);
}
