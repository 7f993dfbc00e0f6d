// The fleet that the options of `weir mocker` describe.
#pragma once
#include "base/result.h"
#include "config/config.h"
#include "mocker/fleet.h"

namespace weir::mocker {

// Code::bad_field for what the option table cannot see: impossible engines, fault rules that do not parse, too few ports.
Result<FleetSettings> settings_of(const MockerConfig&, unsigned engines);

}  // namespace weir::mocker
