#include "template/scopes.h"

#include "template/builtins.h"
#include "template/raised.h"

namespace weir::jinja {
namespace {

class Resolver {
public:
    explicit Resolver(Program& p) : p_(p), places_(p.names.size(), 0xffff) {}
    void run();

private:
    struct Code {              // a function while it is worked out; the test of a loop shares its loop's frame
        Code* parent;
        int base_level;
        Function* function;
        bool shares_frame;
        std::unordered_map<uint64_t, uint16_t> slots;
    };
    struct Frame {
        Symbols* symbols;
        Code* code;
        bool toplevel = false, soft = false, in_loop = false;
        Frame softened() const {
            Frame f = *this;
            f.soft = true;
            return f;
        }
        Frame inner(Symbols& s) const { return {&s, code, false, false, in_loop}; }
    };
    struct Inner {             // a scope inside that of `f`, with the names of `parts`: expressions or statements, as jinja2 goes through them
        Symbols symbols;
        Frame frame;
        template <class... Parts>
        Inner(Resolver& r, const Frame& f, Scope& scope, const Parts&... parts) : symbols(f.symbols, f.symbols->level() + 1), frame(f.inner(symbols)) {
            (note_names(symbols, parts), ...);
            scope = r.enter(frame);
        }
        Inner(const Inner&) = delete;
    };
    struct Place { uint16_t hops, slot; };

    Place place(Code* code, int level, uint32_t id) {
        uint16_t hops = 0;
        while (level < code->base_level) {
            if (!code->shares_frame) ++hops;
            code = code->parent;
        }
        auto [it, added] = code->slots.try_emplace(static_cast<uint64_t>(level) << 32 | id, code->function->slots);
        if (added && ++code->function->slots == 0xffff) raise(Error::limit, "the template has too many variables");
        return {hops, it->second};
    }
    uint16_t context_place(uint32_t id) {
        if (places_[id] == 0xffff) {
            places_[id] = static_cast<uint16_t>(p_.context.size());
            p_.context.push_back(p_.names[id]);
        }
        return places_[id];
    }
    uint32_t id_of(Str name) {
        for (size_t k = 0; k < p_.names.size(); ++k)
            if (p_.names[k] == name) return static_cast<uint32_t>(k);
        p_.names.push_back(name);
        places_.push_back(0xffff);
        return static_cast<uint32_t>(p_.names.size() - 1);
    }
    Scope enter(const Frame& f) {
        std::vector<Load> loads;
        std::vector<uint16_t> owned;
        for (const auto& e : f.symbols->entries()) {
            const uint16_t slot = place(f.code, f.symbols->level(), e.id).slot;
            owned.push_back(slot);
            if (e.from == Symbols::From::context) loads.push_back({Load::context, slot, 0, context_place(e.id)});
            if (e.from == Symbols::From::nothing) loads.push_back({Load::nothing, slot, 0, 0});
            if (e.from == Symbols::From::alias) {
                const Place from = place(f.code, e.alias_level, e.id);
                loads.push_back({Load::copy, slot, from.hops, from.slot});
            }
        }
        return {p_.arena.copy_span(std::span<const Load>(loads)), p_.arena.copy_span(std::span<const uint16_t>(owned))};
    }
    static void capture(Code* code) {
        for (; code; code = code->parent) code->function->captured = true;
    }
    std::span<uint16_t> exports(const Frame& f, const Expr* target) {
        std::vector<uint16_t> pairs;
        if (!p_.blocks.empty() && f.toplevel) collect_exports(target, pairs);
        return p_.arena.copy_span(std::span<const uint16_t>(pairs));
    }
    void collect_exports(const Expr* e, std::vector<uint16_t>& pairs) {
        if (e->kind == E::tuple)
            for (const Expr* item : as<ListExpr>(e).items) collect_exports(item, pairs);
        if (e->kind != E::name) return;
        pairs.push_back(as<NameExpr>(e).slot);
        pairs.push_back(context_place(as<NameExpr>(e).id));
    }

    void name(NameExpr& n, const Frame& f);
    void expr(Expr* e, const Frame& f);
    void exprs(Exprs all, const Frame& f) {
        for (Expr* e : all) expr(e, f);
    }
    void args(CallArgs& a, const Frame& f) {
        exprs(a.plain, f);
        for (Keyword& k : a.keywords) expr(k.value, f);
        expr(a.star, f);
        expr(a.stars, f);
    }
    void body(Stmts all, const Frame& f) {
        for (Stmt* s : all) stmt(*s, f);
    }
    void stmt(Stmt& s, const Frame& f);
    void loop(LoopStmt& s, const Frame& f);
    void macro(MacroStmt& s, const Frame& f);
    void call_block(CallBlockStmt& s, const Frame& f);
    void block(BlockStmt& s);
    void unknown(const char* what, Str name, const Frame& f, uint32_t line) {
        if (!f.soft) raise_at(line, Error::template_assertion, std::string("No ") + what + " named '" + std::string(name) + "'.");
    }

