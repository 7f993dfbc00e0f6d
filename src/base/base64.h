// RFC 4648 base64, standard alphabet with padding.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace weir {

std::string base64_encode(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);   // nullopt: a foreign character or a wrong length; padding may be missing

}  // namespace weir
