// The arguments of one call, evaluated; few ones without allocation.
#pragma once
#include "template/render.h"

namespace weir::jinja {

class Render::ArgScope {
public:
    ArgScope(Render& r, const CallArgs& code) {
        if (code.star || code.stars) {
            gather(r, code);
            return;
        }
        const size_t n = code.plain.size(), k = code.keywords.size();
        Value* plain = n <= std::size(plain_) ? plain_ : r.heap.array<Value>(n);
        for (size_t i = 0; i < n; ++i) plain[i] = r.eval(code.plain[i]);
        NamedValue* named = k <= std::size(named_) ? named_ : r.heap.array<NamedValue>(k);
        for (size_t i = 0; i < k; ++i) named[i] = {code.keywords[i].name, r.eval(code.keywords[i].value)};
        args = {{plain, n}, {named, k}};
    }
    Args args;

private:
    void gather(Render&, const CallArgs&);   // *args and **kwargs
    Value plain_[4];
    NamedValue named_[3];
};

}  // namespace weir::jinja
