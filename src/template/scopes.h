// Which name means which place: Jinja's own rules of scoping (jinja2.idtracking), worked out before the first render.
#pragma once
#include <unordered_map>
#include <vector>

#include "template/ast.h"

namespace weir::jinja {

// The names one scope knows. A name lives at the level of the scope that brought it in.
class Symbols {
public:
    enum class From : uint8_t { none, param, context, alias, nothing };
    struct Entry {
        uint32_t id;
        From from;
        int alias_level;
        bool stored;
    };
    explicit Symbols(const Symbols* parent, int level) : parent_(parent), level_(level) {}
    int find(uint32_t id) const;          // level where the name is known; -1: nowhere
    void load(uint32_t id);
    void store(uint32_t id);
    void param(uint32_t id);
    void merge(std::initializer_list<const Symbols*> branches);   // what may have happened in the arms of an if
    int level() const { return level_; }
    const std::vector<Entry>& entries() const { return entries_; }

private:
    Entry* own(uint32_t id);
    const Entry* own(uint32_t id) const { return const_cast<Symbols*>(this)->own(id); }
    const Symbols* parent_;
    int level_;
    std::vector<Entry> entries_;
};

// Adds to `symbols` the names a node of its scope uses; stops where a scope of its own begins.
void note_names(Symbols& symbols, const Expr* e, bool as_param = false);
inline void note_names(Symbols& symbols, Exprs all) {
    for (const Expr* e : all) note_names(symbols, e);
}
void note_names(Symbols& symbols, const Stmt* s);
void note_names(Symbols& symbols, Stmts body);

// Is the name `id` used in `body` before it is stored there? As jinja2's find_undeclared: looks into inner scopes, not into blocks.
bool uses_undeclared(Stmts body, Str name);

}  // namespace weir::jinja
