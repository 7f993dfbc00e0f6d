#include "template/ast.h"
#include "template/parser.h"
#include "wire/utf8.h"

namespace weir::jinja {

std::unique_ptr<const Program> parse_program(Str source) {
    if (!utf8_valid(source)) raise(Error::template_syntax, "the template is not UTF-8");
    auto program = std::make_unique<Program>();
    program->source = normalized(source);
    program->body = Parser(*program).whole();
    resolve_scopes(*program);
    return program;
}

}  // namespace weir::jinja
