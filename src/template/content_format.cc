#include "template/content_format.h"

#include <set>

namespace weir::jinja {
namespace {

// Names that stand for the list of messages, one message, or its content, grown until nothing is added.
class Finder {
public:
    explicit Finder(const Program& p) : p_(p) { lists_.insert("messages"); }
    bool goes_through_parts() {
        for (size_t before = 0; before != known();) {
            before = known();
            walk(p_.body);
            for (const BlockStmt* b : p_.blocks) walk(b->body);
            if (found_) return true;
        }
        return false;
    }

private:
    size_t known() const { return lists_.size() + messages_.size() + contents_.size() + macros_.size(); }
    static const Expr* plain(const Expr* e) {   // without filters and slices around it
        for (;;) {
            if (e && e->kind == E::filter) e = as<FilterExpr>(e).of;
            else if (e && e->kind == E::slice) e = as<SliceExpr>(e).of;
            else return e;
        }
    }
    bool named(const Expr* e, const std::set<Str>& names) const { return e && e->kind == E::name && names.contains(as<NameExpr>(e).name); }
    bool is_list(const Expr* e) const { return named(plain(e), lists_); }
    bool is_message(const Expr* e) const {
        e = plain(e);
        if (named(e, messages_)) return true;
        return e && e->kind == E::item && is_list(as<ItemExpr>(e).of);
    }
    bool is_content(const Expr* e) const {
        e = plain(e);
        if (named(e, contents_)) return true;
        if (e && e->kind == E::attr) return as<AttrExpr>(e).name.str() == "content" && is_message(as<AttrExpr>(e).of);
        if (!e || e->kind != E::item) return false;
        const Expr* index = as<ItemExpr>(e).index;
        return index->kind == E::constant && as<ConstExpr>(index).value.is_string() &&
               as<ConstExpr>(index).value.str() == "content" && is_message(as<ItemExpr>(e).of);
    }
    void learn(Str name, const Expr* value) {
        if (is_list(value)) lists_.insert(name);
        if (is_message(value)) messages_.insert(name);
        if (is_content(value)) contents_.insert(name);
    }
    void call(const CallExpr& c) {
        if (c.of->kind != E::name) return;
        for (const MacroStmt* m : macros_) {
            if (m->name->name != as<NameExpr>(c.of).name) continue;
            for (size_t k = 0; k < c.args.plain.size() && k < m->params.size(); ++k) learn(m->params[k]->name, c.args.plain[k]);
            for (const Keyword& word : c.args.keywords) learn(word.name, word.value);
        }
    }
    void look(const Expr* e) {   // for calls of macros
        if (!e) return;
        switch (e->kind) {
            case E::call: return call(as<CallExpr>(e));
            case E::filter: return look(as<FilterExpr>(e).of);
            case E::sum:
            case E::concat:
                for (const Expr* item : as<ListExpr>(e).items) look(item);
                return;
            case E::cond: return look(as<CondExpr>(e).yes), look(as<CondExpr>(e).no);
            default: return;
        }
    }
    void walk(Stmts body) {
        for (const Stmt* s : body) walk(s);
    }
    void walk(const Stmt* s) {
        switch (s->kind) {
            case S::output:
                for (auto& piece : as<OutputStmt>(s).pieces) look(piece.expr);
                return;
            case S::loop: {
                auto& l = as<LoopStmt>(s);
                if (is_content(l.iter)) found_ = true;
                if (l.target->kind == E::name && is_list(l.iter)) messages_.insert(as<NameExpr>(l.target).name);
                walk(l.body);
                return walk(l.otherwise);
            }
            case S::branch:
                for (auto& arm : as<BranchStmt>(s).arms) walk(arm.body);
                return;
            case S::set: {
                auto& x = as<SetStmt>(s);
                if (x.target->kind == E::name) learn(as<NameExpr>(x.target).name, x.value);
                return look(x.value);
            }
            case S::macro:
                if (as<MacroStmt>(s).name) macros_.insert(&as<MacroStmt>(s));
                return walk(as<MacroStmt>(s).body);
            case S::generation: return walk(as<MacroStmt>(s).body);
            case S::set_block: return walk(as<SetBlockStmt>(s).body);
            case S::filter_block: return walk(as<FilterBlockStmt>(s).body);
            case S::with: return walk(as<WithStmt>(s).body);
            case S::autoescape: return walk(as<AutoescapeStmt>(s).body);
            case S::call_block: return walk(as<CallBlockStmt>(s).macro->body);
            default: return;
        }
    }

    const Program& p_;
    std::set<Str> lists_, messages_, contents_;
    std::set<const MacroStmt*> macros_;
    bool found_ = false;
};

}  // namespace

ContentFormat content_format(const Program& p) { return Finder(p).goes_through_parts() ? ContentFormat::parts : ContentFormat::string; }

}  // namespace weir::jinja