    Program& p_;
    std::vector<uint16_t> places_;   // by name: its place in the context
    int loops_ = 0;                  // around the statement, functions or not
};

void Resolver::name(NameExpr& n, const Frame& f) {
    if (n.use == NameExpr::store && loops_ && n.name == "loop")
        raise_at(n.line, Error::template_assertion, "Can't assign to special loop variable in for-loop target");
    const int level = f.symbols->find(n.id);
    if (level < 0) raise_at(n.line, Error::assertion, "Tried to resolve a name to a reference that was unknown to the frame ('" + std::string(n.name) + "')");
    const Place at = place(f.code, level, n.id);
    n.hops = at.hops;
    n.slot = at.slot;
}

void Resolver::expr(Expr* e, const Frame& f) {
    if (!e) return;
    switch (e->kind) {
        case E::constant: return;
        case E::name: return name(as<NameExpr>(e), f);
        case E::attr: return expr(as<AttrExpr>(e).of, f);
        case E::item: return expr(as<ItemExpr>(e).of, f), expr(as<ItemExpr>(e).index, f);
        case E::slice:
        case E::slice_key: {
            auto& s = as<SliceExpr>(e);
            return expr(s.of, f), expr(s.start, f), expr(s.stop, f), expr(s.step, f);
        }
        case E::list:
        case E::tuple:
        case E::sum:
        case E::concat: return exprs(as<ListExpr>(e).items, f);
        case E::dict: return exprs(as<DictExpr>(e).keys, f), exprs(as<DictExpr>(e).values, f);
        case E::cond: {
            const Frame soft = f.softened();
            return expr(as<CondExpr>(e).test, soft), expr(as<CondExpr>(e).yes, soft), expr(as<CondExpr>(e).no, soft);
        }
        case E::logic_and:
        case E::logic_or:
        case E::binary: return expr(as<BinaryExpr>(e).left, f), expr(as<BinaryExpr>(e).right, f);
        case E::logic_not:
        case E::neg:
        case E::pos: return expr(as<UnaryExpr>(e).of, f);
        case E::compare:
            expr(as<CompareExpr>(e).first, f);
            for (auto& operand : as<CompareExpr>(e).rest) expr(operand.right, f);
            return;
        case E::filter: {
            auto& x = as<FilterExpr>(e);
            if (!x.row) unknown("filter", x.name, f, x.line);
            return expr(x.of, f), args(x.args, f);
        }
        case E::test: {
            auto& x = as<TestExpr>(e);
            if (!x.row) unknown("test", x.name, f, x.line);
            return expr(x.of, f), args(x.args, f);
        }
        case E::call: return expr(as<CallExpr>(e).of, f), args(as<CallExpr>(e).args, f);
    }
}

void Resolver::loop(LoopStmt& s, const Frame& f) {
    const int level = f.symbols->level() + 1;
    s.extended = s.recursive || uses_undeclared(s.body, "loop");
    expr(s.iter, f);
    Code own{f.code, level, s.recursive ? &s.function : f.code->function, !s.recursive, {}};
    Code* code = s.recursive ? &own : f.code;
    Symbols inner(f.symbols, level), test(f.symbols, level), otherwise(f.symbols, level);
    const uint32_t loop_id = s.extended ? id_of("loop") : 0;
    if (s.extended) inner.param(loop_id);
    note_names(inner, s.target, true);
    note_names(inner, s.body);
    note_names(otherwise, s.otherwise);
    ++loops_;
    if (s.test) {
        Code lazy{f.code, level, code->function, !s.recursive, {}};   // a recursive loop's test runs in the frame of that loop
        note_names(test, s.test_target, true);
        note_names(test, s.test);
        Frame in_test = f.inner(test);
        in_test.code = &lazy;
        s.test_scope = enter(in_test);
        expr(s.test_target, in_test);
        expr(s.test, in_test);
    }
    Frame in_body = f.inner(inner);
    in_body.code = code;
    in_body.in_loop = true;
    if (s.extended) s.loop_slot = place(code, level, loop_id).slot;
    s.scope = enter(in_body);
    expr(s.target, in_body);
    body(s.body, in_body);
    --loops_;
    Frame in_else = f.inner(otherwise);
    in_else.code = code;
    if (s.recursive) in_else.in_loop = false;
    s.else_scope = enter(in_else);
    body(s.otherwise, in_else);
    if (s.recursive || (s.test && s.extended)) capture(code);
}

void Resolver::macro(MacroStmt& s, const Frame& f) {
    const int level = f.symbols->level() + 1;
    Symbols symbols(f.symbols, level);
    Code code{f.code, level, &s.function, false, {}};
    capture(f.code);
    bool own_caller = false, own_kwargs = false, own_varargs = false;
    for (size_t k = 0; k < s.params.size(); ++k) {
        symbols.param(s.params[k]->id);
        own_kwargs |= s.params[k]->name == "kwargs";
        own_varargs |= s.params[k]->name == "varargs";
        if (s.params[k]->name != "caller") continue;
        own_caller = true;
        if (k + s.defaults.size() < s.params.size() && uses_undeclared(s.body, "caller"))
            raise_at(
                s.line, Error::template_assertion,
                "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a default.");
    }
    s.explicit_caller = own_caller;
    const bool caller = !own_caller && uses_undeclared(s.body, "caller"), kwargs = !own_kwargs && uses_undeclared(s.body, "kwargs"),
               varargs = !own_varargs && uses_undeclared(s.body, "varargs");
    for (auto [used, what] : {std::pair{caller, "caller"}, {kwargs, "kwargs"}, {varargs, "varargs"}})
        if (used) symbols.param(id_of(what));
    for (const Expr* d : s.defaults) note_names(symbols, d);
    note_names(symbols, s.body);
    Frame inner = f.inner(symbols);
    inner.code = &code;
    inner.in_loop = false;
    for (NameExpr* param : s.params) name(*param, inner);
    auto slot = [&](bool used, Str what) { return used ? static_cast<int>(place(&code, level, id_of(what)).slot) : -1; };
    s.caller_slot = slot(caller, "caller");
    s.kwargs_slot = slot(kwargs, "kwargs");
    s.varargs_slot = slot(varargs, "varargs");
    s.scope = enter(inner);
    exprs(s.defaults, inner);
    body(s.body, inner);
}

void Resolver::block(BlockStmt& s) {
    Symbols symbols(nullptr, 0);
    Code code{nullptr, 0, &s.function, false, {}};
    note_names(symbols, s.body);
    Frame f{&symbols, &code};
    s.scope = enter(f);
    body(s.body, f);
}

void Resolver::stmt(Stmt& s, const Frame& f) {
    switch (s.kind) {
        case S::output:
            for (auto& piece : static_cast<OutputStmt&>(s).pieces) expr(piece.expr, f);
            return;
        case S::loop: return loop(static_cast<LoopStmt&>(s), f);
        case S::branch:
            for (auto& arm : static_cast<BranchStmt&>(s).arms) {
                expr(arm.test, f.softened());
                body(arm.body, f.softened());
            }
            return;
        case S::set: {
            auto& x = static_cast<SetStmt&>(s);
            expr(x.value, f);
            expr(x.target, f);
            x.exports = exports(f, x.target);
            return;
        }
        case S::set_block: {
            auto& x = static_cast<SetBlockStmt&>(s);
            const Inner in(*this, f, x.scope, x.body, x.filter);
            body(x.body, in.frame);
            expr(x.target, f);
            expr(x.filter, in.frame);
            x.exports = exports(f, x.target);
            return;
        }
        case S::macro: {
            auto& x = static_cast<MacroStmt&>(s);
            macro(x, f);
            name(*x.name, f);
            x.exports = exports(f, x.name);
            return;
        }
        case S::generation: return macro(static_cast<MacroStmt&>(s), f);
        case S::call_block: {
            auto& x = static_cast<CallBlockStmt&>(s);
            macro(*x.macro, f);
            return expr(x.call, f);
        }
        case S::filter_block: {
            auto& x = static_cast<FilterBlockStmt&>(s);
            const Inner in(*this, f, x.scope, x.body, x.filter);
            body(x.body, in.frame);
            return expr(x.filter, in.frame);
        }
        case S::with: {
            auto& x = static_cast<WithStmt&>(s);
            const Inner in(*this, f, x.scope, x.targets, x.body);
            exprs(x.targets, in.frame);
            exprs(x.values, f);
            return body(x.body, in.frame);
        }
        case S::autoescape: {
            auto& x = static_cast<AutoescapeStmt&>(s);
            const Inner in(*this, f, x.scope, x.value, x.body);
            expr(x.value, in.frame);
            return body(x.body, in.frame);
        }
        case S::leave:
        case S::next:
            if (!f.in_loop) raise_at(s.line, Error::syntax, s.kind == S::leave ? "'break' outside loop" : "'continue' not properly in loop");
            return;
        case S::block:
        case S::refused: return;
    }
}

void Resolver::run() {
    Symbols symbols(nullptr, 0);
    Code code{nullptr, 0, &p_.function, false, {}};
    note_names(symbols, p_.body);
    const Frame root{&symbols, &code, true};
    p_.scope = enter(root);
    body(p_.body, root);
    for (BlockStmt* b : p_.blocks) block(*b);
}

}  // namespace

void resolve_scopes(Program& p) { Resolver(p).run(); }

}  // namespace weir::jinja
