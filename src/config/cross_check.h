// Rules between settings.
#pragma once
#include <span>

#include "config/load.h"

namespace weir::config {

struct CrossCheck {
    bool (*broken)(const Loaded&);
    Str message;   // names the flags
};
std::span<const CrossCheck> cross_checks(Command);    // of that command alone
std::span<const CrossCheck> cross_checks_of_all();    // of every command

}  // namespace weir::config
