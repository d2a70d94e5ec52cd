/* Angles in degrees, exact where their values are, and hyperbolic functions. */
#include <math.h>

#include "engine/expr/kernel.h"

static double radians(double degrees)
{
    return degrees * (M_PI / 180.0);
}

/* Scaled by what the library gives at 30 and 60 degrees, so that these are exact. */
static double sine_to_30(double x)
{
    return sin(radians(x)) / sin(radians(30)) / 2;
}
static double cosine_to_60(double x)
{
    return 1 - (1 - cos(radians(x))) / (1 - cos(radians(60))) / 2;
}
static double sine_to_90(double x)
{
    return x <= 30 ? sine_to_30(x) : cosine_to_60(90 - x);
}
static double cosine_to_90(double x)
{
    return x <= 60 ? cosine_to_60(x) : sine_to_30(90 - x);
}

/* The angle in the first quadrant with the same values, and their signs. */
static double quadrant(double x, double *sine_sign, double *cosine_sign)
{
    x = fmod(x, 360);
    *sine_sign = x < 0 ? -1 : 1;
    *cosine_sign = 1;
    x = fabs(x);
    if (x > 180) {
        x = 360 - x;
        *sine_sign = -*sine_sign;
    }
    if (x > 90) {
        x = 180 - x;
        *cosine_sign = -1;
    }
    return x;
}

static double sind(double x)
{
    double sine, cosine, angle = quadrant(x, &sine, &cosine);
    return sine * sine_to_90(angle);
}
static double cosd(double x)
{
    double sine, cosine, angle = quadrant(x, &sine, &cosine);
    return cosine * cosine_to_90(angle);
}
static double tand(double x)
{
    double sine, cosine, angle = quadrant(x, &sine, &cosine);
    double result = sine * cosine * (sine_to_90(angle) / cosine_to_90(angle)) /
                    (sine_to_90(45) / cosine_to_90(45));
    return result == 0 ? 0 : result;
}
static double cotd(double x)
{
    double sine, cosine, angle = quadrant(x, &sine, &cosine);
    double result = sine * cosine * (cosine_to_90(angle) / sine_to_90(angle)) /
                    (cosine_to_90(45) / sine_to_90(45));
    return result == 0 ? 0 : result;
}
static double asind_to_90(double x)
{
    return x <= 0.5 ? asin(x) / asin(0.5) * 30 : 90 - acos(x) / acos(0.5) * 60;
}
static double acosd_to_90(double x)
{
    return x <= 0.5 ? 90 - asin(x) / asin(0.5) * 30 : acos(x) / acos(0.5) * 60;
}
static double asind(double x)
{
    return x < 0 ? -asind_to_90(-x) : asind_to_90(x);
}
static double acosd(double x)
{
    return x < 0 ? 90 + asind_to_90(-x) : acosd_to_90(x);
}
static double atand(double x)
{
    return atan(x) / atan(1) * 45;
}
static double cotangent(double x)
{
    return 1 / tan(x);
}

/* The value of a function that is defined from `low` to `high`. */
static Status loop(KernelCall *call, double (*function)(double), double low, double high)
{
    FOR_ACTIVE (call, row) {
        double value = kernel_double(call, 0, row);
        if (value < low || value > high) {
            call_error(call, row, "22003", "input is out of range");
        } else {
            vector_double(call->result)[row] = function(value);
        }
    }
    return OK;
}

/* Angles must be finite. */
static Status angle_loop(KernelCall *call, double (*function)(double))
{
    return loop(call, function, -1.7976931348623157e308, 1.7976931348623157e308);
}

#define ANGLE(name, function)                                                                      \
    static Status kernel_##name(KernelCall *call, Err *err UNUSED)                                 \
    {                                                                                              \
        return angle_loop(call, function);                                                         \
    }
#define RANGE(name, function, low, high)                                                           \
    static Status kernel_##name(KernelCall *call, Err *err UNUSED)                                 \
    {                                                                                              \
        return loop(call, function, low, high);                                                    \
    }
