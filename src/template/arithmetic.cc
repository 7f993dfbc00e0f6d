#include <cmath>

#include "template/numbers.h"
#include "template/render.h"

namespace weir::jinja {
namespace {

const char* sign(Op op) {
    switch (op) {
        case Op::sub: return "-";
        case Op::mul: return "*";
        case Op::div: return "/";
        case Op::floordiv: return "//";
        case Op::mod: return "%";
        default: return "** or pow()";
    }
}
[[noreturn]] void unsupported(const char* op, Value a, Value b) {
    type_error(std::string("unsupported operand type(s) for ") + op + ": " + named(a) + " and " + named(b));
}

double real_of(Value v) {
    if (v.is(Kind::bigint)) too_big();
    return v.is(Kind::real) ? v.d : static_cast<double>(v.i);
}
bool is_real(Value a, Value b) { return a.is(Kind::real) || b.is(Kind::real); }

int64_t floor_div(int64_t a, int64_t b) {
    if (a == INT64_MIN && b == -1) too_big();
    const int64_t q = a / b;
    return q - ((a % b != 0) && ((a % b < 0) != (b < 0)));
}
int64_t floor_mod(int64_t a, int64_t b) {
    if (b == -1) return 0;
    const int64_t m = a % b;
    return m + ((m != 0 && (m < 0) != (b < 0)) ? b : 0);
}
double floor_mod(double a, double b) {
    double m = std::fmod(a, b);
    if (m != 0) {
        if ((b < 0) != (m < 0)) m += b;
    } else {
        m = std::copysign(0.0, b);
    }
    return m;
}
double floor_div(double a, double b) {
    const double m = std::fmod(a, b);
    double q = (a - m) / b;
    if (m != 0 && (b < 0) != (m < 0)) q -= 1;
    if (q == 0) return std::copysign(0.0, a / b);
    const double f = std::floor(q);
    return q - f > 0.5 ? f + 1 : f;
}

Value power(Value a, Value b) {
    if (!is_real(a, b) && b.i >= 0) {
        int64_t result = 1, base = a.i;
        for (uint64_t n = static_cast<uint64_t>(b.i); n; n >>= 1) {
            if ((n & 1) && __builtin_mul_overflow(result, base, &result)) too_big();
            if (n > 1 && __builtin_mul_overflow(base, base, &base)) too_big();
        }
        return Value::integer(result);
    }
    const double x = real_of(a), y = real_of(b);
    if (x == 0 && y < 0) raise(Error::zero_division, "0.0 cannot be raised to a negative power");
    if (x < 0 && y != std::floor(y)) type_error("complex numbers are not supported");
    const double z = std::pow(x, y);
    if (std::isinf(z) && !std::isinf(x) && !std::isinf(y)) raise(Error::overflow, "(34, 'Numerical result out of range')");
    return Value::real(z);
}

Value numbers(Op op, Value a, Value b) {
    if (a.is(Kind::bigint) || b.is(Kind::bigint)) too_big();
    if (op == Op::pow) return power(a, b);
    int64_t n = 0;
    if (op == Op::sub) {
        if (is_real(a, b)) return Value::real(real_of(a) - real_of(b));
        if (__builtin_sub_overflow(a.i, b.i, &n)) too_big();
        return Value::integer(n);
    }
    if (op == Op::mul) {
        if (is_real(a, b)) return Value::real(real_of(a) * real_of(b));
        if (__builtin_mul_overflow(a.i, b.i, &n)) too_big();
        return Value::integer(n);
    }
    if (real_of(b) == 0) {
        if (op == Op::div) raise(Error::zero_division, is_real(a, b) ? "float division by zero" : "division by zero");
        if (op == Op::mod) raise(Error::zero_division, is_real(a, b) ? "float modulo" : "integer modulo by zero");
        raise(Error::zero_division, is_real(a, b) ? "float floor division by zero" : "integer division or modulo by zero");
    }
    if (op == Op::div) return Value::real(is_real(a, b) ? real_of(a) / real_of(b) : quotient(a.i, b.i));
    if (is_real(a, b)) return Value::real(op == Op::mod ? floor_mod(real_of(a), real_of(b)) : floor_div(real_of(a), real_of(b)));
    return Value::integer(op == Op::mod ? floor_mod(a.i, b.i) : floor_div(a.i, b.i));
}

Value repeat(Render& r, Value v, int64_t times) {
    const size_t n = times > 0 ? static_cast<size_t>(times) : 0;
    if (v.is_string()) {
        const size_t mark = r.out.size();
        r.out.fill(v.str(), n);
        Value text = Value::string(r.out.take(mark));
        text.flags = v.flags;
        return text;
    }
    if (v.len && n > (size_t{1} << 32) / v.len) raise(Error::memory, "the template needs more memory than a render may use");
    r.step(v.len * n / 16);
    const auto to = r.heap.values(v.len * n);
    for (size_t k = 0; k < to.size(); ++k) to[k] = v.items[k % v.len];
    return Value::sequence(v.kind, to);
}

}  // namespace

Value Render::arithmetic(Op op, Value a, Value b) {
    if (op == Op::mod && a.is_string()) return mod_text(a, b);
    if (a.is_undefined()) fail_undefined(a);
    if (b.is_undefined()) fail_undefined(b);
    if (a.is_number() && b.is_number()) return numbers(op, a, b);
    if (op == Op::mul) {
        const bool left = a.is_string() || a.is_sequence(), right = b.is_string() || b.is_sequence();
        if (left && b.is_int()) return repeat(*this, a, b.i);
        if (right && a.is_int()) return repeat(*this, b, a.i);
        if (left || right) {
            const Value other = left ? b : a;
            if (other.is(Kind::bigint)) raise(Error::overflow, "cannot fit 'int' into an index-sized integer");
            type_error("can't multiply sequence by non-int of type " + named(other));
        }
    }
    unsupported(sign(op), a, b);
}

Value Render::add(Value a, Value b) {
    if (a.is_string() && b.is_string()) {
        work(b.len);
        if (!a.flags && !b.flags) return Value::string(heap.concat(a.str(), b.str()));
        return safe_string(heap.concat(escaped(a).str(), escaped(b).str()));
    }
    if (a.is_undefined()) fail_undefined(a);
    if (b.is_undefined()) fail_undefined(b);
    if (a.is_number() && b.is_number()) {
        if (a.is(Kind::bigint) || b.is(Kind::bigint)) too_big();
        if (is_real(a, b)) return Value::real(real_of(a) + real_of(b));
        int64_t n = 0;
        if (__builtin_add_overflow(a.i, b.i, &n)) too_big();
        return Value::integer(n);
    }
    if (a.is_string()) type_error("can only concatenate str (not \"" + std::string(type_name(b)) + "\") to str");
    if (a.is_sequence() && a.kind == b.kind) {
        const auto to = heap.values(a.len + size_t{b.len});
        step(to.size() / 16);
        std::copy(a.items, a.items + a.len, to.begin());
        std::copy(b.items, b.items + b.len, to.begin() + a.len);
        return Value::sequence(a.kind, to);
    }
    if (a.is_sequence()) {
        const std::string kind(a.is(Kind::list) ? "list" : "tuple");
        type_error("can only concatenate " + kind + " (not \"" + std::string(type_name(b)) + "\") to " + kind);
    }
    unsupported("+", a, b);
}

}  // namespace weir::jinja
