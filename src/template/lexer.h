// Template source as tokens, with Jinja's white space rules for trim_blocks and lstrip_blocks.
#pragma once
#include <string>
#include <vector>

#include "base/arena.h"
#include "template/value.h"

namespace weir::jinja {

enum class T : uint8_t {
    data, variable_begin, variable_end, block_begin, block_end, name, string, integer, real,
    add, sub, mul, div, floordiv, mod, pow, tilde, lparen, rparen, lbracket, rbracket, lbrace, rbrace,
    eq, ne, gt, gteq, lt, lteq, assign, dot, colon, pipe, comma, semicolon, eof,
};

struct Token {
    T type;
    uint32_t line;
    Str text;         // data, names, strings (unescaped)
    Value number;     // integer, real
};

// Text lives in `arena` or in `source`, which must have its newlines normalized. Raises Error::template_syntax.
std::vector<Token> tokenize(Str source, Arena& arena);
// As Jinja reads a file: every line ends with '\n', the last one without it.
std::string normalized(Str source);
std::string describe(const Token&);     // as Jinja names it in a message
const char* symbol(T);

}  // namespace weir::jinja
