#include <algorithm>

#include "base/assert.h"
#include "template/parser.h"

namespace weir::jinja {

const Token& Parser::expect(T type) {
    if (is(type)) return take();
    const std::string wanted = symbol(type);
    if (is(T::eof)) fail("unexpected end of template, expected '" + wanted + "'.");
    fail("expected token '" + wanted + "', got '" + describe(now()) + "'");
}
const Token& Parser::expect_name(Str name) {
    if (is_name(name)) return take();
    if (is(T::eof)) fail("unexpected end of template, expected '" + std::string(name) + "'.");
    fail("expected token '" + std::string(name) + "', got '" + describe(now()) + "'");
}
void Parser::fail(const std::string& message, Error kind) { fail_at(now().line, message, kind); }
void Parser::fail_at(uint32_t line, const std::string& message, Error kind) { raise_at(line, kind, message); }
void Parser::fail_recursion() { fail("the template nests too deep", Error::recursion); }

void Parser::fail_tag(Str name, uint32_t line) {
    std::string looking;
    bool nesting = false;
    for (const auto& ends : ends_) nesting |= std::find(ends.begin(), ends.end(), name) != ends.end();
    if (!ends_.empty())
        for (Str end : ends_.back()) looking += (looking.empty() ? "'" : " or '") + std::string(end) + "'";
    std::string message = name.empty() ? "Unexpected end of template." : "Encountered unknown tag '" + std::string(name) + "'.";
    if (!looking.empty() && nesting && !name.empty())
        message += " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for " + looking + ".";
    else if (!looking.empty())
        message += " Jinja was looking for the following tags: " + looking + ".";
    if (!tags_.empty()) message += " The innermost block that needs to be closed is '" + std::string(tags_.back()) + "'.";
    fail_at(line, message);
}

Stmts Parser::whole() {
    const auto all = body({});
    return keep(all);
}

OutputStmt* Parser::output(std::vector<OutputStmt::Piece>& pieces, uint32_t line) {
    auto* s = node<OutputStmt>(S::output, line);
    s->pieces = keep(pieces);
    pieces.clear();
    return s;
}

std::vector<Stmt*> Parser::body(Ends ends) {
    std::vector<Stmt*> all;
    std::vector<OutputStmt::Piece> pieces;
    uint32_t line = now().line;
    auto flush = [&] {
        if (!pieces.empty()) all.push_back(output(pieces, line));
    };
    if (ends.size()) ends_.push_back(ends);
    while (!is(T::eof)) {
        const Token& token = take();
        if (token.type == T::data) {
            if (pieces.empty()) line = token.line;
            pieces.push_back({token.text, nullptr});
        } else if (token.type == T::variable_begin) {
            if (pieces.empty()) line = token.line;
            pieces.push_back({{}, tuple()});
            expect(T::variable_end);
        } else {
            flush();
            if (is(T::name) && std::find(ends.begin(), ends.end(), now().text) != ends.end()) {
                ends_.pop_back();
                return all;
            }
            all.push_back(statement());
            expect(T::block_end);
        }
    }
    flush();
    if (ends.size()) fail_tag({}, now().line);
    return all;
}

Stmts Parser::statements(Ends ends, bool drop_end) {
    skip(T::colon);
    expect(T::block_end);
    Deeper deeper(*this);
    const auto all = body(ends);
    if (drop_end) take();
    return keep(all);
}

Stmt* Parser::statement() {
    const Token& token = now();
    if (token.type != T::name) fail("tag name expected");
    struct Row { Str name; Stmt* (Parser::*parse)(); };
    static constexpr Row rows[] = {
        {"for", &Parser::loop}, {"if", &Parser::branch}, {"set", &Parser::set}, {"macro", &Parser::macro}, {"print", &Parser::print},
        {"with", &Parser::with}, {"autoescape", &Parser::autoescape}, {"block", &Parser::block}, {"call", &Parser::call_block},
        {"filter", &Parser::filter_block}, {"generation", &Parser::generation}, {"include", &Parser::refused}, {"import", &Parser::refused},
        {"from", &Parser::refused}, {"extends", &Parser::refused}};
    if (token.text == "break" || token.text == "continue") return take(), node<Stmt>(token.text == "break" ? S::leave : S::next, token.line);
    for (const Row& row : rows) {
        if (row.name != token.text) continue;
        tags_.push_back(token.text);
        Stmt* s = (this->*row.parse)();
        tags_.pop_back();
        return s;
    }
    fail_tag(token.text, token.line);
}

void Parser::make_target(Expr* e, NameExpr::Use use) {
    auto refuse = [&](const char* what) { fail_at(e->line, "can't assign to '" + std::string(what) + "'"); };
    switch (e->kind) {
        case E::name: as<NameExpr>(e).use = use; return;
        case E::attr: return;   // a namespace's; primary() makes it only where that is allowed
        case E::tuple:
            for (Expr* item : as<ListExpr>(e).items)
                if (item->kind != E::name && item->kind != E::attr && item->kind != E::tuple) refuse("tuple");
            for (Expr* item : as<ListExpr>(e).items) make_target(item, use);
            return;
        case E::constant: refuse("const"); return;
        case E::list: refuse("list"); return;
        case E::dict: refuse("dict"); return;
        default: refuse("expression");
    }
}
Expr* Parser::target(Str end_name, bool with_namespace) {
    Expr* e = tuple(true, true, end_name, false, with_namespace);
    make_target(e, NameExpr::store);
    return e;
}
NameExpr* Parser::target_name(NameExpr::Use use) {
    const Token& token = expect(T::name);
    static constexpr Str words[] = {"true", "false", "none", "True", "False", "None"};
    if (std::find(std::begin(words), std::end(words), token.text) != std::end(words)) fail_at(token.line, "can't assign to 'name'");
    return name_node(token.text, use, token.line);
}

namespace {
void collect_spaces(Expr* e, std::vector<NameExpr*>& out) {
    if (e->kind == E::attr) {
        auto& name = as<NameExpr>(as<AttrExpr>(e).of);
        for (NameExpr* known : out)
            if (known->id == name.id) return;
        out.push_back(&name);
    } else if (e->kind == E::tuple) {
        for (Expr* item : as<ListExpr>(e).items) collect_spaces(item, out);
    }
}
}  // namespace

Stmt* Parser::set() {
    const uint32_t line = take().line;
    Expr* to = target({}, true);
    std::vector<NameExpr*> spaces;
    collect_spaces(to, spaces);
    if (skip(T::assign)) {
        auto* s = node<SetStmt>(S::set, line);
        s->target = to;
        s->value = tuple();
        s->spaces = keep(spaces);
        return s;
    }
    auto* s = node<SetBlockStmt>(S::set_block, line);
    s->target = to;
    s->filter = filter(nullptr);
    s->body = statements({"endset"}, true);
    s->spaces = keep(spaces);
    return s;
}

Stmt* Parser::loop() {
    auto* s = node<LoopStmt>(S::loop, take().line);
    const size_t from = at_;
    s->target = target("in");
    const size_t behind = at_;
    expect_name("in");
    s->iter = tuple(false, false, "recursive");
    if (skip_name("if")) {
        s->test = expression();
        const size_t here = std::exchange(at_, from);   // the test has places of its own for the same names
        s->test_target = target("in");
        ASSERT(at_ == behind);
        at_ = here;
    }
    s->recursive = skip_name("recursive");
    s->body = statements({"endfor", "else"});
    if (take().text == "else") s->otherwise = statements({"endfor"}, true);
    ++program_.loops;
    return s;
}

Stmt* Parser::branch() {
    auto* s = node<BranchStmt>(S::branch, take().line);
    std::vector<BranchStmt::Arm> arms;
    for (;;) {
        Expr* test = tuple(false, false);
        arms.push_back({test, statements({"elif", "else", "endif"})});
        const Str end = take().text;
        if (end == "elif") continue;
        if (end == "else") arms.push_back({nullptr, statements({"endif"}, true)});
        break;
    }
    s->arms = keep(arms);
    return s;
}

Stmt* Parser::with() {
    auto* s = node<WithStmt>(S::with, take().line);
    std::vector<Expr*> targets, values;
    while (!is(T::block_end)) {
        if (!targets.empty()) expect(T::comma);
        targets.push_back(target());
        make_target(targets.back(), NameExpr::param);
        expect(T::assign);
        values.push_back(expression());
    }
    s->targets = keep(targets);
    s->values = keep(values);
    s->body = statements({"endwith"}, true);
    return s;
}
Stmt* Parser::autoescape() {
    auto* s = node<AutoescapeStmt>(S::autoescape, take().line);
    s->value = expression();
    s->body = statements({"endautoescape"}, true);
    return s;
}
Stmt* Parser::block() {
    auto* s = node<BlockStmt>(S::block, take().line);
    s->name = expect(T::name).text;
    skip_name("scoped");
    s->required = skip_name("required");
    if (is(T::sub)) fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an underscore instead.");
    s->body = statements({"endblock"}, true);
    skip_name(s->name);
    for (BlockStmt* other : program_.blocks)
        if (other->name == s->name) fail_at(s->line, "block '" + std::string(s->name) + "' defined twice", Error::template_assertion);
    program_.blocks.push_back(s);
    return s;
}

void Parser::signature(MacroStmt& s) {
    expect(T::lparen);
    std::vector<NameExpr*> params;
    std::vector<Expr*> defaults;
    while (!is(T::rparen)) {
        if (!params.empty()) expect(T::comma);
        NameExpr* name = target_name(NameExpr::param);
        for (NameExpr* other : params)
            if (other->id == name->id) fail_at(name->line, "duplicate argument '" + std::string(name->name) + "' in function definition", Error::syntax);
        if (skip(T::assign)) defaults.push_back(expression());
        else if (!defaults.empty()) fail("non-default argument follows default argument");
        params.push_back(name);
    }
    expect(T::rparen);
    s.params = keep(params);
    s.defaults = keep(defaults);
}
Stmt* Parser::macro() {
    auto* s = node<MacroStmt>(S::macro, take().line);
    s->name = target_name(NameExpr::store);
    signature(*s);
    s->body = statements({"endmacro"}, true);
    return s;
}
Stmt* Parser::call_block() {
    auto* s = node<CallBlockStmt>(S::call_block, take().line);
    s->macro = node<MacroStmt>(S::macro, s->line);
    if (is(T::lparen)) signature(*s->macro);
    Expr* called = expression();
    if (called->kind != E::call) fail_at(s->line, "expected call");
    s->call = &as<CallExpr>(called);
    s->macro->body = statements({"endcall"}, true);
    return s;
}
Stmt* Parser::generation() {
    auto* s = node<MacroStmt>(S::generation, take().line);
    s->body = statements({"endgeneration"}, true);
    return s;
}
Stmt* Parser::filter_block() {
    auto* s = node<FilterBlockStmt>(S::filter_block, take().line);
    s->filter = filter(nullptr, true);
    s->body = statements({"endfilter"}, true);
    return s;
}
Stmt* Parser::print() {
    const uint32_t line = take().line;
    std::vector<OutputStmt::Piece> pieces;
    while (!is(T::block_end)) {
        if (!pieces.empty()) expect(T::comma);
        pieces.push_back({{}, expression()});
    }
    return output(pieces, line);
}
// There are no other templates: these parse, and fail when they are reached.
Stmt* Parser::refused() {
    auto* s = node<RefusedStmt>(S::refused, now().line);
    s->what = take().text;
    while (!is(T::block_end) && !is(T::eof)) take();
    return s;
}

}  // namespace weir::jinja
