// A parsed template: plain structs in one arena, immutable once scopes.cc has given every name its place.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/arena.h"
#include "template/value.h"

namespace weir::jinja {

struct FilterRow;
struct CheckRow;
struct Function;

enum class E : uint8_t {
    constant, name, attr, item, slice, list, tuple, dict, cond, logic_and, logic_or, logic_not, neg, pos, sum, binary, concat, compare, filter, test, call,
    slice_key,
};
enum class Op : uint8_t { sub, mul, div, floordiv, mod, pow, eq, ne, gt, gteq, lt, lteq, in, notin };

struct Expr {
    E kind;
    uint16_t depth = 1;      // of the tree below: bounds the evaluator's recursion
    uint32_t line = 0;
};
using Exprs = std::span<Expr*>;

struct ConstExpr : Expr { Value value; };
struct NameExpr : Expr {
    enum Use : uint8_t { load, store, param };
    Str name;
    uint32_t id;             // of the name, dense per template
    Use use;
    uint16_t hops = 0, slot = 0;   // functions outwards, place in that function's frame
};
struct AttrExpr : Expr {
    Expr* of;
    Value name;              // a string with its tag
    uint16_t dict_method, string_method;   // 0: that type has none of this name
    uint8_t loop_field;      // LoopField; 0: none
    bool special;            // begins with "_"
};
struct ItemExpr : Expr { Expr *of, *index; };
struct SliceExpr : Expr { Expr *of, *start, *stop, *step; };
struct ListExpr : Expr { Exprs items; };           // list, tuple, concat, and sum: a + b + c from left to right
struct DictExpr : Expr { Exprs keys, values; };
struct CondExpr : Expr { Expr *test, *yes, *no; };
struct BinaryExpr : Expr { Op op; Expr *left, *right; };
struct UnaryExpr : Expr { Expr* of; };
struct CompareExpr : Expr {
    struct Operand { Op op; Expr* right; };
    Expr* first;
    std::span<Operand> rest;
};
struct Keyword { Str name; Expr* value; };
struct CallArgs { Exprs plain; std::span<Keyword> keywords; Expr *star = nullptr, *stars = nullptr; };
struct FilterExpr : Expr { Expr* of; Str name; const FilterRow* row; CallArgs args; };   // of: null in a filter block
struct TestExpr : Expr { Expr* of; Str name; const CheckRow* row; CallArgs args; };
struct CallExpr : Expr { Expr* of; CallArgs args; };

enum class S : uint8_t { output, loop, branch, set, set_block, macro, call_block, generation, filter_block, with, autoescape, block, leave, next, refused };

struct Stmt {
    S kind;
    uint32_t line = 0;
};
using Stmts = std::span<Stmt*>;

// What happens to a scope's names when it is entered.
struct Load {
    enum From : uint8_t { context, copy, nothing };
    From from;
    uint16_t slot, hops;     // hops: for `copy`
    uint16_t source;         // a context place, or a slot
};
struct Scope {
    std::span<Load> loads;
    std::span<uint16_t> owned;   // slots to clear when it is left
};
// The code of a macro, a call block, a recursive loop, a block or the whole template: it has a frame of its own.
struct Function {
    uint16_t slots = 0;
    bool captured = false;   // something may look into its frame after it has returned
};

struct OutputStmt : Stmt {
    struct Piece { Str text; Expr* expr; };   // expr null: text of the template
    std::span<Piece> pieces;
};
struct LoopStmt : Stmt {
    Expr *target, *iter, *test, *test_target;   // test_target: the same names in the test's own places
    Stmts body, otherwise;
    bool recursive, extended;                   // extended: `loop` is used
    uint16_t loop_slot;
    Scope scope, test_scope, else_scope;
    Function function;                          // recursive ones
};
struct BranchStmt : Stmt {
    struct Arm { Expr* test; Stmts body; };     // test null: else
    std::span<Arm> arms;
};
struct SetStmt : Stmt {
    Expr *target, *value;
    std::span<NameExpr*> spaces;                // namespaces that are written to
    std::span<uint16_t> exports;                // pairs of slot and context place: kept for blocks
};
struct SetBlockStmt : Stmt {
    Expr* target;
    Expr* filter;                               // innermost `of` is null
    Stmts body;
    Scope scope;
    std::span<NameExpr*> spaces;
    std::span<uint16_t> exports;
};
struct MacroStmt : Stmt {                       // also the anonymous macro of a call block, and of {% generation %}
    NameExpr* name;                             // null: anonymous
    std::span<NameExpr*> params;
    Exprs defaults;                             // of the last parameters
    Stmts body;
    Function function;
    Scope scope;
    int caller_slot = -1, kwargs_slot = -1, varargs_slot = -1;
    bool explicit_caller = false;
    std::span<uint16_t> exports;
};
struct CallBlockStmt : Stmt { CallExpr* call; MacroStmt* macro; };
struct FilterBlockStmt : Stmt { Expr* filter; Stmts body; Scope scope; };
struct WithStmt : Stmt { Exprs targets, values; Stmts body; Scope scope; };
struct AutoescapeStmt : Stmt { Expr* value; Stmts body; Scope scope; };
struct BlockStmt : Stmt { Str name; Stmts body; Function function; Scope scope; bool required; };
struct RefusedStmt : Stmt { Str what; };        // include, import, extends: there are no other templates

struct Program {
    Arena arena;
    std::string source;
    Stmts body;
    Function function;
    Scope scope;
    std::vector<Str> context;                   // names looked up outside, by place
    std::vector<Str> names;                     // by id
    std::vector<BlockStmt*> blocks;
    uint32_t loops = 0;
};

template <class Node>
Node& as(Expr* e) { return *static_cast<Node*>(e); }
template <class Node>
const Node& as(const Expr* e) { return *static_cast<const Node*>(e); }
template <class Node>
const Node& as(const Stmt* s) { return *static_cast<const Node*>(s); }

// Parses and resolves. Raises Error::template_syntax, template_assertion, syntax, recursion.
std::unique_ptr<const Program> parse_program(Str source);
void resolve_scopes(Program&);                  // scopes.cc

}  // namespace weir::jinja
