#include "template/arg_scope.h"
#include "template/numbers.h"
#include "template/render.h"

namespace weir::jinja {

void Render::ArgScope::gather(Render& r, const CallArgs& code) {
    std::vector<Value> plain;
    std::vector<NamedValue> named;
    for (const Expr* e : code.plain) plain.push_back(r.eval(e));
    for (const Keyword& k : code.keywords) named.push_back({k.name, r.eval(k.value)});
    if (code.star)
        for (const Value& v : r.all(r.eval(code.star))) plain.push_back(v);
    if (code.stars) {
        const Value more = r.eval(code.stars);
        if (!more.is(Kind::dict)) type_error("argument after ** must be a mapping, not " + std::string(type_name(more)));
        for (const DictEntry& e : more.dict->all()) {
            if (!e.key.is_string()) type_error("keywords must be strings");
            for (const NamedValue& n : named)
                if (n.name == e.key.str()) type_error("got multiple values for keyword argument '" + std::string(n.name) + "'");
            named.push_back({e.key.str(), e.value});
        }
    }
    auto* kept = r.heap.array<NamedValue>(named.size());
    std::copy(named.begin(), named.end(), kept);
    args = {r.heap.values(std::span<const Value>(plain)), {kept, named.size()}};
}

Value Render::eval(const Expr* e) {
    switch (e->kind) {
        case E::constant: return as<ConstExpr>(e).value;
        case E::name: return eval_name(as<NameExpr>(e));
        case E::attr: return attribute(eval(as<AttrExpr>(e).of), as<AttrExpr>(e));
        case E::item: {
            const Value of = eval(as<ItemExpr>(e).of);
            return item(of, eval(as<ItemExpr>(e).index));
        }
        case E::cond: {
            auto& c = as<CondExpr>(e);
            if (truth(c.test)) return eval(c.yes);
            if (c.no) return eval(c.no);
            return heap.undefined(Str("the inline if-expression evaluated to false and no else section was defined."));
        }
        case E::logic_and: {
            const Value left = eval(as<BinaryExpr>(e).left);
            return truthy(left) ? eval(as<BinaryExpr>(e).right) : left;
        }
        case E::logic_or: {
            const Value left = eval(as<BinaryExpr>(e).left);
            return truthy(left) ? left : eval(as<BinaryExpr>(e).right);
        }
        case E::logic_not: return Value::boolean(!truth(as<UnaryExpr>(e).of));
        case E::compare: return eval_compare(as<CompareExpr>(e));
        case E::test: return Value::boolean(eval_test(as<TestExpr>(e)));
        case E::filter: return eval_filter(as<FilterExpr>(e));
        case E::call: return eval_call(as<CallExpr>(e));
        case E::sum: return eval_sum(as<ListExpr>(e), false);
        case E::concat: return eval_concat(as<ListExpr>(e));
        default: return eval_slow(e);
    }
}

Value Render::eval_slow(const Expr* e) {
    auto optional = [&](const Expr* x) { return x ? eval(x) : Value::none(); };
    switch (e->kind) {
        case E::slice: {
            auto& s = as<SliceExpr>(e);
            const Value of = eval(s.of), start = optional(s.start), stop = optional(s.stop);
            return slice(of, start, stop, optional(s.step));
        }
        case E::slice_key: type_error("a slice among several subscripts is not supported");
        case E::list:
        case E::tuple: {
            const Exprs items = as<ListExpr>(e).items;
            const auto to = heap.values(items.size());
            for (size_t k = 0; k < items.size(); ++k) to[k] = eval(items[k]);
            return Value::sequence(e->kind == E::list ? Kind::list : Kind::tuple, to);
        }
        case E::dict: return eval_dict(as<DictExpr>(e));
        case E::binary: {
            auto& b = as<BinaryExpr>(e);
            const Value left = eval(b.left);
            return arithmetic(b.op, left, eval(b.right));
        }
        case E::neg:
        case E::pos: {
            const Value v = eval(as<UnaryExpr>(e).of);
            if (v.is_undefined()) fail_undefined(v);
            if (v.is(Kind::real)) return Value::real(e->kind == E::neg ? -v.d : v.d);
            if (!v.is_number()) type_error(std::string("bad operand type for unary ") + (e->kind == E::neg ? "-" : "+") + ": " + named(v));
            if (e->kind == E::neg) return negated(heap, v);
            return v.is(Kind::bigint) ? v : Value::integer(v.i);
        }
        default: raise(Error::template_runtime, "an expression that cannot be evaluated");
    }
}

Value Render::eval_dict(const DictExpr& e) {
    Dict* d = heap.dict(e.keys.size());
    for (size_t k = 0; k < e.keys.size(); ++k) {
        const Value key = eval(e.keys[k]);
        hash_checked(key);
        d->set(key, eval(e.values[k]));
    }
    return Value::of_dict(d);
}

Value Render::eval_name(const NameExpr& n) {
    const Value v = raw(n);
    return v.is(Kind::missing) ? heap.undefined_name(Value::string(n.name)) : v;
}

bool Render::truth(const Expr* e) {
    switch (e->kind) {
        case E::test: return eval_test(as<TestExpr>(e));
        case E::logic_not: return !truth(as<UnaryExpr>(e).of);
        case E::logic_and: return truth(as<BinaryExpr>(e).left) && truth(as<BinaryExpr>(e).right);
        case E::logic_or: return truth(as<BinaryExpr>(e).left) || truth(as<BinaryExpr>(e).right);
        case E::name: return truthy(raw(as<NameExpr>(e)));
        default: return truthy(eval(e));
    }
}

bool Render::eval_test(const TestExpr& t) {
    if (!t.row) raise(Error::template_runtime, "No test named '" + std::string(t.name) + "' found.");
    const Value v = eval(t.of);
    if (t.args.plain.empty() && t.args.keywords.empty() && !t.args.star && !t.args.stars) return t.row->run(*this, v, {});
    const ArgScope scope(*this, t.args);
    return check(*t.row, v, scope.args);
}
bool Render::check(const CheckRow& row, Value v, const Args& args) {
    step();
    return row.run(*this, v, args);
}

bool Render::compare(Op op, Value a, Value b) {
    switch (op) {
        case Op::eq: return equal(a, b);
        case Op::ne: return !equal(a, b);
        case Op::in: return contains(b, a);
        case Op::notin: return !contains(b, a);
        default: break;
    }
    if (a.is_undefined()) fail_undefined(a);
    if (b.is_undefined()) fail_undefined(b);
    if (a.is(Kind::integer) && b.is(Kind::integer)) return op == Op::gt ? a.i > b.i : op == Op::gteq ? a.i >= b.i : op == Op::lt ? a.i < b.i : a.i <= b.i;
    const int c = jinja::compare(a, b, op == Op::gt ? ">" : op == Op::gteq ? ">=" : op == Op::lt ? "<" : "<=");
    if (c == 2) return false;
    return op == Op::gt ? c > 0 : op == Op::gteq ? c >= 0 : op == Op::lt ? c < 0 : c <= 0;
}

Value Render::eval_compare(const CompareExpr& e) {
    Value left = eval(e.first);
    for (const auto& operand : e.rest) {
        const Value right = eval(operand.right);
        if (left.is_string() && left.len > 4096) work(left.len);
        if (!compare(operand.op, left, right)) return Value::boolean(false);
        left = right;
    }
    return Value::boolean(true);
}

static bool plain(Value v) { return v.is_string() && !v.flags; }

// Strings are put together in the output's scratch space, or, when they are to be printed, left there.
Value Render::eval_sum(const ListExpr& e, bool emits) {
    Value sum = eval(e.items[0]);
    if (e.items.size() == 2 && !emits) return add(sum, eval(e.items[1]));
    const size_t mark = out.size();
    bool flowing = false;
    for (size_t k = 1; k < e.items.size(); ++k) {
        if (!flowing && plain(sum)) {
            out.write(sum.str());
            flowing = true;
        }
        const Value right = eval(e.items[k]);
        if (flowing && plain(right)) {
            out.write(right.str());
            continue;
        }
        if (flowing) sum = text(mark);
        flowing = false;
        sum = add(sum, right);
    }
    if (flowing && (!emits || autoescape)) sum = text(mark);
    else if (flowing) return {};
    if (emits) print(sum);
    return sum;
}

Value Render::eval_concat(const ListExpr& e) {
    if (autoescape) {
        const size_t mark = out.size();
        bool safe = false;
        for (const Expr* item : e.items) {
            const Value v = eval(item);
            safe |= v.is_safe();
            if (safe) print(v);
            else write_str(out, v);
        }
        return safe ? safe_string(out.take(mark)) : text(mark);
    }
    if (e.items.size() == 2) {
        const Value left = to_str(out, eval(e.items[0])), right = to_str(out, eval(e.items[1]));
        work(right.len);
        return Value::string(heap.concat(left.str(), right.str()));
    }
    const size_t mark = out.size();
    for (const Expr* item : e.items) print(eval(item));
    return text(mark);
}

Value Render::eval_filter(const FilterExpr& f, const Value* subject) {
    if (!f.row) raise(Error::template_runtime, "No filter named '" + std::string(f.name) + "' found.");
    const Value v = f.of ? (f.of->kind == E::filter ? eval_filter(as<FilterExpr>(f.of), subject) : eval(f.of)) : *subject;
    const ArgScope scope(*this, f.args);
    return call_filter(*f.row, v, scope.args);
}

// Text that a function made of the user's text is the user's, unless it is known part by part.
static void inherit(Origins* origins, Value result, Value subject, const Args& args) {
    if (!result.is_string() || origins->any(result.str())) return;
    bool any = subject.is_string() && origins->any(subject.str());
    for (const Value& v : args.plain) any |= v.is_string() && origins->any(v.str());
    if (any) origins->add(result.str());
}
Value Render::call_filter(const FilterRow& row, Value subject, const Args& args) {
    step();
    const Value v = row.run(*this, subject, args);
    if (heap.origins) inherit(heap.origins, v, subject, args);
    return v;
}
Value Render::call_method(MethodId id, Value self, const Args& args) {
    step();
    const Value v = method_row(id)->run(*this, self, args);
    if (heap.origins) inherit(heap.origins, v, self, args);
    return v;
}

// x.name(...) needs no method object when the type has that method.
Value Render::eval_call(const CallExpr& c, const Value* caller) {
    if (c.of->kind == E::attr && !caller) {
        auto& a = as<AttrExpr>(c.of);
        const Value of = eval(a.of);
        const MethodId id = of.is_string() ? a.string_method : of.is(Kind::dict) ? a.dict_method : MethodId{0};
        const MethodRow* row = id ? method_row(id) : nullptr;
        const Value callee = row && row->run ? Value() : attribute(of, a);
        const ArgScope scope(*this, c.args);
        return row && row->run ? call_method(id, of, scope.args) : call(callee, scope.args);
    }
    const Value callee = eval(c.of);
    const ArgScope scope(*this, c.args);
    if (!callee.is(Kind::macro)) {
        if (!caller) return call(callee, scope.args);
        std::vector<NamedValue> named(scope.args.keywords.begin(), scope.args.keywords.end());
        named.push_back({"caller", *caller});
        return call(callee, {scope.args.plain, named});
    }
    const size_t mark = out.size();
    invoke(*static_cast<MacroObject*>(callee.object), scope.args, caller);
    return autoescape ? safe_string(out.take(mark)) : text(mark);
}

void Render::emit_call(const CallExpr& c, const Value* caller) {
    if (c.of->kind != E::name || autoescape) return print(eval_call(c, caller));
    const Value callee = eval_name(as<NameExpr>(c.of));
    if (!callee.is(Kind::macro)) return print(eval_call(c, caller));
    const ArgScope scope(*this, c.args);
    invoke(*static_cast<MacroObject*>(callee.object), scope.args, caller);
}

void Render::emit(const Expr* e) {
    switch (e->kind) {
        case E::constant: return print(as<ConstExpr>(e).value);
        case E::sum: eval_sum(as<ListExpr>(e), true); return;
        case E::concat:
            if (autoescape) return print(eval(e));
            for (const Expr* item : as<ListExpr>(e).items) emit(item);
            return;
        case E::cond: {
            auto& c = as<CondExpr>(e);
            if (truth(c.test)) return emit(c.yes);
            if (c.no) emit(c.no);
            return;
        }
        case E::call: return emit_call(as<CallExpr>(e), nullptr);
        case E::filter: {
            auto& f = as<FilterExpr>(e);
            if (!f.row || !writes_itself(*f.row) || autoescape || !f.of) return print(eval_filter(f));
            const Value v = eval(f.of);
            const ArgScope scope(*this, f.args);
            step();
            return write_filter(*this, v, scope.args);
        }
        default: return print(eval(e));
    }
}

void Render::print_slow(Value v) {
    if (v.is(Kind::macro)) {
        const MacroStmt& code = *static_cast<MacroObject*>(v.object)->code;
        const std::string name = code.name ? "'" + std::string(code.name->name) + "'" : "anonymous";
        return out.write("<Macro " + name + ">");
    }
    if (v.is(Kind::loop)) {
        auto& loop = *static_cast<LoopObject*>(v.object);
        out.write("<LoopContext ");
        write_int(out, loop.index0 + 1);
        out.put('/');
        write_int(out, loop.size(*this));
        return out.put('>');
    }
    if (!autoescape || v.is_safe()) return write_str(out, v);
    write_html_escaped(out, to_str(out, v).str());
}

Value Render::escaped(Value v) {
    if (v.is_safe()) return v;
    const Str plain_text = to_str(out, v).str();
    const size_t mark = out.size();
    write_html_escaped(out, plain_text);
    return safe_string(out.take(mark));
}

}  // namespace weir::jinja
