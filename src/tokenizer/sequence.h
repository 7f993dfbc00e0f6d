// A Sequence of steps, made of its spec. Private to the normalizers and pre-tokenizers.
#pragma once
#include <memory>
#include <vector>

#include "base/result.h"

namespace weir::tok {

template <class Sequence, class Spec, class Step>
Result<std::unique_ptr<Step>> make_sequence(const Spec& spec, Result<std::unique_ptr<Step>> (*make)(const Spec&)) {
    std::vector<std::unique_ptr<Step>> steps;
    for (const Spec& child : spec.children) {
        TRY(auto step, make(child));
        steps.push_back(std::move(step));
    }
    return std::unique_ptr<Step>(std::make_unique<Sequence>(std::move(steps)));
}

}  // namespace weir::tok
