#include <algorithm>

#include "template/scopes.h"

namespace weir::jinja {

Symbols::Entry* Symbols::own(uint32_t id) {
    for (Entry& e : entries_)
        if (e.id == id) return &e;
    return nullptr;
}
int Symbols::find(uint32_t id) const {
    for (const Symbols* s = this; s; s = s->parent_)
        if (s->own(id)) return s->level_;
    return -1;
}
void Symbols::load(uint32_t id) {
    if (find(id) < 0) entries_.push_back({id, From::context, 0, false});
}
void Symbols::store(uint32_t id) {
    if (Entry* e = own(id)) {
        e->stored = true;
        return;
    }
    const int outer = parent_ ? parent_->find(id) : -1;
    entries_.push_back({id, outer >= 0 ? From::alias : From::nothing, outer, true});
}
void Symbols::param(uint32_t id) {
    Entry* e = own(id);
    if (!e) e = &entries_.emplace_back(Entry{id, From::param, 0, true});
    e->from = From::param;
    e->stored = true;
}

void Symbols::merge(std::initializer_list<const Symbols*> branches) {
    std::vector<uint32_t> stored;
    for (const Symbols* b : branches)
        for (const Entry& e : b->entries_)
            if (const Entry* mine = own(e.id); e.stored && !(mine && mine->stored)) stored.push_back(e.id);
    for (const Symbols* b : branches)
        for (const Entry& e : b->entries_) {
            Entry* mine = own(e.id);
            if (!mine) mine = &entries_.emplace_back(e);
            const bool was = mine->stored;
            *mine = e;
            mine->stored |= was;
        }
    for (uint32_t id : stored) {
        const int outer = parent_ ? parent_->find(id) : -1;
        Entry* mine = own(id);
        mine->from = outer >= 0 ? From::alias : From::context;
        mine->alias_level = outer;
    }
}

namespace {

// Visits every name below a node, in jinja2's order of fields. F: bool(const NameExpr&), false ends the walk.
template <class F>
class Walk {
public:
    explicit Walk(F& f) : f_(f) {}
    bool exprs(Exprs all) {
        for (const Expr* e : all)
            if (!expr(e)) return false;
        return true;
    }
    bool args(const CallArgs& a) {
        if (!exprs(a.plain)) return false;
        for (const Keyword& k : a.keywords)
            if (!expr(k.value)) return false;
        return expr(a.star) && expr(a.stars);
    }
    bool expr(const Expr* e) {
        if (!e) return true;
        switch (e->kind) {
            case E::constant: return true;
            case E::name: return f_(as<NameExpr>(e));
            case E::attr: return expr(as<AttrExpr>(e).of);
            case E::item: return expr(as<ItemExpr>(e).of) && expr(as<ItemExpr>(e).index);
            case E::slice:
            case E::slice_key: {
                auto& s = as<SliceExpr>(e);
                return expr(s.of) && expr(s.start) && expr(s.stop) && expr(s.step);
            }
            case E::list:
            case E::tuple:
            case E::sum:
            case E::concat: return exprs(as<ListExpr>(e).items);
            case E::dict: {
                auto& d = as<DictExpr>(e);
                for (size_t k = 0; k < d.keys.size(); ++k)
                    if (!expr(d.keys[k]) || !expr(d.values[k])) return false;
                return true;
            }
            case E::cond: return expr(as<CondExpr>(e).test) && expr(as<CondExpr>(e).yes) && expr(as<CondExpr>(e).no);
            case E::logic_and:
            case E::logic_or:
            case E::binary: return expr(as<BinaryExpr>(e).left) && expr(as<BinaryExpr>(e).right);
            case E::logic_not:
            case E::neg:
            case E::pos: return expr(as<UnaryExpr>(e).of);
            case E::compare:
                if (!expr(as<CompareExpr>(e).first)) return false;
                for (auto& operand : as<CompareExpr>(e).rest)
                    if (!expr(operand.right)) return false;
                return true;
            case E::filter: return expr(as<FilterExpr>(e).of) && args(as<FilterExpr>(e).args);
            case E::test: return expr(as<TestExpr>(e).of) && args(as<TestExpr>(e).args);
            case E::call: return expr(as<CallExpr>(e).of) && args(as<CallExpr>(e).args);
        }
        return true;
    }
    bool macro(const MacroStmt& m) {
        for (const NameExpr* p : m.params)
            if (!f_(*p)) return false;
        return exprs(m.defaults) && body(m.body);
    }
    bool body(Stmts all) {
        for (const Stmt* s : all)
            if (!stmt(s)) return false;
        return true;
    }
    bool stmt(const Stmt* s) {
        switch (s->kind) {
            case S::output:
                for (auto& piece : as<OutputStmt>(s).pieces)
                    if (!expr(piece.expr)) return false;
                return true;
            case S::loop: {
                auto& l = as<LoopStmt>(s);
                return expr(l.target) && expr(l.iter) && body(l.body) && body(l.otherwise) && expr(l.test);
            }
            case S::branch:
                for (auto& arm : as<BranchStmt>(s).arms)
                    if (!expr(arm.test) || !body(arm.body)) return false;
                return true;
            case S::set: return expr(as<SetStmt>(s).target) && expr(as<SetStmt>(s).value);
            case S::set_block: return expr(as<SetBlockStmt>(s).target) && expr(as<SetBlockStmt>(s).filter) && body(as<SetBlockStmt>(s).body);
            case S::macro:
            case S::generation: return macro(as<MacroStmt>(s));
            case S::call_block: return expr(as<CallBlockStmt>(s).call) && macro(*as<CallBlockStmt>(s).macro);
            case S::filter_block: return body(as<FilterBlockStmt>(s).body) && expr(as<FilterBlockStmt>(s).filter);
            case S::with: return exprs(as<WithStmt>(s).targets) && exprs(as<WithStmt>(s).values) && body(as<WithStmt>(s).body);
            case S::autoescape: return expr(as<AutoescapeStmt>(s).value) && body(as<AutoescapeStmt>(s).body);
            case S::block:
            case S::leave:
            case S::next:
            case S::refused: return true;
        }
        return true;
    }

private:
    F& f_;
};

}  // namespace

void note_names(Symbols& symbols, const Expr* e, bool as_param) {
    auto note = [&](const NameExpr& n) {
        if (as_param || n.use == NameExpr::param) symbols.param(n.id);
        else if (n.use == NameExpr::store) symbols.store(n.id);
        else symbols.load(n.id);
        return true;
    };
    Walk<decltype(note)>(note).expr(e);
}

static void note_args(Symbols& symbols, const BranchStmt& s, size_t from) {
    if (from >= s.arms.size()) return;
    note_names(symbols, s.arms[from].test);
    const bool has_else = s.arms.back().test == nullptr;
    Symbols body = symbols, elifs = symbols, otherwise = symbols;
    note_names(body, s.arms[from].body);
    if (from == 0) {
        for (size_t k = 1; k < s.arms.size() - (has_else ? 1 : 0); ++k) {   // each elif is an if of its own, in turn
            note_names(elifs, s.arms[k].test);
            Symbols arm = elifs;
            note_names(arm, s.arms[k].body);
            elifs.merge({&arm});
        }
        if (has_else && s.arms.size() > 1) note_names(otherwise, s.arms.back().body);
    }
    symbols.merge({&body, &elifs, &otherwise});
}

void note_names(Symbols& symbols, const Stmt* s) {
    switch (s->kind) {
        case S::output:
            for (auto& piece : as<OutputStmt>(s).pieces) note_names(symbols, piece.expr);
            return;
        case S::loop: return note_names(symbols, as<LoopStmt>(s).iter);
        case S::branch: return note_args(symbols, as<BranchStmt>(s), 0);
        case S::set:
            note_names(symbols, as<SetStmt>(s).value);
            return note_names(symbols, as<SetStmt>(s).target);
        case S::set_block: return note_names(symbols, as<SetBlockStmt>(s).target);
        case S::macro: return symbols.store(as<MacroStmt>(s).name->id);
        case S::call_block: return note_names(symbols, as<CallBlockStmt>(s).call);
        case S::filter_block: return note_names(symbols, as<FilterBlockStmt>(s).filter);
        case S::with:
            for (const Expr* v : as<WithStmt>(s).values) note_names(symbols, v);
            return;
        case S::generation:
        case S::autoescape:
        case S::block:
        case S::leave:
        case S::next:
        case S::refused: return;
    }
}
void note_names(Symbols& symbols, Stmts body) {
    for (const Stmt* s : body) note_names(symbols, s);
}

bool uses_undeclared(Stmts body, Str name) {
    bool used = false;
    auto look = [&](const NameExpr& n) {
        if (n.name != name) return true;
        used = n.use == NameExpr::load;
        return false;   // used, or stored first: either way it is decided
    };
    Walk<decltype(look)>(look).body(body);
    return used;
}

}  // namespace weir::jinja
