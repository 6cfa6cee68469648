/* The floating-point environment: flags raised and kept, comparisons that raise none, rounding modes, threads' own. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>

#include "check.h"

/* Unknown to the compiler. */
static volatile double zero = 0, one = 1, three = 3, big = 0x1p1023, tiny = 0x1p-1022, quiet = NAN;
static volatile float fone = 1, fthree = 3, fquiet = NAN;

static double from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static int flags(void)
{
    int f = fetestexcept(FE_ALL_EXCEPT);
    feclearexcept(FE_ALL_EXCEPT);
    return f & (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW | FE_UNDERFLOW | FE_INEXACT);
}

static void raised(void)
{
    volatile double r;
    volatile long n;
    flags();
    r = one / three;
    CHECK(flags() == FE_INEXACT);
    r = one + one;
    CHECK(flags() == 0 && r == 2);
    r = one / zero;
    CHECK(flags() == FE_DIVBYZERO && r == INFINITY);
    r = zero / zero;
    CHECK(flags() == FE_INVALID && isnan(r));
    r = big * three;
    CHECK(flags() == (FE_OVERFLOW | FE_INEXACT));
    r = tiny / three;
    CHECK(flags() == (FE_UNDERFLOW | FE_INEXACT));
    n = (long)1e30;
    n = (long)big;
    CHECK(flags() == FE_INVALID);
    (void)n;
    r = one / three;
    feraiseexcept(FE_DIVBYZERO);
    r = one / zero;
    CHECK(flags() == (FE_INEXACT | FE_DIVBYZERO));
}

/* Both outcomes of every comparison, with flags standing before or not. */
static void compared(double a, double b, int is_nan, int signals)
{
    volatile double x = a, y = b;
    for (int before = 0; before <= FE_INEXACT; before += FE_INEXACT) {
        flags();
        if (before)
            feraiseexcept(FE_INEXACT);
        int less = isless(x, y), less_equal = islessequal(x, y), greater = isgreater(x, y), unordered = isunordered(x, y);
        int got = flags();
        CHECK((got & ~FE_INVALID) == before && (!(got & FE_INVALID) || signals));
        CHECK(unordered == is_nan && less == (!is_nan && a < b) && less_equal == (!is_nan && a <= b));
        CHECK(greater == (!is_nan && a > b));
        if (before)
            feraiseexcept(FE_INEXACT);
        volatile int ordered = x < y;
        CHECK(ordered == less && flags() == (before | (is_nan ? FE_INVALID : 0)));
        ordered = x == y;
        CHECK(ordered == (!is_nan && a == b) && flags() == (signals ? FE_INVALID : 0));
    }
}

/* The same comparisons in a loop: a NaN comes late, when the code has been translated. */
static void compared_in_loop(void)
{
    int less = 0;
    flags();
    for (int i = 0; i < 1000; i++) {
        volatile double x = i == 700 ? quiet : i;
        volatile float y = i == 800 ? fquiet : 500;
        less += isless(x, 500) && islessgreater(y, fone);
        CHECK(fetestexcept(FE_INVALID) == 0);
    }
    CHECK(less == 500 && flags() == 0);
}

/* And in one that is compiled as a whole: it begins with the comparison, and goes on after the NaN. */
static void compared_in_hot_loop(void)
{
    for (int nan_at = 0; nan_at < 300000; nan_at += 299000) {
        double x = one, sum = 0, step = three, limit = 4e5;
        int left = 300000, more = 0;
        flags();
        do {
            if (isgreater(x, limit)) {
                more++;
                x -= limit;
            }
            sum += sqrt(x == x ? x : one);
            x = left == nan_at ? quiet : x + step;
            left--;
        } while (left > 0);
        CHECK(!fetestexcept(FE_INVALID) && (nan_at ? more == 0 : more == 2) && sum > 0);
    }
    flags();
}

static void rounded(void)
{
    static const struct {
        int mode;
        double third, minus_third;
        long up, down; /* 2.5 and -2.5 */
    } modes[] = {
        {FE_TONEAREST, 0x1.5555555555555p-2, -0x1.5555555555555p-2, 2, -2},
        {FE_TOWARDZERO, 0x1.5555555555555p-2, -0x1.5555555555555p-2, 2, -2},
        {FE_DOWNWARD, 0x1.5555555555555p-2, -0x1.5555555555556p-2, 2, -3},
        {FE_UPWARD, 0x1.5555555555556p-2, -0x1.5555555555555p-2, 3, -2},
    };
    static volatile double half = 2.5;
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        fenv_t env;
        CHECK(fesetround(modes[i].mode) == 0 && fegetround() == modes[i].mode);
        CHECK(one / three == modes[i].third && -one / three == modes[i].minus_third);
        CHECK(lrint(half) == modes[i].up && lrint(-half) == modes[i].down);
        CHECK(fone / fthree == (modes[i].mode == FE_UPWARD || modes[i].mode == FE_TONEAREST ? 0x1.555556p-2f : 0x1.555554p-2f));
        CHECK(floor(half) == 2 && ceil(half) == 3 && trunc(-half) == -2 && round(half) == 3);
        CHECK(feholdexcept(&env) == 0 && fegetround() == modes[i].mode);
        CHECK(fesetenv(FE_DFL_ENV) == 0 && fegetround() == FE_TONEAREST);
        CHECK(fesetenv(&env) == 0 && fegetround() == modes[i].mode);
    }
    fesetround(FE_TONEAREST);
}

static void *other_thread(void *arg)
{
    CHECK(fegetround() == FE_UPWARD); /* inherited, flags cleared or not */
    flags();
    fesetround(FE_DOWNWARD);
    volatile double r = one / three;
    CHECK(r == 0x1.5555555555555p-2 && flags() == FE_INEXACT);
    feraiseexcept(FE_OVERFLOW);
    return arg;
}

int main(void)
{
    raised();
    compared(1, 2, 0, 0);
    compared(2, 1, 0, 0);
    compared(-0.0, 0, 0, 0);
    compared(0x1p-1070, 1, 0, 0);
    compared(NAN, 1, 1, 0);
    compared(-INFINITY, NAN, 1, 0);
    compared(from_bits(0x7ff0000000000001), 1, 1, 1);
    compared_in_loop();
    compared_in_hot_loop();
    rounded();
    pthread_t t;
    fesetround(FE_UPWARD);
    flags();
    CHECK(pthread_create(&t, NULL, other_thread, NULL) == 0 && pthread_join(t, NULL) == 0);
    CHECK(fegetround() == FE_UPWARD && flags() == 0);
    fesetround(FE_TONEAREST);
    DONE();
}
