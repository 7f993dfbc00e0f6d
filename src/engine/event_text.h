// Tests only: a batch of Events as lines of text; adjacent text of one kind and choice is joined, so that splits do not show.
#pragma once
#include <string>

#include "types/event.h"

namespace weir::engine {

inline std::string event_text(const Batch& batch) {
    static constexpr const char* kinds[] = {"begin", "tokens", "text", "reasoning", "refusal", "tool_begin", "tool_args", "tool_end",
                                            "item", "blob", "vector", "usage", "annotation", "finish", "failure", "ping"};
    std::string out;
    for (const Event& e : batch.events) {
        out += std::to_string(e.choice) + " " + kinds[e.kind];
        if (e.flags & Event::role) out += " role";
        if (e.flags & Event::null_text) out += " null";
        if (e.flags & Event::base64) out += " base64";
        switch (e.kind) {
            case Event::begin: {
                const auto* h = e.as<BeginHead>();
                out += " id=" + std::string(h->id) + " model=" + std::string(h->model) + " created=" + std::to_string(h->created);
                if (!h->fingerprint.empty()) out += " fingerprint=" + std::string(h->fingerprint);
                if (!h->extra.empty()) out += " extra=" + std::string(h->extra);
                break;
            }
            case Event::tool_begin:
                out += " " + std::to_string(e.index) + " id=" + std::string(e.as<ToolHead>()->id) + " name=" + std::string(e.as<ToolHead>()->name);
                break;
            case Event::tool_args: out += " " + std::to_string(e.index) + " "; break;
            case Event::item: out += e.index == 0 ? " message " : e.index == 1 ? " choice " : " answer "; break;
            case Event::finish: out += std::string(" ") + (e.more ? std::string(e.as<FinishHead>()->reason) : name(e.finish_reason())); break;
            case Event::failure: out += " " + std::to_string(e.as<FailureBody>()->upstream_status); break;
            case Event::usage: {
                const auto* u = e.as<Usage>();
                out += " " + std::to_string(u->prompt) + "+" + std::to_string(u->completion) + (u->has_cached ? " cached " + std::to_string(u->cached) : "");
                break;
            }
            default: break;
        }
        if (!e.data.empty()) out += " [" + std::string(e.data) + "]";
        if ((e.kind == Event::text || e.kind == Event::reasoning) && e.more) out += " logprobs " + std::string(e.as<Logprobs>()->raw);
        if (e.flags & Event::end_of_frame) out += " /";
        out += "\n";
    }
    return out;
}

}  // namespace weir::engine