ANGLE(sind, sind)
ANGLE(cosd, cosd)
ANGLE(tand, tand)
ANGLE(cotd, cotd)
ANGLE(cot, cotangent)
RANGE(asind, asind, -1, 1)
RANGE(acosd, acosd, -1, 1)
RANGE(atand, atand, -(double)INFINITY, (double)INFINITY)
RANGE(sinh, sinh, -(double)INFINITY, (double)INFINITY)
RANGE(cosh, cosh, -(double)INFINITY, (double)INFINITY)
RANGE(tanh, tanh, -(double)INFINITY, (double)INFINITY)
RANGE(asinh, asinh, -(double)INFINITY, (double)INFINITY)
RANGE(acosh, acosh, 1, (double)INFINITY)
RANGE(atanh, atanh, -1, 1)

static Status kernel_atan2d(KernelCall *call, Err *err UNUSED)
{
    FOR_ACTIVE (call, row) {
        vector_double(call->result)[row] =
            atan2(kernel_double(call, 0, row), kernel_double(call, 1, row)) / atan(1) * 45;
    }
    return OK;
}

enum { STRICT = FUNCTION_STRICT, FALLIBLE = FUNCTION_STRICT | FUNCTION_FALLIBLE };
#define N "number"
#define ONE "double -> double"

static const Function FUNCTIONS[] = {
    {"cot", ONE, kernel_cot, FALLIBLE, N, "Cotangent of radians.",
     "round(cot(1)::numeric, 9) = 0.642092616", 0, 0, 0},
    {"sind", ONE, kernel_sind, FALLIBLE, N, "Sine of degrees.", "sind(30) = 0.5", 0, 0, 0},
    {"cosd", ONE, kernel_cosd, FALLIBLE, N, "Cosine of degrees.", "cosd(60) = 0.5", 0, 0, 0},
    {"tand", ONE, kernel_tand, FALLIBLE, N, "Tangent of degrees.", "tand(45) = 1", 0, 0, 0},
    {"cotd", ONE, kernel_cotd, FALLIBLE, N, "Cotangent of degrees.", "cotd(45) = 1", 0, 0, 0},
    {"asind", ONE, kernel_asind, FALLIBLE, N, "Inverse sine in degrees.", "asind(0.5) = 30", 0, 0,
     0},
    {"acosd", ONE, kernel_acosd, FALLIBLE, N, "Inverse cosine in degrees.", "acosd(0.5) = 60", 0, 0,
     0},
    {"atand", ONE, kernel_atand, FALLIBLE, N, "Inverse tangent in degrees.", "atand(1) = 45", 0, 0,
     0},
    {"atan2d", "double, double -> double", kernel_atan2d, STRICT, N,
     "Inverse tangent of y/x in degrees.", "atan2d(1, 1) = 45", 0, 0, 0},
    {"sinh", ONE, kernel_sinh, FALLIBLE, N, "Hyperbolic sine.", "sinh(0) = 0", 0, 0, 0},
    {"cosh", ONE, kernel_cosh, FALLIBLE, N, "Hyperbolic cosine.", "cosh(0) = 1", 0, 0, 0},
    {"tanh", ONE, kernel_tanh, FALLIBLE, N, "Hyperbolic tangent.", "tanh(0) = 0", 0, 0, 0},
    {"asinh", ONE, kernel_asinh, FALLIBLE, N, "Inverse hyperbolic sine.", "asinh(0) = 0", 0, 0, 0},
    {"acosh", ONE, kernel_acosh, FALLIBLE, N, "Inverse hyperbolic cosine.", "acosh(1) = 0", 0, 0,
     0},
    {"atanh", ONE, kernel_atanh, FALLIBLE, N, "Inverse hyperbolic tangent.", "atanh(0) = 0", 0, 0,
     0},
};
const FunctionTable TRIG_FUNCTIONS = {FUNCTIONS, COUNT_OF(FUNCTIONS)};
