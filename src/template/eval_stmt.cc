#include <memory>

#include "template/arg_scope.h"
#include "template/render.h"

namespace weir::jinja {

void Render::run(std::span<Value> context) {
    context_ = context;
    FrameData root{heap.array<Value>(program_.function.slots), nullptr};
    std::uninitialized_default_construct_n(root.slots, program_.function.slots);
    frame_ = &root;
    stack_base_ = static_cast<const char*>(__builtin_frame_address(0));
    enter(program_.scope);
    exec(program_.body);
    if (!unjoined_.empty()) type_error(unjoined_);
}

void Render::fail_steps() { raise(Error::limit, "the template takes more than " + std::to_string(limits_.steps_max) + " steps"); }
void Render::guard_stack() {
    const auto* here = static_cast<const char*>(__builtin_frame_address(0));
    if (++depth_ > limits_.depth_max || static_cast<size_t>(stack_base_ - here) > limits_.stack_max)
        raise(Error::recursion, "maximum recursion depth exceeded");
}
class Render::Deeper {
public:
    explicit Deeper(Render& r) : r_(r) { r.guard_stack(); }
    ~Deeper() { --r_.depth_; }

private:
    Render& r_;
};

Render::Flow Render::exec(Stmts body) {
    for (const Stmt* s : body)
        if (const Flow flow = exec(*s); flow != Flow::on) return flow;
    return Flow::on;
}

Render::Flow Render::exec(const Stmt& s) {
    step();
    switch (s.kind) {
        case S::output: return exec_output(static_cast<const OutputStmt&>(s)), Flow::on;
        case S::branch:
            for (const auto& arm : static_cast<const BranchStmt&>(s).arms)
                if (!arm.test || truth(arm.test)) return exec(arm.body);
            return Flow::on;
        case S::set: return exec_set(static_cast<const SetStmt&>(s)), Flow::on;
        case S::loop: return exec_loop(static_cast<const LoopStmt&>(s));
        case S::set_block: return exec_set_block(static_cast<const SetBlockStmt&>(s));
        case S::macro: {
            auto& m = static_cast<const MacroStmt&>(s);
            frame_->slots[m.name->slot] = make_macro(m);
            return do_exports(m.exports), Flow::on;
        }
        case S::generation: return exec_generation(static_cast<const MacroStmt&>(s)), Flow::on;
        case S::call_block: return exec_call_block(static_cast<const CallBlockStmt&>(s)), Flow::on;
        case S::filter_block: {
            auto& f = static_cast<const FilterBlockStmt&>(s);
            const size_t mark = out.size();
            enter(f.scope);
            const Flow flow = exec(f.body);
            if (flow != Flow::on) return out.drop(mark), flow;
            apply_filter_block(f.filter, mark);
            return leave(f.scope), Flow::on;
        }
        case S::with: return exec_with(static_cast<const WithStmt&>(s));
        case S::autoescape: return exec_autoescape(static_cast<const AutoescapeStmt&>(s));
        case S::block: return exec_block(static_cast<const BlockStmt&>(s)), Flow::on;
        case S::leave: return Flow::leave;
        case S::next: return Flow::next;
        case S::refused: raise(Error::type, "a chat template has no other templates to " + std::string(static_cast<const RefusedStmt&>(s).what));
    }
    return Flow::on;
}

void Render::exec_output(const OutputStmt& s) {
    for (const auto& piece : s.pieces) {
        if (piece.expr) emit(piece.expr);
        else out.write(piece.text);
    }
}

void Render::check_spaces(std::span<NameExpr* const> spaces) {
    for (const NameExpr* n : spaces)
        if (!raw(*n).is(Kind::ns)) raise(Error::template_runtime, "cannot assign attribute on non-namespace object");
}
void Render::do_exports(std::span<const uint16_t> pairs) {
    for (size_t k = 0; k + 1 < pairs.size(); k += 2) context_[pairs[k + 1]] = frame_->slots[pairs[k]];
}

void Render::assign(const Expr* target, Value value, FrameData* frame) {
    if (target->kind == E::name) {
        frame->slots[as<NameExpr>(target).slot] = value;
        return;
    }
    if (target->kind == E::attr) {
        auto& a = as<AttrExpr>(target);
        const Value space = raw(as<NameExpr>(a.of));
        if (!space.is(Kind::ns)) raise(Error::template_runtime, "cannot assign attribute on non-namespace object");
        if (a.name.str()[0] == '_')
            raise(Error::security, "Chat templates cannot store underscore-prefixed attributes on a namespace, but got " + repr_text(a.name) +
                                       ". Please rename the attribute.");
        return static_cast<Namespace*>(space.object)->dict.set(a.name, value);
    }
    const Exprs to = as<ListExpr>(target).items;
    std::span<const Value> from;
    if (value.is_sequence()) from = value.span();
    else {
        if (value.is(Kind::none) || value.is_number() || value.is(Kind::ns) || value.is(Kind::macro) || value.is(Kind::function))
            type_error("cannot unpack non-iterable " + std::string(type_name(value)) + " object");
        from = all(value);
    }
    if (from.size() > to.size()) raise(Error::value, "too many values to unpack (expected " + std::to_string(to.size()) + ")");
    if (from.size() < to.size())
        raise(Error::value, "not enough values to unpack (expected " + std::to_string(to.size()) + ", got " + std::to_string(from.size()) + ")");
    for (size_t k = 0; k < to.size(); ++k) assign(to[k], from[k], frame);
}

void Render::exec_set(const SetStmt& s) {
    if (!s.spaces.empty()) check_spaces(s.spaces);
    assign(s.target, eval(s.value), frame_);
    if (!s.exports.empty()) do_exports(s.exports);
}

// Filters over a block's text: the chain's innermost one takes it.
void Render::apply_filter_block(const Expr* filter, size_t mark) {
    const Str body = out.take(mark);
    const Value text = autoescape ? safe_string(body) : Value::string(body);
    write_joined(eval_filter(as<FilterExpr>(filter), &text));
}
// Blocks of filters and calls give their value as it is; Jinja joins it with the rest, which takes strings alone.
void Render::write_joined(Value v) {
    if (v.is_string()) out.write(v.str());
    else if (unjoined_.empty()) unjoined_ = "sequence item: expected str instance, " + std::string(type_name(v)) + " found";
}
Render::Flow Render::exec_set_block(const SetBlockStmt& s) {
    check_spaces(s.spaces);
    const size_t mark = out.size();
    enter(s.scope);
    if (const Flow flow = exec(s.body); flow != Flow::on) return out.drop(mark), flow;
    Value value = autoescape ? safe_string(out.take(mark)) : text(mark);
    if (s.filter) value = eval_filter(as<FilterExpr>(s.filter), &value);
    assign(s.target, value, frame_);
    leave(s.scope);
    do_exports(s.exports);
    return Flow::on;
}

Render::Flow Render::exec_with(const WithStmt& s) {
    enter(s.scope);
    for (size_t k = 0; k < s.targets.size(); ++k) assign(s.targets[k], eval(s.values[k]), frame_);
    const Flow flow = exec(s.body);
    leave(s.scope);
    return flow;
}
Render::Flow Render::exec_autoescape(const AutoescapeStmt& s) {
    enter(s.scope);
    const bool before = autoescape;
    autoescape = truthy(eval(s.value));
    const Flow flow = exec(s.body);
    autoescape = before;
    leave(s.scope);
    return flow;
}

void Render::exec_block(const BlockStmt& s) {
    if (s.required) raise(Error::template_runtime, "Required block '" + std::string(s.name) + "' not found");
    Deeper deeper(*this);
    FrameData frame{heap.array<Value>(s.function.slots), nullptr};
    std::uninitialized_default_construct_n(frame.slots, s.function.slots);
    FrameData* before = std::exchange(frame_, heap.make<FrameData>(frame));
    enter(s.scope);
    exec(s.body);
    frame_ = before;
}
void Render::exec_generation(const MacroStmt& s) {
    const MacroObject macro{{}, &s, frame_, autoescape};
    invoke(macro, {}, nullptr);
}

Value Render::make_macro(const MacroStmt& s) {
    return Value::of_object(Kind::macro, heap.make<MacroObject>(Object{}, &s, frame_, autoescape));
}
void Render::exec_call_block(const CallBlockStmt& s) {
    const Value caller = make_macro(*s.macro);
    const CallExpr& c = *s.call;
    const Value callee = c.of->kind == E::name ? eval_name(as<NameExpr>(c.of)) : Value();
    if (!callee.is(Kind::macro) || autoescape) return write_joined(eval_call(c, &caller));
    const ArgScope scope(*this, c.args);
    invoke(*static_cast<MacroObject*>(callee.object), scope.args, &caller);
}

// Loops.

Render::Flow Render::exec_loop(const LoopStmt& s) {
    const Value iterable = eval(s.iter);
    if (!s.recursive) return run_loop(s, iterable, 0);
    LoopObject first;
    first.stmt = &s;
    first.frame = frame_;
    first.depth0 = -1;
    write_joined(call_loop(first, iterable));
    return Flow::on;
}

Value Render::call_loop(LoopObject& loop, Value iterable) {
    if (!loop.stmt || !loop.stmt->recursive) type_error("The loop must have the 'recursive' marker to be called recursively.");
    Deeper deeper(*this);
    step();
    const uint16_t n = loop.stmt->function.slots;
    auto* frame = heap.make<FrameData>(heap.array<Value>(n), loop.frame);
    std::uninitialized_default_construct_n(frame->slots, n);
    FrameData* before = std::exchange(frame_, frame);
    const size_t mark = out.size();
    run_loop(*loop.stmt, iterable, loop.depth0 + 1);
    frame_ = before;
    return autoescape ? safe_string(out.take(mark)) : text(mark);
}

bool Render::test_passes(const LoopStmt& s, FrameData* frame, Value item) {
    FrameData* before = std::exchange(frame_, frame);
    assign(s.test_target, item, frame);
    const bool pass = truth(s.test);
    frame_ = before;
    return pass;
}

Render::Flow Render::run_loop(const LoopStmt& s, Value iterable, int64_t depth0) {
    Items plain = items(iterable);
    bool any = false;
    Flow flow = Flow::on;
    Items source = plain;
    if (s.test) {
        enter(s.test_scope);
        source = Items();
        source.of = Items::Of::filtered;
        source.inner = s.extended ? heap.make<Items>(plain) : &plain;
        source.stmt = &s;
        source.frame = frame_;
    }
    if (!s.extended) {
        const bool simple = s.target->kind == E::name;
        const uint16_t slot = simple ? as<NameExpr>(s.target).slot : 0;
        for (Value item; flow != Flow::leave && source.next(*this, item);) {
            step();
            if (simple) frame_->slots[slot] = item;
            else assign(s.target, item, frame_);
            enter(s.scope);
            flow = exec(s.body);
            any |= flow == Flow::on;
        }
    } else {
        auto* loop = heap.make<LoopObject>();
        loop->items = source;
        loop->stmt = &s;
        loop->frame = s.recursive ? frame_->parent : nullptr;
        loop->depth0 = depth0;
        loop->length = -1;
        for (Value item; flow != Flow::leave && loop->next(*this, item);) {
            step();
            assign(s.target, item, frame_);
            frame_->slots[s.loop_slot] = Value::of_object(Kind::loop, loop);
            enter(s.scope);
            flow = exec(s.body);
            any |= flow == Flow::on;
        }
    }
    leave(s.scope);
    if (any || s.otherwise.empty()) return Flow::on;
    enter(s.else_scope);
    flow = exec(s.otherwise);
    leave(s.else_scope);
    return flow;
}

// Macros.

void Render::invoke(const MacroObject& macro, const Args& args, const Value* caller) {
    Deeper deeper(*this);
    step();
    const MacroStmt& code = *macro.code;
    const uint16_t n = code.function.slots;
    Value few[24];
    const bool on_stack = !code.function.captured && n <= std::size(few);
    Value* slots = on_stack ? few : heap.array<Value>(n);
    if (!on_stack) std::uninitialized_default_construct_n(slots, n);
    FrameData here{slots, macro.frame};
    FrameData* frame = code.function.captured ? heap.make<FrameData>(here) : &here;
    bind(code, args, caller, slots);
    FrameData* before = std::exchange(frame_, frame);
    enter(code.scope);
    const size_t first = code.params.size() - code.defaults.size();
    for (size_t k = 0; k < code.params.size(); ++k) {
        Value& slot = slots[code.params[k]->slot];
        if (!slot.is(Kind::missing)) continue;
        if (k >= first) slot = eval(code.defaults[k - first]);
        else {
            const std::string hint = "parameter " + repr_text(Value::string(code.params[k]->name)) + " was not provided";
            slot = heap.undefined(heap.copy(hint));
        }
    }
    exec(code.body);
    frame_ = before;
    if (!unjoined_.empty()) type_error(unjoined_);
}

void Render::bind(const MacroStmt& code, const Args& args, const Value* caller, Value* slots) {
    const Str name = code.name ? code.name->name : "None";
    const size_t count = code.params.size(), given = std::min(args.plain.size(), count);
    for (size_t k = 0; k < given; ++k) slots[code.params[k]->slot] = args.plain[k];
    std::vector<NamedValue> rest(args.keywords.begin(), args.keywords.end());
    if (caller) rest.push_back({"caller", *caller});
    auto pop = [&](Str key) -> std::optional<Value> {
        for (size_t k = 0; k < rest.size(); ++k)
            if (rest[k].name == key) {
                const Value v = rest[k].value;
                rest.erase(rest.begin() + static_cast<long>(k));
                return v;
            }
        return std::nullopt;
    };
    for (size_t k = given; k < count && !rest.empty(); ++k)
        if (const auto v = pop(code.params[k]->name)) slots[code.params[k]->slot] = *v;
    const bool found_caller = code.explicit_caller;
    if (code.caller_slot >= 0 && !found_caller) {
        const auto v = pop("caller");
        slots[code.caller_slot] = v && !v->is(Kind::none) ? *v : heap.undefined(Str("No caller defined"));
    }
    if (code.kwargs_slot >= 0) {
        Dict* d = heap.dict(rest.size());
        for (const NamedValue& n : rest) d->set(Value::string(n.name), n.value);
        slots[code.kwargs_slot] = Value::of_dict(d);
    } else if (!rest.empty()) {
        for (const NamedValue& n : rest)
            if (n.name == "caller")
                type_error("macro '" + std::string(name) + "' was invoked with two values for the special caller argument. This is most likely a bug.");
        type_error("macro '" + std::string(name) + "' takes no keyword argument '" + std::string(rest[0].name) + "'");
    }
    if (code.varargs_slot >= 0) slots[code.varargs_slot] = heap.tuple(args.plain.subspan(given));
    else if (args.plain.size() > count)
        type_error("macro '" + std::string(name) + "' takes not more than " + std::to_string(count) + " argument(s)");
}

}  // namespace weir::jinja
