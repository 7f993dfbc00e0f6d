// One render: the evaluator's state, and what filters, tests and methods may ask of it.
#pragma once
#include <optional>

#include "template/ast.h"
#include "template/builtins.h"
#include "template/heap.h"
#include "template/print.h"
#include "template/raised.h"

namespace weir::jinja {

struct FrameData {               // the variables of one running function
    Value* slots;
    FrameData* parent;           // of the function it was defined in
};

struct MacroObject : Object {
    const MacroStmt* code;
    FrameData* frame;            // where it was defined
    bool autoescape;
};
struct FunctionObject : Object { Global id; };
struct CyclerObject : Object { std::span<Value> items; size_t at; };
struct JoinerObject : Object { Value separator; bool used; };
struct LoopObject;

// What a for loop or a filter goes through, one item at a time. Cheap for lists; everything else behind a switch.
class Items {
public:
    enum class Of : uint8_t { span, keys, pairs, values, text, range, lazy, filtered } of = Of::span;
    const Value* at = nullptr;
    const Value* end = nullptr;
    Dict* dict = nullptr;
    uint32_t dict_at = 0;
    Str text;
    const Range* range = nullptr;
    uint32_t range_at = 0;
    Object* lazy = nullptr;
    Items* inner = nullptr;              // filtered: by the test of `stmt`, in `frame`
    const LoopStmt* stmt = nullptr;
    FrameData* frame = nullptr;
    bool next(Render& r, Value& item) {
        if (of != Of::span) return next_slow(r, item);
        if (at == end) return false;
        item = *at++;
        return true;
    }
    std::optional<int64_t> size() const;   // of what is left, when that is known without going through it

private:
    bool next_slow(Render&, Value&);
};

struct LoopObject : Object {
    Items items;
    int64_t index0 = -1;
    int64_t length = -1;
    int64_t depth0 = 0;
    Value current, before, after, changed;   // missing: not there
    const LoopStmt* stmt = nullptr;
    FrameData* frame = nullptr;              // recursive loops: where they were defined
    bool ended = false;
    bool next(Render&, Value&);
    bool peek(Render&);
    int64_t size(Render&);
};

// A filter that gives an iterator: worked out when somebody first asks for its items, and gone through once.
struct LazyObject : Iterator {
    Value (*run)(Render&, Value subject, const Args&);   // gives a list
    Value subject;
    Args args;
    Value list;          // missing: not run yet
    uint32_t at = 0;
};

struct Limits {
    uint64_t steps_max = 10'000'000;
    uint32_t depth_max = 200;
    size_t output_max = 16 << 20;
    size_t memory_max = 64 << 20;
    size_t stack_max = 768 << 10;    // bytes of machine stack
};

struct LocalTime { int year, month, day, hour, minute, second, microsecond; };

class Render {
public:
    Render(const Program& program, const Limits& limits) : heap(limits.memory_max), out(heap, limits.output_max), program_(program), limits_(limits) {}

    // context: a value for each of program.context, missing where there is none. Writes into `out`.
    void run(std::span<Value> context);

    Heap heap;
    Out out;
    LocalTime now{};
    bool autoescape = false;

    Value eval(const Expr*);
    void emit(const Expr*);                       // eval and print, with as few copies as can be
    void print(Value v) {
        if (v.is_string() && !autoescape) out.write(v.str());
        else print_slow(v);
    }
    void step(uint64_t n = 1) {
        if ((steps_ += n) > limits_.steps_max) fail_steps();
    }
    void work(size_t bytes) { step(bytes / 64); }   // text that is searched or copied

    // Access.
    Value attribute(Value of, const AttrExpr&);   // of.name in a template
    Value attribute(Value of, Value name);        // the same with a name known late
    Value item(Value of, Value index);            // of[index]
    Value slice(Value of, Value start, Value stop, Value step);
    Value call(Value callee, const Args&);
    Value call_filter(const FilterRow&, Value subject, const Args&);
    Value call_method(MethodId, Value self, const Args&);
    Items items(Value of);                        // TypeError when it cannot be gone through
    std::span<const Value> all(Value of);         // every item
    bool contains(Value container, Value x);
    Value arithmetic(Op, Value, Value);
    Value add(Value, Value);
    Value mod_text(Value format, Value args);     // "..." % args
    Value format_text(Value self, const Args&, bool is_map);
    bool compare(Op, Value, Value);
    bool check(const CheckRow&, Value, const Args&);
    [[noreturn]] void fail_undefined(Value);      // UndefinedError, or SecurityError when it is an unsafe attribute
    Value lazy(Value (*run)(Render&, Value, const Args&), Value subject, const Args&, Str type);
    std::span<const Value> lazy_rest(LazyObject&);
    void fill_lazy(LazyObject&);
    Value escaped(Value);                         // Markup of the value
    Value text(size_t mark) { return Value::string(out.take(mark)); }
    Value call_loop(LoopObject&, Value items);
    Value loop_field(LoopObject&, LoopField);
    bool test_passes(const LoopStmt&, FrameData*, Value item);
    void assign(const Expr* target, Value value, FrameData* frame);

private:
    enum class Flow : uint8_t { on, leave, next };
    class ArgScope;
    friend class ArgScope;

