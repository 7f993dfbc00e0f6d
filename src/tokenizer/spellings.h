// The tokens of a vocabulary as its file spells them, by id. A text is copied in, or stays in memory that is kept alive with the list.
#pragma once
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::tok {

class Spellings {
public:
    Spellings() = default;
    Spellings(const Spellings& other) { *this = other; }
    Spellings(Spellings&&) noexcept = default;
    Spellings& operator=(const Spellings& other) {
        if (this == &other) return *this;
        *this = Spellings();
        for (const std::string_view text : other) push_back(text);
        return *this;
    }
    Spellings& operator=(Spellings&&) noexcept = default;
    Spellings& operator=(const std::vector<std::string>& texts) {
        *this = Spellings();
        for (const std::string& text : texts) push_back(text);
        return *this;
    }

    size_t size() const { return texts_.size(); }
    bool empty() const { return texts_.empty(); }
    std::string_view operator[](size_t id) const { return texts_[id]; }
    std::vector<std::string_view>::const_iterator begin() const { return texts_.begin(); }
    std::vector<std::string_view>::const_iterator end() const { return texts_.end(); }
    void reserve(size_t count) { texts_.reserve(count); }
    void resize(size_t count) { texts_.resize(count); }
    void push_back(std::string_view text) { texts_.push_back(copy(text)); }
    void set(size_t id, std::string_view text) { texts_[id] = copy(text); }
    // `text` lies in what keep() was given.
    void set_view(size_t id, std::string_view text) { texts_[id] = text; }
    void keep(std::shared_ptr<const void> memory) { kept_.push_back(std::move(memory)); }

private:
    std::string_view copy(std::string_view text) {
        if (text.size() > room_) {
            constexpr size_t block = 1 << 16;
            const size_t size = std::max(block, text.size());
            std::shared_ptr<char[]> made(new char[size]);
            next_ = made.get(), room_ = size;
            kept_.push_back(std::move(made));
        }
        if (!text.empty()) std::memcpy(next_, text.data(), text.size());
        const std::string_view out(next_, text.size());
        next_ += text.size(), room_ -= text.size();
        return out;
    }
    std::vector<std::string_view> texts_;
    std::vector<std::shared_ptr<const void>> kept_;
    char* next_ = nullptr;               // the rest of the last block
    size_t room_ = 0;
};

}  // namespace weir::tok
