#include "config/argv.h"

#include <algorithm>

namespace weir::config {
namespace {

bool is_flag(const std::string& word) {
    return word.size() > 1 && word[0] == '-' && !(word[1] >= '0' && word[1] <= '9') && word[1] != '.';
}

class ArgvReader {
public:
    ArgvReader(Command command, const Flags& flags, std::span<const std::string> argv, Args& out)
        : command_(command), flags_(flags), argv_(argv), out_(out) {}
    void run() {
        while (at_ < argv_.size()) {
            const std::string& word = argv_[at_++];
            if (word == "-h" || word == "--help") out_.help = true;
            else if (word == "-V" || word == "--version") out_.version = true;
            else if (is_flag(word)) take(word);
            else out_.errors.push_back("'" + printable(word) + "' is not a flag");
        }
    }

private:
    void take(const std::string& word) {
        const size_t equals = word.starts_with("--") ? word.find('=') : std::string::npos;
        const std::string name = word.substr(0, equals);
        const FlagRef* ref = flags_.find(name);
        if (!ref) return unknown(name);
        if (ref->old_name) out_.warnings.push_back(name + " is an old name of " + std::string(words(ref->spelling->flags)[0]));
        Given given{ref->row, ref->spelling, {}, name};
        const bool has_text = equals != std::string::npos;
        const std::string text = has_text ? word.substr(equals + 1) : "";
        if (ref->row->check.kind == Check::boolean) {
            if (ref->inverted && has_text) return out_.errors.push_back(name + ": takes no value");
            given.words = {has_text ? text : ref->inverted ? "false" : "true"};
        } else if (is_list(ref->row->check)) {
            take_list(given, has_text, text);
        } else if (has_text) {
            given.words = {text};
        } else if (at_ < argv_.size() && !is_flag(argv_[at_])) {
            given.words = {argv_[at_++]};
        } else {
            return out_.errors.push_back(name + ": needs a value");
        }
        add(std::move(given));
    }
    void take_list(Given& given, bool has_text, const std::string& text) {
        const Row& row = *given.row;
        if (row.check.kind == Check::url_port) {
            const bool there = has_text || (at_ < argv_.size() && !is_flag(argv_[at_]));
            if (!there) return out_.errors.push_back(given.from + ": needs a URL");
            std::string url = has_text ? text : argv_[at_++];
            if (at_ < argv_.size() && is_bootstrap_port(argv_[at_])) url += " " + argv_[at_++];
            given.words = {std::move(url)};
            return;
        }
        if (has_text) given.words = words_of(row, text);
        while (at_ < argv_.size() && !is_flag(argv_[at_])) {
            Words more = row.check.kind == Check::list ? Words{argv_[at_]} : words_of(row, argv_[at_]);
            given.words.insert(given.words.end(), more.begin(), more.end());
            at_++;
        }
    }
    void add(Given given) {
        const auto same = std::find_if(out_.given.begin(), out_.given.end(), [&](const Given& g) { return g.row == given.row; });
        if (same == out_.given.end()) return out_.given.push_back(std::move(given));
        if (is_list(given.row->check)) same->words.insert(same->words.end(), given.words.begin(), given.words.end());
        else *same = std::move(given);
    }
    void unknown(const std::string& name) {
        std::string message = printable(name) + " is not known";
        for (Command other : {Command::frontend, Command::launch, Command::epp, Command::mocker})
            if (other != command_ && out_.errors.size() < 3 && Flags::of(other).find(name))
                message += ", weir " + std::string(config::name(other)) + " has it";
        if (out_.errors.size() < errors_with_nearest_max) {
            message += "; nearest:";
            for (Str near : flags_.nearest(name, 3)) message += " " + std::string(near);
        }
        out_.errors.push_back(std::move(message));
        while (at_ < argv_.size() && !is_flag(argv_[at_])) at_++;   // its value is not a second mistake
    }
    const Command command_;
    const Flags& flags_;
    std::span<const std::string> argv_;
    Args& out_;
    size_t at_ = 0;
};
}  // namespace

Args read_args(Command command, const Flags& flags, std::span<const std::string> argv) {
    Args out;
    ArgvReader(command, flags, argv, out).run();
    return out;
}

}  // namespace weir::config
