#include <gtest/gtest.h>

#include <map>
#include <set>

#include "config/spelling.h"
#include "config/value.h"

namespace weir::config {
namespace {

constexpr Command commands[] = {Command::frontend, Command::launch, Command::epp, Command::mocker};

template <class Check>
void for_rows(Check check) {
    for (const Area& area : areas())
        for (const Row& row : area.rows) {
            SCOPED_TRACE(std::string(row.key));
            check(area, row);
        }
}

TEST(Table, NoSpellingTwiceInOneCommand) {
    for (Command c : commands) {
        std::map<std::string, Str> flags, variables;
        const auto add = [&](std::map<std::string, Str>& seen, const std::string& word, const Row& row) {
            const auto [at, fresh] = seen.emplace(word, row.key);
            EXPECT_TRUE(fresh) << name(c) << " " << word << ": " << at->second << " and " << row.key;
        };
        for_rows([&](const Area&, const Row& row) {
            std::vector<Str> spelled = words(row.of(c).flags);
            if (has_any(row, c))
                for (Str word : words(row.any.flags)) spelled.push_back(word);
            for (Str word : spelled) {
                if (word[0] == '!' || word[0] == '~') word.remove_prefix(1);
                add(flags, std::string(word), row);
                if (row.check.kind == Check::boolean && word.starts_with("--")) add(flags, "--no-" + std::string(word.substr(2)), row);
            }
            for (Str word : words(row.of(c).env)) add(variables, std::string(word), row);
            add(variables, native_env(row), row);
        });
        for (Str taken : {"-h", "--help", "-V", "--version", "--write-docs"}) EXPECT_FALSE(flags.contains(std::string(taken))) << taken;
        EXPECT_EQ(Flags(c).all().size(), flags.size());
    }
}

TEST(Table, KeysAreOfTheirAreaAndOnce) {
    std::set<Str> keys;
    for_rows([&](const Area& area, const Row& row) {
        EXPECT_TRUE(keys.insert(row.key).second);
        EXPECT_TRUE(row.key.starts_with(area.name) && row.key[area.name.size()] == '.');
        EXPECT_EQ(row.key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_."), Str::npos);
        EXPECT_EQ(find_key(row.key), &row);
        EXPECT_EQ(&row_at(index_of(row)), &row);
    });
    EXPECT_EQ(keys.size(), row_count());
    EXPECT_EQ(find_key("listen.prot"), nullptr);
}

TEST(Table, EveryDefaultPassesItsOwnCheck) {
    for_rows([&](const Area&, const Row& row) {
        for (Command c : commands)
            for (bool compat : {false, true}) {
                const Words value = default_words(row, c, compat);   // asserts
                EXPECT_TRUE(row.check.kind != Check::boolean || !value.empty());
                Config config;
                store(config, row.field, value);                      // asserts that the number fits
            }
    });
}

TEST(Table, BoundsFitTheField) {
    const std::map<Field::Type, double> largest = {
        {Field::u16, 65'535.0}, {Field::u32, 4'294'967'295.0}, {Field::u64, any_max}, {Field::u16s, 65'535.0}};
    for_rows([&](const Area&, const Row& row) {
        const auto at = largest.find(row.field.type);
        if (at == largest.end()) return;
        EXPECT_GE(row.check.lo, 0);
        EXPECT_LE(row.check.hi, at->second);
        EXPECT_TRUE(row.check.kind == Check::integer || row.check.kind == Check::size || row.check.kind == Check::integers);
    });
}

TEST(Table, KindsSuitTheirFields) {
    for_rows([&](const Area&, const Row& row) {
        const Check::Kind kind = row.check.kind;
        switch (row.field.type) {
        case Field::none: break;
        case Field::boolean: EXPECT_EQ(kind, Check::boolean); break;
        case Field::f64: case Field::optional_f64: EXPECT_EQ(kind, Check::real); break;
        case Field::f64s: EXPECT_EQ(kind, Check::reals); break;
        case Field::texts: EXPECT_TRUE(kind == Check::list || kind == Check::urls); break;
        case Field::text: EXPECT_TRUE(kind == Check::text || kind == Check::choice || kind == Check::path || kind == Check::unix_socket); break;
        case Field::debug_path: EXPECT_EQ(row.check.choices, "auto forward events"); break;
        default: EXPECT_TRUE(kind == Check::integer || kind == Check::size || kind == Check::integers); break;
        }
    });
}

TEST(Table, WhatIsBuiltHasAFieldAndWhatIsNotSaysWhatIsMissing) {
    for_rows([&](const Area&, const Row& row) {
        EXPECT_TRUE(row.help.ends_with('.')) << row.help;
        if (row.state == State::refused) {
            EXPECT_FALSE(row.feature.empty());
            EXPECT_EQ(row.field.type, Field::none);
        } else if (row.state == State::done) {
            const Str built = row.check.choices.substr(0, row.check.choices.find('|'));
            const bool one_choice = row.check.kind == Check::choice && built.find(' ') + 1 >= built.size();   // nothing to remember
            EXPECT_TRUE(row.field.type != Field::none || one_choice || row.key == "run.config" || row.key == "discovery.backend");
        } else {
            EXPECT_EQ(row.field.type, Field::none);
        }
        EXPECT_TRUE(row.check.kind != Check::choice || row.check.choices.find('|') == Str::npos || !row.feature.empty());
    });
}

TEST(Table, EveryFieldOfConfigHasItsOwnRow) {
    std::map<uint16_t, Str> offsets;
    for_rows([&](const Area&, const Row& row) {
        if (row.field.type == Field::none) return;
        const auto [at, fresh] = offsets.emplace(row.field.offset, row.key);
        EXPECT_TRUE(fresh) << at->second;
    });
}

TEST(Spelling, EditDistance) {
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("abc", "abc"), 0u);
    EXPECT_EQ(edit_distance("--prot", "--port"), 1u);      // neighbours swapped
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(nearest_words("--http-p", {"--host", "--http-port", "--http-host"}, 1), (std::vector<Str>{"--http-port"}));   // cut short
}

}  // namespace
}  // namespace weir::config
