// From tokens to the tree. Expressions in parse_expr.cc, statements in parse_stmt.cc.
#pragma once
#include <unordered_map>

#include "template/ast.h"
#include "template/lexer.h"
#include "template/raised.h"

namespace weir::jinja {

class Parser {
public:
    explicit Parser(Program& program) : program_(program), arena_(program.arena), tokens_(tokenize(program.source, program.arena)) {}
    Stmts whole();

private:
    struct Deeper {   // bounds the recursion of the parser itself
        explicit Deeper(Parser& p) : parser(p) {
            if (++parser.depth_ > 120) parser.fail_recursion();
        }
        ~Deeper() { --parser.depth_; }
        Parser& parser;
    };
    // Ends of a body: names of the tags that may close it.
    using Ends = std::initializer_list<Str>;

    const Token& now() const { return tokens_[at_]; }
    const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
    const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
    bool is(T type) const { return now().type == type; }
    bool is_name(Str name) const { return now().type == T::name && now().text == name; }
    bool skip(T type) { return is(type) ? (take(), true) : false; }
    bool skip_name(Str name) { return is_name(name) ? (take(), true) : false; }
    const Token& expect(T type);
    const Token& expect_name(Str name);
    [[noreturn]] void fail(const std::string& message, Error kind = Error::template_syntax);
    [[noreturn]] void fail_at(uint32_t line, const std::string& message, Error kind = Error::template_syntax);
    [[noreturn]] void fail_recursion();
    [[noreturn]] void fail_tag(Str name, uint32_t line);   // unknown tag, or (empty name) the end came too early

    template <class Node, class Kind>
    Node* node(Kind kind, uint32_t line) {
        auto* n = new (arena_.alloc(sizeof(Node), alignof(Node))) Node{};
        n->kind = kind;
        n->line = line;
        return n;
    }
    template <class X>
    std::span<X> keep(const std::vector<X>& v) { return arena_.copy_span(std::span<const X>(v)); }
    void depth(Expr* e, std::initializer_list<const Expr*> parts);
    void depth(Expr* e, Exprs parts);
    void depth(Expr* e, const CallArgs& args);

    Expr* expression(bool with_cond = true);
    Expr* cond();
    Expr* logic_or();
    Expr* logic_and();
    Expr* logic_not();
    Expr* comparison();
    Expr* math1();
    Expr* concat();
    Expr* math2();
    Expr* power();
    Expr* unary(bool with_filter = true);
    Expr* primary(bool with_namespace = false);
    Expr* tuple(bool simplified = false, bool with_cond = true, Str end_name = {}, bool parentheses = false, bool with_namespace = false);
    Expr* list();
    Expr* dict();
    Expr* postfix(Expr* of);
    Expr* filter_expr(Expr* of);
    Expr* subscript(Expr* of);
    Expr* subscribed();
    CallArgs call_args();
    Expr* call(Expr* of);
    Expr* filter(Expr* of, bool inline_start = false);
    Expr* test(Expr* of);
    Expr* binary(Op op, Expr* left, Expr* right, uint32_t line);
    NameExpr* name_node(Str name, NameExpr::Use use, uint32_t line);
    Str dotted_name();
    Expr* target(Str end_name = {}, bool with_namespace = false);
    void make_target(Expr* e, NameExpr::Use use);
    NameExpr* target_name(NameExpr::Use use);

    std::vector<Stmt*> body(Ends ends);
    Stmts statements(Ends ends, bool drop_end = false);
    Stmt* statement();
    Stmt* set();
    Stmt* loop();
    Stmt* branch();
    Stmt* with();
    Stmt* autoescape();
    Stmt* block();
    Stmt* macro();
    Stmt* call_block();
    Stmt* generation();
    Stmt* filter_block();
    Stmt* print();
    Stmt* refused();
    void signature(MacroStmt&);
    OutputStmt* output(std::vector<OutputStmt::Piece>& pieces, uint32_t line);

    Program& program_;
    Arena& arena_;
    std::vector<Token> tokens_;
    size_t at_ = 0;
    int depth_ = 0;
    std::unordered_map<Str, uint32_t> ids_;
    std::vector<Str> tags_;
    std::vector<std::vector<Str>> ends_;
};

}  // namespace weir::jinja
