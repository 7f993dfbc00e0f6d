#include <cmath>

#include "template/numbers.h"
#include "template/text.h"

namespace weir::jinja {
namespace {

Value absolute(Render& r, Value v, const Args& a) {
    const Bound none("abs", a, {});
    if (v.is_undefined()) type_error("bad operand type for abs(): 'Undefined'");
    if (v.is(Kind::real)) return Value::real(std::fabs(v.d));
    if (v.is(Kind::bigint)) return v.s[0] == '-' ? Value::bigint(v.str().substr(1)) : v;
    if (!v.is_int()) type_error("bad operand type for abs(): " + named(v));
    return v.i < 0 ? negated(r.heap, v) : Value::integer(v.i);
}

Value to_int(Render& r, Value v, const Args& a) {
    const Bound b("do_int", a, {"default", "base"});
    const Value otherwise = b.or_else(0, Value::integer(0));
    if (v.is_undefined()) r.fail_undefined(v);
    if (v.is_int()) return Value::integer(v.i);
    if (v.is(Kind::bigint)) return v;
    if (v.is(Kind::real)) {
        if (std::isinf(v.d)) raise(Error::overflow, "cannot convert float infinity to integer");
        return std::isfinite(v.d) ? whole(r.heap, v.d) : otherwise;
    }
    if (!v.is_string()) return otherwise;
    const int64_t base = b.given(1) ? want_int(b[1]) : 10;
    if (base == 0 || (base >= 2 && base <= 36)) {
        std::string big;
        if (const auto n = parse_int(v.str(), static_cast<int>(base), &big)) return Value::integer(*n);
        if (!big.empty()) return Value::bigint(r.heap.copy(big));
    }
    const auto d = parse_real(v.str());
    return d && std::isfinite(*d) ? whole(r.heap, *d) : otherwise;
}
Value to_real(Render& r, Value v, const Args& a) {
    const Bound b("do_float", a, {"default"});
    if (v.is_undefined()) r.fail_undefined(v);
    if (v.is(Kind::real)) return v;
    if (v.is_int()) return Value::real(static_cast<double>(v.i));
    if (v.is(Kind::bigint)) return Value::real(real_of_bigint(v.str()));
    const auto d = v.is_string() ? parse_real(v.str()) : std::nullopt;
    return d ? Value::real(*d) : b.or_else(0, Value::real(0));
}

// round() of Python: to even, of the exact decimal value.
double round_decimal(double d, int64_t digits) {
    if (!std::isfinite(d) || digits > 22 + 308) return d;
    if (digits < -308) return 0 * d;
    if (digits >= 0) {
        char text[400];
        std::snprintf(text, sizeof text, "%.*f", static_cast<int>(std::min<int64_t>(digits, 340)), d);   // glibc rounds exactly, to even
        return std::strtod(text, nullptr);
    }
    const double scale = std::pow(10.0, static_cast<double>(-digits));
    return std::nearbyint(d / scale) * scale;
}
Value round(Render& r, Value v, const Args& a) {
    const Bound b("do_round", a, {"precision", "method"});
    const Value method = b.or_else(1, Value::string("common")), precision = b.or_else(0, Value::integer(0));
    const bool up = equal(method, Value::string("ceil")), down = equal(method, Value::string("floor"));
    if (!up && !down && !equal(method, Value::string("common"))) raise(Error::filter_argument, "method must be common, ceil or floor");
    if (v.is_undefined() && (up || down)) r.fail_undefined(v);
    if (!v.is_number()) type_error("type " + std::string(type_name(v)) + " doesn't define __round__ method");
    if (up || down) {
        const Value scale = r.arithmetic(Op::pow, Value::integer(10), precision);
        const Value scaled = r.arithmetic(Op::mul, v, scale);
        if (scaled.is(Kind::real) && !std::isfinite(scaled.d))
            raise(std::isnan(scaled.d) ? Error::value : Error::overflow,
                  std::string("cannot convert float ") + (std::isnan(scaled.d) ? "NaN" : "infinity") + " to integer");
        const Value n = scaled.is(Kind::real) ? whole(r.heap, up ? std::ceil(scaled.d) : std::floor(scaled.d)) : Value::integer(scaled.i);
        return r.arithmetic(Op::div, n, scale);
    }
    if (precision.is(Kind::none)) {
        if (!v.is(Kind::real)) return v.is(Kind::bigint) ? v : Value::integer(v.i);
        if (!std::isfinite(v.d))
            raise(std::isnan(v.d) ? Error::value : Error::overflow,
                  std::string("cannot convert float ") + (std::isnan(v.d) ? "NaN" : "infinity") + " to integer");
        return whole(r.heap, std::nearbyint(v.d));
    }
    const int64_t digits = want_int(precision);
    if (v.is(Kind::real)) return Value::real(round_decimal(v.d, digits));
    if (digits >= 0) return v.is(Kind::bigint) ? v : Value::integer(v.i);
    if (v.is(Kind::bigint)) too_big();
    if (digits < -19) return Value::integer(0);
    __int128 scale = 1;
    for (int64_t k = 0; k < -digits; ++k) scale *= 10;
    __int128 n = v.i / scale * scale;
    if (v.i % scale < 0) n -= scale;
    const __int128 rest = v.i - n, half = scale / 2;
    if (rest > half || (rest == half && (n / scale) % 2 != 0)) n += scale;
    if (n < INT64_MIN || n > INT64_MAX) too_big();
    return Value::integer(static_cast<int64_t>(n));
}

Value filesizeformat(Render& r, Value v, const Args& a) {
    const Bound b("do_filesizeformat", a, {"binary"});
    if (v.is_undefined()) r.fail_undefined(v);
    const auto bytes = v.is_string()          ? parse_real(v.str())
                       : v.is(Kind::bigint) ? std::optional(real_of_bigint(v.str()))
                       : v.is(Kind::real)   ? std::optional(v.d)
                       : v.is_int()         ? std::optional(static_cast<double>(v.i))
                                            : std::nullopt;
    if (!bytes && v.is_string()) raise(Error::value, "could not convert string to float: " + repr_text(v));
    if (!bytes) type_error("float() argument must be a string or a real number, not " + named(v));
    const bool binary = b.flag(0, false);
    const double base = binary ? 1024 : 1000;
    if (*bytes == 1) return Value::string("1 Byte");
    if (*bytes < base) {
        const size_t mark = r.out.size();
        if (!std::isfinite(*bytes)) raise(Error::overflow, "cannot convert float infinity to integer");
        write_repr(r.out, whole(r.heap, *bytes));
        r.out.write(" Bytes");
        return r.text(mark);
    }
    if (std::isnan(*bytes)) return Value::string(binary ? "nan YiB" : "nan YB");
    double unit = base * base;
    size_t k = 0;
    while (k < 7 && *bytes >= unit) ++k, unit *= base;
    const Str prefixes = binary ? "KMGTPEZY" : "kMGTPEZY";
    char text[400];
    const int n = std::snprintf(text, sizeof text, "%.1f %c%sB", base * *bytes / unit, prefixes[k], binary ? "i" : "");
    return Value::string(r.heap.copy({text, static_cast<size_t>(n)}));
}

constexpr FilterRow rows[] = {{"abs", absolute}, {"int", to_int}, {"float", to_real}, {"round", round}, {"filesizeformat", filesizeformat}};

}  // namespace

std::span<const FilterRow> number_filters() { return rows; }

}  // namespace weir::jinja