    Flow exec(Stmts body);
    Flow exec(const Stmt&);
    void exec_output(const OutputStmt&);
    Flow exec_loop(const LoopStmt&);
    Flow run_loop(const LoopStmt&, Value iterable, int64_t depth0);
    void exec_set(const SetStmt&);
    Flow exec_set_block(const SetBlockStmt&);
    void exec_call_block(const CallBlockStmt&);
    Flow exec_with(const WithStmt&);
    Flow exec_autoescape(const AutoescapeStmt&);
    void exec_block(const BlockStmt&);
    void exec_generation(const MacroStmt&);
    void write_joined(Value);
    void apply_filter_block(const Expr* filter, size_t mark);
    void check_spaces(std::span<NameExpr* const>);
    void do_exports(std::span<const uint16_t>);
    void enter(const Scope& s) {
        for (const Load& l : s.loads)
            frame_->slots[l.slot] = l.from == Load::context ? context_[l.source]
                                    : l.from == Load::copy  ? up(l.hops)->slots[l.source]
                                                            : Value();
    }
    void leave(const Scope& s) {
        for (uint16_t slot : s.owned) frame_->slots[slot] = Value();
    }
    FrameData* up(uint16_t hops) const {
        FrameData* f = frame_;
        for (; hops; --hops) f = f->parent;
        return f;
    }
    Value make_macro(const MacroStmt&);
    // Runs a macro; its text goes to `out`.
    void invoke(const MacroObject&, const Args&, const Value* caller);
    void bind(const MacroStmt&, const Args&, const Value* caller, Value* slots);
    void emit_call(const CallExpr&, const Value* caller);
    Value eval_call(const CallExpr&, const Value* caller = nullptr);
    Value eval_slow(const Expr*);
    Value eval_sum(const ListExpr&, bool emits);
    Value eval_concat(const ListExpr&);
    Value eval_compare(const CompareExpr&);
    Value eval_filter(const FilterExpr&, const Value* subject = nullptr);
    Value eval_dict(const DictExpr&);
    bool eval_test(const TestExpr&);
    bool truth(const Expr*);
    Value raw(const NameExpr& n) const { return n.hops == 0 ? frame_->slots[n.slot] : up(n.hops)->slots[n.slot]; }   // may be missing
    Value eval_name(const NameExpr&);
    void print_slow(Value);
    Value call_function(Global, const Args&);
    Value call_special(Value callee, const Args&);
    Value special_attribute(Value of, Value name);
    [[noreturn]] void fail_steps();
    void guard_stack();

    class Deeper;
    const Program& program_;
    const Limits limits_;
    uint64_t steps_ = 0;
    uint32_t depth_ = 0;
    std::string unjoined_;       // a value among the output that is no string: fails when the output is put together
    const char* stack_base_ = nullptr;
    FrameData* frame_ = nullptr;
    std::span<Value> context_;
};

// Arguments by position or name, as a Python function takes them.
class Bound {
public:
    // names: of the parameters in order. required: how many must be given. TypeError otherwise.
    Bound(Str function, const Args& args, std::initializer_list<Str> names, size_t required = 0, size_t keyword_only_from = 99);
    Value operator[](size_t k) const { return values_[k]; }
    bool given(size_t k) const { return !values_[k].is(Kind::missing); }
    Value or_else(size_t k, Value v) const { return given(k) ? values_[k] : v; }
    bool flag(size_t k, bool otherwise) const { return given(k) ? truthy(values_[k]) : otherwise; }

private:
    Value values_[10];
};
int64_t want_int(Value v, const char* what = nullptr);   // as Python's __index__: TypeError for what is no integer
Str want_text(Value v, const char* what);                // TypeError for what is no string
[[noreturn]] inline void type_error(std::string message) { raise(Error::type, std::move(message)); }
inline std::string named(Value v) { return "'" + std::string(type_name(v)) + "'"; }

}  // namespace weir::jinja
