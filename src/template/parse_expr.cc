#include <algorithm>

#include "template/builtins.h"
#include "template/parser.h"

namespace weir::jinja {

constexpr size_t tree_depth_max = 400;

void Parser::depth(Expr* e, std::initializer_list<const Expr*> parts) {
    size_t most = e->depth ? e->depth - 1u : 0;
    for (const Expr* part : parts)
        if (part) most = std::max<size_t>(most, part->depth);
    if (most + 1 > tree_depth_max) fail_recursion();
    e->depth = static_cast<uint16_t>(most + 1);
}
void Parser::depth(Expr* e, Exprs parts) {
    for (Expr* part : parts) depth(e, {part});
}
void Parser::depth(Expr* e, const CallArgs& args) {
    depth(e, args.plain);
    for (const Keyword& k : args.keywords) depth(e, {k.value});
    depth(e, {args.star, args.stars});
}

Expr* Parser::expression(bool with_cond) {
    Deeper deeper(*this);
    return with_cond ? cond() : logic_or();
}

Expr* Parser::cond() {
    const uint32_t line = now().line;
    Expr* yes = logic_or();
    while (skip_name("if")) {
        auto* e = node<CondExpr>(E::cond, line);
        e->yes = yes;
        e->test = logic_or();
        if (skip_name("else")) {
            Deeper deeper(*this);
            e->no = cond();
        }
        depth(e, {e->test, e->yes, e->no});
        yes = e;
    }
    return yes;
}

Expr* Parser::binary(Op op, Expr* left, Expr* right, uint32_t line) {
    auto* e = node<BinaryExpr>(E::binary, line);
    e->op = op;
    e->left = left;
    e->right = right;
    depth(e, {left, right});
    return e;
}

Expr* Parser::logic_or() {
    Expr* left = logic_and();
    while (is_name("or")) {
        const uint32_t line = take().line;
        Expr* right = logic_and();
        left = binary(Op::eq, left, right, line);
        left->kind = E::logic_or;
    }
    return left;
}
Expr* Parser::logic_and() {
    Expr* left = logic_not();
    while (is_name("and")) {
        const uint32_t line = take().line;
        Expr* right = logic_not();
        left = binary(Op::eq, left, right, line);
        left->kind = E::logic_and;
    }
    return left;
}
Expr* Parser::logic_not() {
    if (!is_name("not")) return comparison();
    Deeper deeper(*this);
    auto* e = node<UnaryExpr>(E::logic_not, take().line);
    e->of = logic_not();
    depth(e, {e->of});
    return e;
}

Expr* Parser::comparison() {
    const uint32_t line = now().line;
    Expr* first = math1();
    std::vector<CompareExpr::Operand> rest;
    for (;;) {
        const T type = now().type;
        if (type >= T::eq && type <= T::lteq) {
            take();
            static constexpr Op ops[] = {Op::eq, Op::ne, Op::gt, Op::gteq, Op::lt, Op::lteq};
            rest.push_back({ops[static_cast<size_t>(type) - static_cast<size_t>(T::eq)], math1()});
        } else if (skip_name("in")) {
            rest.push_back({Op::in, math1()});
        } else if (is_name("not") && ahead().type == T::name && ahead().text == "in") {
            take();
            take();
            rest.push_back({Op::notin, math1()});
        } else {
            break;
        }
    }
    if (rest.empty()) return first;
    auto* e = node<CompareExpr>(E::compare, line);
    e->first = first;
    e->rest = keep(rest);
    depth(e, {first});
    for (auto& operand : rest) depth(e, {operand.right});
    return e;
}

// A run of '+' becomes one node, so that strings are put together once.
Expr* Parser::math1() {
    Expr* left = concat();
    while (is(T::add) || is(T::sub)) {
        const uint32_t line = now().line;
        if (skip(T::sub)) {
            left = binary(Op::sub, left, concat(), line);
            continue;
        }
        std::vector<Expr*> items{left};
        while (skip(T::add)) items.push_back(concat());
        auto* e = node<ListExpr>(E::sum, line);
        e->items = keep(items);
        depth(e, e->items);
        left = e;
    }
    return left;
}
Expr* Parser::concat() {
    const uint32_t line = now().line;
    Expr* first = math2();
    if (!is(T::tilde)) return first;
    std::vector<Expr*> items{first};
    while (skip(T::tilde)) items.push_back(math2());
    auto* e = node<ListExpr>(E::concat, line);
    e->items = keep(items);
    depth(e, e->items);
    return e;
}
Expr* Parser::math2() {
    Expr* left = power();
    for (;;) {
        const T type = now().type;
        if (type != T::mul && type != T::div && type != T::floordiv && type != T::mod) return left;
        const uint32_t line = take().line;
        const Op op = type == T::mul ? Op::mul : type == T::div ? Op::div : type == T::floordiv ? Op::floordiv : Op::mod;
        left = binary(op, left, power(), line);
    }
}
Expr* Parser::power() {
    Expr* left = unary();
    while (is(T::pow)) {
        const uint32_t line = take().line;
        left = binary(Op::pow, left, unary(), line);
    }
    return left;
}

Expr* Parser::unary(bool with_filter) {
    Expr* e = nullptr;
    if (is(T::sub) || is(T::add)) {
        Deeper deeper(*this);
        const E kind = is(T::sub) ? E::neg : E::pos;
        auto* u = node<UnaryExpr>(kind, take().line);
        u->of = unary(false);
        depth(u, {u->of});
        e = u;
    } else {
        e = primary();
    }
    e = postfix(e);
    return with_filter ? filter_expr(e) : e;
}

NameExpr* Parser::name_node(Str name, NameExpr::Use use, uint32_t line) {
    auto [it, added] = ids_.try_emplace(name, static_cast<uint32_t>(program_.names.size()));
    if (added) program_.names.push_back(name);
    auto* e = node<NameExpr>(E::name, line);
    e->name = name;
    e->id = it->second;
    e->use = use;
    return e;
}

Expr* Parser::primary(bool with_namespace) {
    const Token& token = now();
    auto constant = [&](Value v) {
        auto* e = node<ConstExpr>(E::constant, token.line);
        e->value = v;
        return e;
    };
    switch (token.type) {
        case T::name: {
            take();
            if (token.text == "true" || token.text == "True") return constant(Value::boolean(true));
            if (token.text == "false" || token.text == "False") return constant(Value::boolean(false));
            if (token.text == "none" || token.text == "None") return constant(Value::none());
            Expr* name = name_node(token.text, NameExpr::load, token.line);
            if (!with_namespace || !skip(T::dot)) return name;
            auto* e = node<AttrExpr>(E::attr, token.line);
            e->of = name;
            e->name = key_string(expect(T::name).text);
            return e;
        }
        case T::string: {
            take();
            std::string text(token.text);
            if (!is(T::string)) return constant(key_string(token.text));
            while (is(T::string)) text += take().text;
            return constant(key_string(arena_.copy(text)));
        }
        case T::integer:
        case T::real: return take(), constant(token.number);
        case T::lparen: {
            take();
            Deeper deeper(*this);
            Expr* e = tuple(false, true, {}, true);
            expect(T::rparen);
            return e;
        }
        case T::lbracket: return list();
        case T::lbrace: return dict();
        default: fail_at(token.line, "unexpected '" + describe(token) + "'");
    }
}

Expr* Parser::tuple(bool simplified, bool with_cond, Str end_name, bool parentheses, bool with_namespace) {
    uint32_t line = now().line;
    std::vector<Expr*> items;
    bool is_tuple = false;
    for (;;) {
        if (!items.empty()) expect(T::comma);
        if (is(T::variable_end) || is(T::block_end) || is(T::rparen) || (!end_name.empty() && is_name(end_name))) break;
        items.push_back(simplified ? primary(with_namespace) : expression(with_cond));
        if (!is(T::comma)) break;
        is_tuple = true;
        line = now().line;
    }
    if (!is_tuple) {
        if (!items.empty()) return items[0];
        if (!parentheses) fail("Expected an expression, got '" + describe(now()) + "'");
    }
    auto* e = node<ListExpr>(E::tuple, line);
    e->items = keep(items);
    depth(e, e->items);
    return e;
}

Expr* Parser::list() {
    Deeper deeper(*this);
    const uint32_t line = expect(T::lbracket).line;
    std::vector<Expr*> items;
    while (!is(T::rbracket)) {
        if (!items.empty()) expect(T::comma);
        if (is(T::rbracket)) break;
        items.push_back(expression());
    }
    expect(T::rbracket);
    auto* e = node<ListExpr>(E::list, line);
    e->items = keep(items);
    depth(e, e->items);
    return e;
}
Expr* Parser::dict() {
    Deeper deeper(*this);
    const uint32_t line = expect(T::lbrace).line;
    std::vector<Expr*> keys, values;
    while (!is(T::rbrace)) {
        if (!keys.empty()) expect(T::comma);
        if (is(T::rbrace)) break;
        keys.push_back(expression());
        expect(T::colon);
        values.push_back(expression());
    }
    expect(T::rbrace);
    auto* e = node<DictExpr>(E::dict, line);
    e->keys = keep(keys);
    e->values = keep(values);
    depth(e, e->keys);
    depth(e, e->values);
    return e;
}

Expr* Parser::postfix(Expr* of) {
    for (;;) {
        if (is(T::dot) || is(T::lbracket)) of = subscript(of);
        else if (is(T::lparen)) of = call(of);
        else return of;
    }
}
Expr* Parser::filter_expr(Expr* of) {
    for (;;) {
        if (is(T::pipe)) of = filter(of);
        else if (is_name("is")) of = test(of);
        else if (is(T::lparen)) of = call(of);
        else return of;
    }
}

Expr* Parser::subscript(Expr* of) {
    const Token& token = take();
    if (token.type == T::dot) {
        const Token& attr = take();
        if (attr.type == T::name) {
            auto* e = node<AttrExpr>(E::attr, token.line);
            e->of = of;
            e->name = key_string(attr.text);
            e->dict_method = find_method(Kind::dict, attr.text);
            e->string_method = find_method(Kind::string, attr.text);
            e->loop_field = find_loop_field(attr.text);
            e->special = attr.text[0] == '_';
            depth(e, {of});
            return e;
        }
        if (attr.type != T::integer) fail_at(attr.line, "expected name or number");
        auto* index = node<ConstExpr>(E::constant, attr.line);
        index->value = attr.number;
        auto* e = node<ItemExpr>(E::item, token.line);
        e->of = of;
        e->index = index;
        depth(e, {of});
        return e;
    }
    std::vector<Expr*> args;
    while (!is(T::rbracket)) {
        if (!args.empty()) expect(T::comma);
        args.push_back(subscribed());
    }
    expect(T::rbracket);
    if (args.size() == 1 && args[0]->kind == E::slice_key) {
        auto& slice = as<SliceExpr>(args[0]);
        slice.kind = E::slice;
        slice.of = of;
        depth(&slice, {of});
        return &slice;
    }
    auto* e = node<ItemExpr>(E::item, token.line);
    e->of = of;
    if (args.size() == 1) {
        e->index = args[0];
    } else {
        auto* several = node<ListExpr>(E::tuple, token.line);
        several->items = keep(args);
        depth(several, several->items);
        e->index = several;
    }
    depth(e, {of, e->index});
    return e;
}
Expr* Parser::subscribed() {
    Deeper deeper(*this);
    const uint32_t line = now().line;
    Expr* start = nullptr;
    if (!skip(T::colon)) {
        start = expression();
        if (!skip(T::colon)) return start;
    }
    auto* e = node<SliceExpr>(E::slice_key, line);
    e->start = start;
    if (!is(T::colon) && !is(T::rbracket) && !is(T::comma)) e->stop = expression();
    if (skip(T::colon) && !is(T::rbracket) && !is(T::comma)) e->step = expression();
    depth(e, {e->start, e->stop, e->step});
    return e;
}

CallArgs Parser::call_args() {
    Deeper deeper(*this);
    const uint32_t line = expect(T::lparen).line;
    CallArgs args;
    std::vector<Expr*> plain;
    std::vector<Keyword> keywords;
    bool comma = false;
    auto ensure = [&](bool ok) {
        if (!ok) fail_at(line, "invalid syntax for function call expression");
    };
    while (!is(T::rparen)) {
        if (comma) {
            expect(T::comma);
            if (is(T::rparen)) break;
        }
        if (skip(T::mul)) {
            ensure(!args.star && !args.stars);
            args.star = expression();
        } else if (skip(T::pow)) {
            ensure(!args.stars);
            args.stars = expression();
        } else if (is(T::name) && ahead().type == T::assign) {
            ensure(!args.stars);
            const Str name = take().text;
            take();
            for (const Keyword& k : keywords)
                if (k.name == name) fail_at(line, "keyword argument repeated: " + std::string(name), Error::syntax);
            keywords.push_back({name, expression()});
        } else {
            ensure(!args.star && !args.stars && keywords.empty());
            plain.push_back(expression());
        }
        comma = true;
    }
    expect(T::rparen);
    args.plain = keep(plain);
    args.keywords = keep(keywords);
    return args;
}
Expr* Parser::call(Expr* of) {
    auto* e = node<CallExpr>(E::call, now().line);
    e->of = of;
    e->args = call_args();
    depth(e, {of});
    depth(e, e->args);
    return e;
}

Str Parser::dotted_name() {
    Str name = expect(T::name).text;
    while (skip(T::dot)) name = arena_.concat({name, ".", expect(T::name).text});
    return name;
}
Expr* Parser::filter(Expr* of, bool inline_start) {
    while (is(T::pipe) || inline_start) {
        if (!inline_start) take();
        inline_start = false;
        auto* e = node<FilterExpr>(E::filter, now().line);
        e->name = dotted_name();
        e->row = find_filter(e->name);
        e->of = of;
        if (is(T::lparen)) e->args = call_args();
        depth(e, {of});
        depth(e, e->args);
        of = e;
    }
    return of;
}
Expr* Parser::test(Expr* of) {
    const uint32_t line = take().line;
    const bool negated = skip_name("not");
    auto* e = node<TestExpr>(E::test, line);
    e->of = of;
    e->name = dotted_name();
    e->row = find_check(e->name);
    const T type = now().type;
    if (type == T::lparen) {
        e->args = call_args();
    } else if ((type == T::name || type == T::string || type == T::integer || type == T::real || type == T::lbracket || type == T::lbrace) &&
               !is_name("else") && !is_name("or") && !is_name("and")) {
        if (is_name("is")) fail("You cannot chain multiple tests with is");
        Deeper deeper(*this);
        const std::vector<Expr*> one{postfix(primary())};
        e->args.plain = keep(one);
    }
    depth(e, {of});
    depth(e, e->args);
    if (!negated) return e;
    auto* n = node<UnaryExpr>(E::logic_not, line);
    n->of = e;
    depth(n, {e});
    return n;
}

}  // namespace weir::jinja
